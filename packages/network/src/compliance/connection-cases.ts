/** Connections: what is told of them, what is lost with them, and what waits for them. */

import { type Case, pass, type Script, until } from "@kith/testing/compliance";
import { expect } from "chai";
import { Message } from "../message.ts";
import { samePeer } from "../peer-ref.ts";
import {
  ConnectionDown,
  ConnectionUp,
  Delivery,
  Dropped,
  NetworkDrained,
  NetworkFull,
} from "../port.ts";
import { type NetworkHarness, Note, Running } from "./harness.ts";

type Hook = "cut" | "restore" | "crash" | "swapProvider";

function two(
  name: string,
  body: (a: Running, b: Running, harness: NetworkHarness) => Script,
  ...hooks: readonly Hook[]
): Case<NetworkHarness> {
  return {
    name,
    applies: (harness) => hooks.every((hook) => harness[hook] !== undefined),
    run: function* (harness) {
      const [a, b] = yield* Running.start(harness, 2);
      if (a !== undefined && b !== undefined) yield* body(a, b, harness);
    },
  };
}

/** Sends a note, and waits until it arrives: the connection is up then. */
function* connect(a: Running, b: Running, n = 0): Script {
  const before = b.speaker.notes.length;
  a.do((speaker) => speaker.send(new Note({ to: b.self, n })));
  yield until("the connection is up", () => b.speaker.notes.length > before);
}

/** What a speaker was told of its connections: `up up down`. */
function story({ speaker }: Running): string {
  return speaker.seen
    .flatMap((one) =>
      one instanceof ConnectionUp ? ["up"] : one instanceof ConnectionDown ? ["down"] : [],
    )
    .join(" ");
}

function range(count: number, from = 1): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** The cases about connections. */
export const connectionCases: readonly Case<NetworkHarness>[] = [
  two(
    "both sides are told once that they are connected, before the first message",
    function* (a, b) {
      a.do((speaker) => speaker.send(...range(5).map((n) => new Note({ to: b.self, n }))));
      yield until("the notes arrive", () => b.speaker.notes.length >= 5);
      yield pass(20);
      expect(b.speaker.seen[0]).to.be.instanceOf(ConnectionUp);
      for (const [side, far] of [
        [a, b],
        [b, a],
      ] as const) {
        expect(side.speaker.all(ConnectionUp).map(({ peer }) => peer)).to.deep.equal([far.self]);
      }
      b.do((speaker) => speaker.send(new Note({ to: a.self, n: 1 })));
      yield until("a note comes back", () => a.speaker.notes.length > 0);
      expect(story(a) + story(b), "one connection for both directions").to.equal("upup");
    },
  ),
  two(
    "a message to an address where nobody listens is lost, and its sender is told",
    function* (a, b, { nobody }) {
      a.do((speaker) => {
        speaker.send(new Note({ to: nobody, n: 1 }));
        speaker.deliver(1, new Note({ to: nobody, n: 2 }), "sent");
        speaker.deliver(2, new Note({ to: nobody, n: 3 }), "acknowledged");
      });
      yield until(
        "its sender is told",
        () => a.speaker.all(Dropped).length > 0 && a.speaker.status(2) !== "",
        60_000,
      );
      yield pass(20);
      expect(a.speaker.all(Dropped)).to.have.length(1);
      expect(a.speaker.all(Dropped)[0]).to.include({ reason: "unreachable", tag: Note.tag });
      expect(a.speaker.all(Dropped)[0]?.to).to.deep.equal(nobody);
      expect(a.speaker.all(Dropped)[0]?.from).to.deep.equal(a.self);
      expect([a.speaker.status(1), a.speaker.status(2)]).to.deep.equal(["failed", "failed"]);
      const [down] = a.speaker.all(ConnectionDown);
      expect(down?.reason).to.equal("refused");
      expect(down?.peer).to.deep.equal(nobody);
      expect(a.speaker.all(ConnectionUp)).to.deep.equal([]);
      yield* connect(a, b);
    },
  ),
  two(
    "a message to another incarnation is dropped, and the receiver's side shows it",
    function* (a, b) {
      const [before, after] = [-1, 1].map((step) => ({
        ...b.self,
        incarnation: Math.max(0, b.self.incarnation + step),
      }));
      const wrong = [before, after].filter((to) => to !== undefined && !samePeer(to, b.self));
      a.do((speaker) => {
        for (const to of wrong) if (to !== undefined) speaker.send(new Note({ to, n: -1 }));
        speaker.send(new Note({ to: b.self, n: 1 }));
        speaker.send(new Note({ to: { ...a.self, incarnation: a.self.incarnation + 1 }, n: -2 }));
      });
      yield until("the right one arrives", () => b.speaker.notes.length > 0);
      const dropped = (): Dropped[] => [...a.speaker.all(Dropped), ...b.speaker.all(Dropped)];
      yield until("the drops are told", () => dropped().length > wrong.length);
      yield pass(20);
      expect(b.speaker.notes).to.deep.equal([1]);
      expect(a.speaker.notes).to.deep.equal([]);
      expect(dropped().map(({ reason }) => reason)).to.deep.equal(
        Array(wrong.length + 1).fill("wrong-incarnation"),
      );
      expect(b.speaker.all(Dropped)[0]?.from).to.deep.equal(a.self);
    },
  ),
  two(
    "what becomes of a message is told to whoever asks, once, and in order with the others",
    function* (a, b) {
      a.do((speaker) => {
        for (const n of range(30)) {
          if (n % 3 === 0) speaker.send(new Note({ to: b.self, n }));
          else
            speaker.deliver(n, new Note({ to: b.self, n }), n % 3 === 1 ? "sent" : "acknowledged");
        }
        speaker.deliver(31, new Note({ to: a.self, n: 31 }), "acknowledged");
      });
      yield until("all is told", () => a.speaker.deliveries.size >= 21);
      yield until("all arrives", () => b.speaker.notes.length >= 30);
      yield pass(20);
      expect(b.speaker.notes).to.deep.equal(range(30));
      for (const n of range(30).filter((i) => i % 3 !== 0)) {
        expect(a.speaker.status(n), `message ${n}`).to.equal(n % 3 === 1 ? "sent" : "acknowledged");
      }
      expect(a.speaker.status(31)).to.equal("acknowledged");
    },
  ),
  two(
    "when a connection breaks, both sides are told once, and what was lost is a suffix",
    function* (a, b, { cut, restore }) {
      yield* connect(a, b);
      for (const n of range(200)) {
        a.do((speaker) => speaker.send(new Note({ to: b.self, n })));
        if (n === 100) yield until("some arrive", () => b.speaker.notes.length > 1);
        if (n === 150) cut?.(a.self, b.self);
      }
      yield until(
        "both are told",
        () =>
          [a, b].every(({ speaker }) =>
            speaker.all(ConnectionDown).some(({ reason }) => reason === "lost"),
          ),
        120_000,
      );
      yield pass(50);
      const lost = ({ speaker }: Running): number =>
        speaker.all(ConnectionDown).filter(({ reason }) => reason === "lost").length;
      expect([lost(a), lost(b)]).to.deep.equal([1, 1]);
      const { notes } = b.speaker;
      expect(notes).to.deep.equal(range(notes.length, 0));
      expect(a.speaker.all(ConnectionDown)[0]?.peer).to.deep.equal(b.self);
      restore?.(a.self, b.self);
      const before = notes.length;
      yield* connect(a, b, 1000);
      yield pass(20);
      expect(b.speaker.notes.slice(before).at(-1)).to.equal(1000);
      expect(a.speaker.all(ConnectionUp)).to.have.length(2);
    },
    "cut",
    "restore",
  ),
  two(
    "a delivery that a break overtakes is acknowledged, failed or unknown, but never silent",
    function* (a, b, { cut }) {
      yield* connect(a, b);
      a.do((speaker) => {
        for (const n of range(50)) speaker.deliver(n, new Note({ to: b.self, n }), "acknowledged");
      });
      cut?.(a.self, b.self);
      yield until("all are answered", () => a.speaker.deliveries.size >= 50, 120_000);
      yield pass(20);
      const arrived = new Set(b.speaker.notes);
      for (const n of range(50)) {
        const status = a.speaker.status(n);
        expect(status).to.be.oneOf(["acknowledged", "failed", "unknown"]);
        if (status === "acknowledged")
          expect(arrived.has(n), `note ${n} was acknowledged`).to.equal(true);
        if (status === "failed") expect(arrived.has(n), `note ${n} failed`).to.equal(false);
      }
    },
    "cut",
  ),
  two(
    "the other side of a crash is told, and the next life has a connection of its own",
    function* (a, b, harness) {
      yield* connect(a, b);
      harness.crash?.(b.self, b.system);
      yield until("the loss is told", () => a.speaker.all(ConnectionDown).length > 0, 120_000);
      const next = yield* Running.again(harness, 1);
      expect(next.self.incarnation).to.be.above(b.self.incarnation);
      const silent = next.speaker.notes.length;
      a.do((speaker) =>
        speaker.send(new Note({ to: b.self, n: 1 }), new Note({ to: next.self, n: 2 })),
      );
      yield until(
        "the message to the new life arrives",
        () => next.speaker.notes.length > silent,
        60_000,
      );
      yield pass(20);
      expect(next.speaker.notes).to.deep.equal([2]);
      const dropped = [...a.speaker.all(Dropped), ...next.speaker.all(Dropped)].map(
        ({ reason }) => reason,
      );
      expect(dropped).to.deep.equal(["wrong-incarnation"]);
      expect(a.speaker.all(ConnectionUp).at(-1)?.peer).to.deep.equal(next.self);
      next.do((speaker) => speaker.send(new Note({ to: a.self, n: 3 })));
      yield until("its answer arrives", () => a.speaker.notes.includes(3));
    },
    "crash",
  ),
  two(
    "a queue that grows long is told, and what exceeds it is dropped and told",
    function* (a, b, { tooMany = 100_000 }) {
      yield* connect(a, b);
      a.do((speaker) => speaker.send(...range(tooMany).map((n) => new Note({ to: b.self, n }))));
      const dropped = (): number => a.speaker.all(Dropped).length;
      yield until(
        "every message is accounted for",
        () => b.speaker.notes.length - 1 + dropped() >= tooMany,
        120_000,
      );
      yield until("the queue is short again", () => a.speaker.all(NetworkDrained).length > 0);
      yield pass(50);
      expect(b.speaker.notes.length - 1 + dropped()).to.equal(tooMany);
      expect(dropped(), "messages beyond the bound").to.be.above(0);
      for (const { reason } of a.speaker.all(Dropped)) expect(reason).to.equal("full");
      const [full] = a.speaker.all(NetworkFull);
      expect(full?.peer).to.deep.equal(b.self);
      const order = a.speaker.seen
        .filter((one) => one instanceof NetworkFull || one instanceof NetworkDrained)
        .map(({ constructor }) => constructor);
      expect(
        order.every((cls, i) => cls === (i % 2 === 0 ? NetworkFull : NetworkDrained)),
        "full and drained take turns",
      ).to.equal(true);
      expect(order.at(-1)).to.equal(NetworkDrained);
      // What arrived is in order, without a second copy.
      expect(b.speaker.notes.every((n, i, all) => i === 0 || n > (all[i - 1] ?? 0))).to.equal(true);
      a.do((speaker) =>
        speaker.deliver(1, new Note({ to: b.self, n: tooMany + 1 }), "acknowledged"),
      );
      yield until("it goes on", () => a.speaker.status(1) === "acknowledged");
    },
  ),
  two("a delivery beyond the bound fails at once", function* (a, b, { tooMany = 100_000 }) {
    yield* connect(a, b);
    a.do((speaker) => {
      speaker.send(...range(tooMany).map((n) => new Note({ to: b.self, n })));
      speaker.deliver(1, new Note({ to: b.self, n: -1 }), "acknowledged");
    });
    yield until("it is answered", () => a.speaker.status(1) !== "", 120_000);
    const [answer] = a.speaker.deliveries.get(1) ?? [];
    expect(answer instanceof Delivery && `${answer.status} ${answer.reason}`).to.equal(
      "failed full",
    );
    yield until(
      "the queue is empty",
      () => b.speaker.notes.length - 1 + a.speaker.all(Dropped).length >= tooMany,
      120_000,
    );
    expect(b.speaker.notes).to.not.include(-1);
  }),
  two(
    "a swap of the provider loses, doubles and reorders nothing",
    function* (a, b, { swapProvider }) {
      yield* connect(a, b);
      for (const n of range(400)) {
        a.do((speaker) => speaker.send(new Note({ to: b.self, n })));
        b.do((speaker) => speaker.send(new Note({ to: a.self, n })));
        if (n === 100) swapProvider?.(a.self, a.system);
        if (n === 200) swapProvider?.(b.self, b.system);
        if (n % 50 === 0) yield pass(1);
      }
      yield until("all arrive", () => [a, b].every(({ speaker }) => speaker.notes.at(-1) === 400));
      expect(a.speaker.notes).to.deep.equal(range(400));
      expect(b.speaker.notes).to.deep.equal(range(401, 0));
      expect(story(a) + story(b), "the connection is the same").to.equal("upup");
      expect([...a.speaker.all(Message), ...b.speaker.all(Message)]).to.have.length(801);
    },
    "swapProvider",
  ),
];
