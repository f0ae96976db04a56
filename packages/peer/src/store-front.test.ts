/** The door to the store: what is asked before there is one, what was asked of one that is gone, and that nothing is left out. */

import { Component, launch, ManualWorld, type ReplyToken, type System } from "@kith/core";
import {
  Get,
  Got,
  Put,
  Read,
  Store,
  type StoreAnswer,
  Unwatch,
  Watch,
  WatchRefused,
  Written,
} from "@kith/store";
import { expect } from "chai";
import { Front, OpenFront, StoreFront } from "./store-front.ts";

/** A store that answers when it is told to. */
class Inner extends Component {
  readonly store = this.provides(Store);
  readonly asked: {
    readonly what: string;
    readonly within: number;
    readonly token: ReplyToken<StoreAnswer>;
  }[] = [];
  readonly watched: string[] = [];
  constructor() {
    super();
    this.store.on(Get, (ask, token) => this.#note("get", ask.within, token));
    this.store.on(Put, (ask, token) => this.#note("put", ask.within, token));
    this.store.on(Read, (ask) => void this.reads.push(ask));
    this.store.on(Watch, ({ watch }) => void this.watched.push(watch));
  }
  readonly reads: Read[] = [];
  #note(what: string, within: number | undefined, token: ReplyToken<StoreAnswer>): void {
    this.asked.push({ what, within: within ?? 0, token });
  }
  answer(at: number): void {
    const one = this.asked[at];
    if (one === undefined) throw new Error("not asked");
    const entry = { key: "k", value: null, version: 0, expiresIn: null };
    this.store.reply(
      one.token,
      one.what === "get" ? new Got({ entry }) : new Written({ version: 1 }),
    );
  }
}

class Main extends Component {
  readonly store = this.requires(Store);
  readonly front = this.requires(Front);
  readonly door = this.create(StoreFront);
  readonly inner = this.create(Inner, {}, { name: "inner" });
  readonly answers: string[] = [];
  readonly refused: string[] = [];
  readonly get = this.store.onAnswer(Get, (answer) => void this.answers.push(nameOf(answer)));
  readonly put = this.store.onAnswer(Put, (answer) => void this.answers.push(nameOf(answer)));
  readonly read = this.store.onAnswer(Read, (answer) => void this.answers.push(nameOf(answer)));
  constructor() {
    super();
    const front = this.door;
    this.connect(front.ports.store, this.store);
    this.store.on(WatchRefused, ({ watch }) => void this.refused.push(watch));
    this.connect(front.ports.front, this.front);
    this.connect(this.inner.ports.store, front.ports.inner);
  }
  open(): void {
    this.front.trigger(new OpenFront());
  }
  watch(name: string): void {
    this.store.trigger(new Watch({ watch: name, what: { key: "k" } }));
  }
}

function nameOf(answer: object): string {
  return "reason" in answer
    ? `${answer.constructor.name} ${String(answer.reason)}`
    : answer.constructor.name;
}

const value = new Uint8Array();

describe("the door of a peer to the store", () => {
  let world: ManualWorld;
  let system: System<Main>;
  let main: Main;
  let inner: Inner;
  const turn = (action: () => void): void => {
    system.enter(action);
    world.settle();
  };

  beforeEach(() => {
    world = new ManualWorld();
    system = launch(Main, {}, world);
    main = system.instance;
    inner = (main.inner as unknown as { core: { instance: Inner } }).core.instance;
    world.settle();
  });

  it("keeps what is asked, and hands it on with the time that is left", () => {
    turn(() => main.get(new Get({ key: "k", within: 5000 })));
    world.advance(2000);
    expect(inner.asked).deep.equal([]);
    turn(() => main.open());
    expect(inner.asked.map(({ what, within }) => [what, within])).deep.equal([["get", 3000]]);
    turn(() => main.put(new Put({ key: "k", value, within: 700 })));
    expect(inner.asked[1]?.within).equal(700);
  });

  it("hands on all that was said of a request that has waited", () => {
    turn(() => main.read(new Read({ keys: ["k", "l"], apart: true, attempt: 3, within: 5000 })));
    world.advance(2000);
    turn(() => main.open());
    expect(inner.reads).deep.equal([
      new Read({ keys: ["k", "l"], apart: true, attempt: 3, within: 3000 }),
    ]);
  });

  it("says of what was not handed on in time that it is not done, and never hands it on", () => {
    turn(() => main.put(new Put({ key: "k", value, within: 1000 })));
    world.advance(1600);
    expect(main.answers).deep.equal(["NotDone timeout"]);
    turn(() => main.open());
    expect(inner.asked).deep.equal([]);
  });

  it("says of what was lost with the store whether it may have been done", () => {
    turn(() => main.open());
    turn(() => main.get(new Get({ key: "k" })));
    turn(() => main.put(new Put({ key: "k", value })));
    turn(() => main.open());
    expect(main.answers).deep.equal(["NotDone stopped", "Ambiguous"]);
    // What the one that is gone says now comes too late for everybody.
    system.enter(() => undefined);
    expect(main.answers).length(2);
  });

  it("ends what never is answered", () => {
    turn(() => main.open());
    turn(() => main.put(new Put({ key: "k", value, within: 1000 })));
    world.advance(12_000);
    expect(main.answers).deep.equal([]);
    world.advance(2000);
    expect(main.answers).deep.equal(["Ambiguous"]);
  });

  it("is busy beyond its bound", () => {
    turn(() => {
      for (let i = 0; i < 4097; i++) main.get(new Get({ key: "k" }));
    });
    expect(main.answers).deep.equal(["Busy"]);
  });

  it("keeps watches going", () => {
    turn(() => main.watch("one"));
    turn(() => main.open());
    turn(() => main.watch("two"));
    turn(() => main.open());
    expect(inner.watched).deep.equal(["one", "two", "one", "two"]);
  });

  it("refuses watches beyond its bound, and takes others when one has ended", () => {
    turn(() => main.open());
    turn(() => {
      for (let i = 0; i < 4098; i++) main.watch(`w${i}`);
      main.watch("w0");
    });
    expect(main.refused).deep.equal(["w4096", "w4097"]);
    turn(() => main.store.trigger(new Unwatch({ watch: "w1" })));
    turn(() => main.watch("w4096"));
    expect(main.refused).length(2);
    expect(inner.watched).length(4098).include("w4096");
  });

  it("leaves no request of the port out", () => {
    const { instance } = (main.door as unknown as { core: { instance: StoreFront } }).core;
    const { store } = instance as unknown as { store: { wants: (cls: unknown) => boolean } };
    expect(Store.requests.filter((cls) => !store.wants(cls)).map(({ name }) => name)).deep.equal(
      [],
    );
  });
});
