/** Messages: what arrives, how often, in which order, and as whose. */

import { Component, launch } from "@kith/core";
import { type Case, pass, type Script, until } from "@kith/testing/compliance";
import { expect } from "chai";
import { Message } from "../message.ts";
import { isPeer, peerKey, type PeerRef, samePeer } from "../peer-ref.ts";
import { Dropped, Network } from "../port.ts";
import { type NetworkHarness, Note, Parcel, Question, Reply, Running, Special } from "./harness.ts";
import { difference, samples } from "./samples.ts";

/** A case with two processes. */
function two(
  name: string,
  body: (a: Running, b: Running, harness: NetworkHarness) => Script,
  applies?: (harness: NetworkHarness) => boolean,
): Case<NetworkHarness> {
  return {
    name,
    ...(applies === undefined ? {} : { applies }),
    run: function* (harness) {
      const [a, b] = yield* Running.start(harness, 2);
      if (a !== undefined && b !== undefined) yield* body(a, b, harness);
    },
  };
}

function range(count: number, from = 1): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** The cases about messages. */
export const messageCases: readonly Case<NetworkHarness>[] = [
  two(
    "a message arrives once, with its fields, its receiver and the sender filled in",
    function* (a, b) {
      a.do((speaker) => speaker.send(new Note({ to: b.self, n: 7 })));
      yield until("the note arrives", () => b.speaker.notes.length > 0);
      yield pass(50);
      expect(b.speaker.notes).to.deep.equal([7]);
      const [note] = b.speaker.all(Note);
      expect(note?.to).to.deep.equal(b.self);
      expect(note?.from).to.deep.equal(a.self);
      expect(a.speaker.all(Message)).to.deep.equal([]);
    },
  ),
  two("an answer to the sender of a message finds it", function* (a, b) {
    a.do((speaker) => speaker.send(new Question({ to: b.self, n: 3 })));
    yield until("the reply arrives", () => a.speaker.all(Reply).length > 0);
    expect(a.speaker.all(Reply)[0]).to.include({ n: 3 });
    expect(a.speaker.all(Reply)[0]?.from).to.deep.equal(b.self);
  }),
  two("a sender that is named is kept, and its label too", function* (a, b) {
    const from = { ...a.self, peerId: 4_503_599_627_370_495, failureDomain: "rack 7" };
    a.do((speaker) => speaker.send(new Note({ to: b.self, from, n: 1 })));
    yield until("the note arrives", () => b.speaker.notes.length > 0);
    expect(b.speaker.all(Note)[0]?.from).to.deep.equal(from);
  }),
  two(
    "no message arrives in the turn in which it was sent, not even one to oneself",
    function* (a) {
      let during = -1;
      a.do((speaker) => {
        speaker.send(new Note({ to: a.self, n: 1 }));
        during = speaker.seen.length;
      });
      yield until("the note arrives", () => a.speaker.notes.length > 0);
      expect(during).to.equal(0);
      expect(a.speaker.all(Note)[0]?.from).to.deep.equal(a.self);
      yield pass(20);
      expect(a.speaker.seen, "no connection to oneself").to.have.length(1);
    },
  ),
  two("a thousand messages arrive once each, in their order", function* (a, b) {
    const numbers = range(1000);
    a.do((speaker) => speaker.send(...numbers.map((n) => new Note({ to: b.self, n }))));
    yield until("all arrive", () => b.speaker.notes.length >= 1000);
    yield pass(50);
    expect(b.speaker.notes).to.deep.equal(numbers);
  }),
  two("order holds over turns, classes and peers of one process", function* (a, b) {
    const vpeer = { ...b.self, peerId: b.self.peerId + 1 };
    for (const turn of range(20, 0)) {
      a.do((speaker) => {
        for (const i of range(10, 0)) {
          const n = turn * 10 + i;
          const to = n % 3 === 0 ? vpeer : b.self;
          speaker.send(n % 2 === 0 ? new Note({ to, n }) : new Special({ to, n, more: "x" }));
        }
      });
      if (turn % 5 === 0) yield pass(1);
    }
    yield until("all arrive", () => b.speaker.notes.length >= 200);
    expect(b.speaker.notes).to.deep.equal(range(200, 0));
  }),
  two("both directions of a connection work at once", function* (a, b) {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.do((speaker) =>
        speaker.send(...range(300).map((n) => new Question({ to: to.self, n }))),
      );
    }
    yield until("all are answered", () =>
      [a, b].every(({ speaker }) => speaker.all(Reply).length >= 300),
    );
    for (const { speaker } of [a, b]) {
      expect(speaker.all(Reply).map(({ n }) => n)).to.deep.equal(range(300));
      expect(speaker.all(Question).map(({ n }) => n)).to.deep.equal(range(300));
    }
  }),
  two(
    "a message arrives as an instance of its class, for handlers of its bases too",
    function* (a, b) {
      a.do((speaker) => speaker.send(new Special({ to: b.self, n: 1, more: "than a note" })));
      yield until("it arrives", () => b.speaker.notes.length > 0);
      expect(b.speaker.all(Special)[0]).to.include({ n: 1, more: "than a note" });
      expect(b.speaker.all(Message), "one message").to.have.length(1);
    },
  ),
  two(
    "plain data of every kind arrives as it was sent",
    function* (a, b) {
      const sent = samples();
      a.do((speaker) =>
        speaker.send(...sent.map(([, content]) => new Parcel({ to: b.self, content }))),
      );
      yield until("all arrive", () => b.speaker.all(Parcel).length >= sent.length);
      for (const [i, { content }] of b.speaker.all(Parcel).entries()) {
        const [name, expected] = sent[i] ?? [];
        expect(difference(content, expected, name)).to.equal(null);
      }
    },
    ({ codec }) => codec !== false,
  ),
  two(
    "sender and receiver share nothing",
    function* (a, b) {
      const content = {
        list: [1],
        bytes: new Uint8Array([1]),
        map: new Map([["k", { n: 1 }]]),
        object: { n: 1 },
      };
      const expected = JSON.stringify([
        content.list,
        [...content.bytes],
        [...content.map],
        content.object,
      ]);
      a.do((speaker) => {
        // To oneself too: that way is short.
        speaker.send(new Parcel({ to: b.self, content }), new Parcel({ to: a.self, content }));
      });
      yield pass(0);
      yield until(
        "both arrive",
        () => b.speaker.all(Parcel).length > 0 && a.speaker.all(Parcel).length > 0,
      );
      const arrived = [a, b].map(({ speaker }) => speaker.all(Parcel)[0]?.content);
      const show = (it: unknown): string => {
        const { list, bytes, map, object } = { ...content, ...(typeof it === "object" ? it : {}) };
        return JSON.stringify([list, [...bytes], [...map], object]);
      };
      content.list.push(2);
      content.bytes.fill(2);
      content.map.clear();
      content.object.n = 2;
      expect(arrived.map(show)).to.deep.equal([expected, expected]);
      expect(difference(arrived[0], arrived[1])).to.equal(null);
    },
    ({ codec }) => codec !== false,
  ),
  two("a message of a megabyte arrives, and what comes after it", function* (a, b) {
    const content = new Uint8Array(1024 * 1024).map((_, i) => (i * 7) % 251);
    a.do((speaker) =>
      speaker.send(new Parcel({ to: b.self, content }), new Note({ to: b.self, n: 1 })),
    );
    yield until("both arrive", () => b.speaker.notes.length > 0, 20_000);
    const arrived = b.speaker.all(Parcel)[0]?.content;
    expect(
      arrived instanceof Uint8Array && arrived.every((byte, i) => byte === content[i]),
    ).to.equal(true);
  }),
  two(
    "what cannot be encoded is dropped and told, and does no harm",
    function* (a, b) {
      class Hidden {
        readonly secret = 1;
      }
      a.do((speaker) => {
        speaker.send(new Note({ to: b.self, n: 1 }));
        for (const content of [() => 1, Symbol("s"), new Hidden(), { deep: [new Hidden()] }])
          speaker.send(new Parcel({ to: b.self, content }));
        speaker.deliver(1, new Parcel({ to: b.self, content: () => 1 }), "sent");
        speaker.send(new Note({ to: b.self, n: 2 }));
      });
      yield until("both notes arrive", () => b.speaker.notes.length >= 2);
      yield until(
        "the sender is told",
        () => a.speaker.all(Dropped).length >= 4 && a.speaker.status(1) !== "",
      );
      expect(a.speaker.all(Dropped).map(({ reason, tag }) => `${reason} ${tag}`)).to.deep.equal(
        Array(4).fill("not-encodable network-compliance/Parcel"),
      );
      expect(a.speaker.status(1)).to.equal("failed");
      expect(b.speaker.all(Parcel)).to.deep.equal([]);
    },
    ({ codec }) => codec !== false,
  ),
  {
    name: "five processes talk, each to each",
    run: function* (harness) {
      const all = yield* Running.start(harness, 5);
      for (const from of all) {
        from.do((speaker) => {
          for (const n of range(40))
            for (const to of all) speaker.send(new Note({ to: to.self, n }));
        });
      }
      yield until("all arrive", () => all.every(({ speaker }) => speaker.notes.length >= 200));
      yield pass(20);
      for (const { speaker } of all) {
        expect(speaker.notes).to.have.length(200);
        for (const { self } of all) {
          const notes = speaker
            .all(Note)
            .filter(({ from }) => isPeer(from) && samePeer(from, self));
          expect(notes.map(({ n }) => n)).to.deep.equal(range(40));
        }
      }
    },
  },
  {
    name: "a hundred virtual peers share a Network by their keys, and each gets its own messages only",
    applies: ({ nest }) => nest !== undefined,
    run: function* (harness) {
      const [a] = yield* Running.start(harness, 1);
      if (a === undefined || harness.nest === undefined) return;
      const nest = harness.nest.bind(harness);
      const guests: Guest[] = [];
      let self = a.self;
      // The last one has begun anew.
      const guestAt = (i: number): PeerRef => ({
        ...self,
        peerId: 1000 + i,
        ...(i === 99 ? { rebirth: 1 } : {}),
      });
      class Hotel extends Component {
        constructor() {
          super();
          const nested = nest(1, { create: (cls, ...args) => this.create(cls, ...args) });
          ({ self } = nested);
          for (const i of range(100, 0)) {
            const guest = this.create(Guest, { peerId: 1000 + i });
            this.connect(nested.network, guest.ports.net, { key: peerKey(guestAt(i)) });
          }
        }
      }
      Guest.born = (guest) => guests.push(guest);
      const system = launch(Hotel, {}, harness.process(1).world);
      let ready = false;
      system.enter(() => (ready = true));
      yield until("the hotel is open", () => ready);
      a.do((speaker) => {
        for (const n of range(3)) {
          for (const i of range(100, 0)) speaker.send(new Note({ to: guestAt(i), n: i * 10 + n }));
        }
        speaker.send(new Note({ to: { ...self, peerId: 5000 }, n: 0 }));
        // To other lives of peers that are there: nobody takes them for these.
        speaker.send(new Note({ to: { ...self, peerId: 1000, rebirth: 1 }, n: 5 }));
        speaker.send(new Note({ to: { ...self, peerId: 1099 }, n: 6 }));
        speaker.send(new Note({ to: { ...self, peerId: 1000 }, n: 4 }));
      });
      yield until(
        "all arrive",
        () => guests.every(({ numbers }) => numbers.length >= 3) && guests[0]?.numbers.length === 4,
      );
      for (const [i, { numbers }] of guests.entries()) {
        expect(numbers).to.deep.equal([
          i * 10 + 1,
          i * 10 + 2,
          i * 10 + 3,
          ...(i === 0 ? [4] : []),
        ]);
      }
      const letters = system.deadLetters;
      expect(
        (letters["no-channel"] ?? 0) + (letters["no-handler"] ?? 0),
        "the message to a peer that is not there",
      ).to.be.above(0);
      guests[0]?.talk(a.self, 9);
      yield until("a guest's message arrives", () => a.speaker.notes.length > 0);
      expect(a.speaker.all(Note)[0]?.from.peerId).to.equal(1000);
    },
  },
];

/** A virtual peer. */
class Guest extends Component {
  /** Told of each guest that is constructed. */
  static born: (guest: Guest) => void = () => undefined;
  readonly net = this.requires(Network);
  readonly numbers: number[] = [];
  readonly #peerId: number;

  constructor({ peerId }: { readonly peerId: number }) {
    super();
    this.#peerId = peerId;
    this.net.on(Note, ({ n }) => this.numbers.push(n) > 0);
    Guest.born(this);
  }

  /** Sends a note under its own name. */
  talk(to: PeerRef, n: number): void {
    this.enter(() => this.net.trigger(new Note({ to, from: { ...to, peerId: this.#peerId }, n })));
  }
}
