/**
 * Hot swap: what is carried, what is held, and what a swap may be made of. The properties SW1 to SW7
 * are those of Arad, Dowling and Haridi (2012); `swap-everywhere.test.ts` tests SW6 at every event,
 * `swap-failures.test.ts` tests SW5.
 */

import { expect } from "chai";
import type { ChildHandle } from "./child.ts";
import { coreOf } from "./component.ts";
import {
  BusyOne,
  type Journal,
  Line,
  newJournal,
  Sink,
  WorkerOne,
  WorkerTwo,
} from "./fixtures/line.ts";
import {
  bare,
  type Channel,
  type Child,
  Component,
  event,
  type KithError,
  launch,
  type ManualScheduler,
  ManualWorld,
  port,
  type ReplyToken,
  request,
  restart,
  run,
  setting,
  SwapFailed,
  Swapped,
  type System,
} from "./index.ts";
import { resumeTree, suspendTree } from "./lifecycle.ts";
import { DrawStream, streamKey } from "./random.ts";

const worker = "/Line-1/worker";

function expectWhole(journal: Journal, source: string, count: number): void {
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  expect(journal.from(source)).deep.equal(numbers.map((n) => `${source} ${n} ${n}`));
  const receipts = journal.receipts.filter((receipt) => receipt.startsWith(`${source} `));
  expect(receipts).deep.equal(numbers.map((n) => `${source} ${n}`));
}

describe("swaps under load", () => {
  const sources = ["a", "b", "c", "d"];
  const classes: (new () => Component)[] = [WorkerTwo, WorkerOne, BusyOne, WorkerTwo];

  for (const seed of [1, 2, 3, 4, 5]) {
    it(`loses, doubles and reorders nothing from four sources in 100 swaps at random, seed ${seed}`, async () => {
      const journal = newJournal();
      const world = new ManualWorld();
      const dice = new DrawStream(streamKey(seed));
      const system = launch(Line, { sources, count: 500, busy: seed % 2 === 0 }, world);
      const swaps: Promise<unknown>[] = [];
      while (swaps.length < 100) {
        for (let steps = dice.below(90); steps > 0; steps--) world.step();
        const at = dice.below(4);
        if (at === 0) swaps.push(system.swap("/Line-1/sink", Sink));
        // WorkerOne takes no state of version 2, so that some swaps fail: they must not be seen either.
        else swaps.push(system.swap(worker, dice.pick(classes)));
      }
      world.settle();
      const results = await Promise.allSettled(swaps);
      expect(results.filter(({ status }) => status === "fulfilled").length).greaterThan(30);
      for (const source of sources) expectWhole(journal, source, 500);
      expect(system.deadLetters).deep.equal({});
    });
  }

  it("loses, doubles and reorders nothing on the real scheduler", async () => {
    const journal = newJournal();
    const system = await run(Line, { sources, count: 1_000_000, busy: true }, bare());
    const dice = new DrawStream(streamKey(7));
    const results: PromiseSettledResult<unknown>[] = [];
    for (let n = 0; n < 100; n++) {
      for (let turns = dice.below(4); turns > 0; turns--) await new Promise(setImmediate);
      const both = [system.swap(worker, dice.pick(classes)), system.swap("/Line-1/sink", Sink)];
      results.push(...(await Promise.allSettled(both)));
    }
    await system.stop();
    expect(results.filter(({ status }) => status === "fulfilled").length).greaterThan(120);
    for (const source of sources) {
      const taken = journal.from(source);
      expect(taken.length).greaterThan(10);
      expect(taken).deep.equal(taken.map((_, i) => `${source} ${i + 1} ${i + 1}`));
    }
  });
});

class Note extends event("swap/Note")<{ readonly from: string; readonly n: number }> {}
class Reply extends event("swap/Reply")<{ readonly by: string; readonly n: number }> {}
class Wish extends request("swap/Wish", Reply)<{ readonly n: number }> {}
const Notes = port("Notes", { requests: [Note, Wish] });

let log: string[] = [];

/** Sends notes and wishes when a test tells it to. */
class Sender extends Component {
  readonly notes = this.requires(Notes);
  private readonly wish = this.notes.onAnswer(Wish, (answer, { n }) => {
    log.push(`wish ${n}: ${answer instanceof Reply ? `${answer.n} by ${answer.by}` : "timeout"}`);
  });

  note(...numbers: number[]): void {
    for (const n of numbers) this.notes.trigger(new Note({ from: "sender", n }));
  }

  ask(n: number, timeoutMs?: number): void {
    this.wish(new Wish({ n }), timeoutMs === undefined ? {} : { timeout: timeoutMs });
  }
}

/** Takes notes under its class's name; answers the wishes of before at the next note. */
abstract class AnyTaker extends Component {
  readonly notes = this.provides(Notes);
  readonly state = this.declareState<{ seen: number; tokens: ReplyToken<Reply>[] }>({
    seen: 0,
    tokens: [],
  });

  constructor() {
    super();
    const { name } = new.target;
    this.notes.on(Note, ({ n }) => {
      log.push(`${name} ${n}`);
      this.state.seen++;
      for (const token of this.state.tokens) this.notes.reply(token, new Reply({ by: name, n }));
      this.state.tokens = [];
    });
    this.notes.on(Wish, (_, token) => void this.state.tokens.push(token));
  }
}

class TakerOne extends AnyTaker {}
class TakerTwo extends AnyTaker {}
class TakerThree extends AnyTaker {}

/** Exposes the port of a child. */
class ShopByChild extends Component {
  readonly clerk = this.create(TakerOne, {}, { name: "clerk" });
  readonly notes = this.exposes(this.clerk.ports.notes);

  importState(): void {
    // What a shop on its own has seen is of no use here.
  }
}

/** Provides the port itself, and has the child for something else. */
class ShopAlone extends AnyTaker {
  readonly clerk = this.create(TakerOne, {}, { name: "clerk" });
}

/** Exposes the port of a child with another name, on another level. */
class ShopByChain extends Component {
  readonly department = this.create(ShopByChild, {}, { name: "department" });
  readonly notes = this.exposes(this.department.ports.notes);

  importState(): void {
    // As above.
  }
}

/** A sender and a taker of the given class, and commands from outside. */
class Pair extends Component {
  readonly sender = this.create(Sender, {}, { name: "sender" });
  readonly taker: Child;
  readonly told: string[] = [];
  readonly channel: Channel;

  constructor({ of }: { of: string }) {
    super();
    const cls = takers[of] as typeof TakerOne;
    const taker = this.create(cls, {}, { name: "taker" });
    this.taker = taker;
    this.channel = this.connect(taker.ports.notes, this.sender.ports.notes) as unknown as Channel;
    this.control.on(Swapped, ({ name }) => void this.told.push(`swapped ${name}`));
    this.control.on(SwapFailed, ({ name }) => void this.told.push(`failed ${name}`));
  }

  do(action: (pair: this) => void): void {
    action(this);
  }

  stopTaker(): void {
    this.stop(this.taker);
  }

  startTaker(): void {
    this.start(this.taker);
  }

  swapTaker(cls: new () => Component): void {
    this.swap(this.taker, cls as never);
  }
}

const takers: Readonly<Record<string, new () => Component>> = {
  TakerOne,
  ShopByChild,
  ShopAlone,
  ShopByChain,
};

interface Scene {
  readonly world: ManualWorld;
  readonly system: System<Pair>;
  readonly pair: Pair;
  /** Runs something in the sender's turn; nothing else moves. */
  send(action: (sender: Sender) => void): void;
  /** Runs something in the turn of their parent. */
  rule(action: (pair: Pair) => void): void;
  swap(cls: new () => Component, place?: string): Promise<unknown>;
}

const taker = "/Pair-1/taker";

function scene(of: string): Scene {
  log = [];
  const world = new ManualWorld();
  const system = launch(Pair, { of }, world);
  world.settle();
  return {
    world,
    system,
    pair: system.instance,
    send(action) {
      const { sender } = system.instance;
      system.enter(() => action(instanceOf(sender)), sender);
      world.step();
    },
    rule(action) {
      system.enter(() => action(system.instance));
      world.step();
    },
    swap(cls, place = taker) {
      return system.swap(place, cls).catch((error: KithError) => error.code ?? error.message);
    },
  };
}

function instanceOf<C extends Component>(child: Child<C>): C {
  return (child as unknown as ChildHandle).core.instance as C;
}

describe("the place of a component", () => {
  it("keeps queue and order from the old one to the new one", () => {
    const { world, send, swap } = scene("TakerOne");
    send((sender) => sender.note(1, 2, 3));
    world.step();
    void swap(TakerTwo);
    send((sender) => sender.note(4));
    world.settle();
    // One more before the swap has its turn.
    expect(log).deep.equal(["TakerOne 1", "TakerOne 2", "TakerTwo 3", "TakerTwo 4"]);
  });

  for (const [first, second] of [
    ["ShopByChild", ShopAlone],
    ["ShopAlone", ShopByChild],
    ["ShopByChild", ShopByChain],
    ["ShopByChain", ShopByChild],
    ["ShopByChain", ShopAlone],
  ] as const) {
    it(`goes from ${first} to ${second.name} with queue and wires, and back`, async () => {
      const { world, send, swap, system } = scene(first);
      send((sender) => sender.note(1, 2));
      const there = system.swap(taker, second, {}, { discard: true });
      world.step();
      send((sender) => sender.note(3, 4));
      world.settle();
      send((sender) => sender.note(5, 6));
      const back = system.swap(taker, takers[first] as typeof TakerOne, {}, { discard: true });
      world.settle();
      await Promise.all([there, back]);
      expect(log.map((line) => Number(line.split(" ")[1]))).deep.equal([1, 2, 3, 4, 5, 6]);
      send((sender) => sender.note(7));
      world.settle();
      expect(log.at(-1)).equal(first === "ShopAlone" ? "ShopAlone 7" : "TakerOne 7");
      expect(system.deadLetters).deep.equal({});
      void swap;
    });
  }

  it("is found through an exposed port after a swap on either level", async () => {
    const { world, send, swap } = scene("ShopByChain");
    const places = [
      `${taker}/department/clerk`,
      `${taker}/department`,
      taker,
      `${taker}/department/clerk`,
    ];
    const classes = [TakerTwo, ShopByChild, ShopByChain, TakerThree];
    for (const [i, place] of places.entries()) {
      send((sender) => sender.note(2 * i));
      const swapped = swap(classes[i] as typeof TakerOne, place);
      world.step();
      send((sender) => sender.note(2 * i + 1));
      world.settle();
      expect(await swapped).property("carried");
    }
    expect(log.map((line) => line.split(" ")[1])).deep.equal([
      "0",
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
      "7",
    ]);
    expect(log.at(-1)).equal("TakerThree 7");
  });

  it("is swapped a second and a third time in the order of the requests", async () => {
    const { world, send, swap, pair, rule } = scene("TakerOne");
    const order: string[] = [];
    send((sender) => sender.note(1));
    // The first one drains.
    instanceOf(pair.taker as Child<AnyTaker>)["enter"](() => log.push("entered"));
    for (const cls of [TakerTwo, TakerThree, TakerOne])
      void swap(cls).then(() => order.push(cls.name));
    rule((main) => main.swapTaker(TakerTwo));
    send((sender) => sender.note(2));
    world.settle();
    await new Promise(setImmediate);
    expect(order).deep.equal(["TakerTwo", "TakerThree", "TakerOne"]);
    expect(log.map((line) => line.split(" ")[1])).deep.equal([undefined, "1", "2"]);
    expect(pair.told).deep.equal(new Array(4).fill("swapped taker"));
    expect(instanceOf(pair.taker as Child<AnyTaker>)).instanceOf(TakerTwo);
    expect(instanceOf(pair.taker as Child<AnyTaker>).state.seen).equal(2);
  });

  it("may be at both ends of one channel, swapped at once", async () => {
    const { world, send, swap } = scene("TakerOne");
    for (let n = 0; n < 10; n++) {
      send((sender) => sender.note(2 * n));
      const both = [swap(n % 2 === 0 ? TakerTwo : TakerOne), swap(Sender, "/Pair-1/sender")];
      send((sender) => sender.note(2 * n + 1));
      for (let steps = 0; steps < n; steps++) world.step();
      world.settle();
      for (const outcome of await Promise.all(both)) expect(outcome).property("carried");
    }
    expect(log.map((line) => Number(line.split(" ")[1]))).deep.equal(
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  it("may be stopped, not yet started, or suspended", async () => {
    const { world, send, swap, pair, rule, system } = scene("TakerOne");
    rule((main) => main.stopTaker());
    world.settle();
    send((sender) => sender.note(1, 2));
    const swapped = swap(TakerTwo);
    world.settle();
    expect(await swapped).property("carried", 2);
    expect(log).deep.equal([]);
    expect(system.tree()).include("taker (TakerTwo, stopped, 2 queued)");
    rule((main) => main.startTaker());
    world.settle();
    expect(log).deep.equal(["TakerTwo 1", "TakerTwo 2"]);

    const core = pair[coreOf];
    suspendTree(core);
    system.enter(() => undefined, pair.sender);
    const suspended = swap(TakerThree);
    world.settle();
    expect(await suspended).property("carried");
    expect(system.tree()).include("taker (TakerThree, suspended)");
    resumeTree(core);
    world.settle();
    send((sender) => sender.note(3));
    world.settle();
    expect(log.at(-1)).equal("TakerThree 3");

    log = [];
    const early = launch(Pair, { of: "TakerOne" }, new ManualWorld());
    const first = early.swap(taker, TakerTwo);
    (early.scheduler as ManualScheduler).settle();
    expect(await first).property("carried", 0);
    expect(early.tree()).include("taker (TakerTwo, started)");
  });

  it("may be that of the main component, by its path, and is refused where there is none", async () => {
    const { world, send, system } = scene("TakerOne");
    send((sender) => sender.note(1));
    const before = system.instance;
    const swapped = system.swap("/Pair-1", Pair, { of: "TakerOne" });
    world.settle();
    expect((await swapped).name).equal("Pair-1");
    expect(system.instance).not.equal(before);
    system.enter(() => instanceOf(system.instance.sender).note(2), system.instance.sender);
    world.settle();
    expect(log).deep.equal(["TakerOne 1", "TakerOne 2"]);
    expect(instanceOf(system.instance.taker as Child<AnyTaker>).state.seen).equal(2);
    const lost = system.swap("/Nobody", TakerOne).catch((error: KithError) => error.code);
    expect(await lost).equal("KITH_UNKNOWN_PATH");
    const root = system.swap("/", TakerOne).catch((error: KithError) => error.code);
    expect(await root).equal("KITH_UNKNOWN_PATH");
  });

  it("may be taken by a class that was loaded while the system ran", async () => {
    // The host's copy: a test runner that compiles to CommonJS has another one, which is refused.
    const core = await import("./index.ts");
    const line = await import("./fixtures/line.ts");
    const journal = line.newJournal();
    const world = new core.ManualWorld();
    const system = core.launch(line.Line, { sources: ["a"], count: 20 }, world);
    for (let n = 0; n < 25; n++) world.step();
    const { LoadedWorker } = await import("./fixtures/replacement.ts");
    const swapped = system.swap(worker, LoadedWorker);
    world.settle();
    expect(await swapped).property("name", "worker");
    expectWhole(journal, "a", 20);
    expect(journal.life).deep.equal([
      "acquire WorkerOne",
      "start WorkerOne",
      "release WorkerOne",
      "acquire LoadedWorker",
    ]);
  });

  it("keeps settings given at run time, and those given again while it drains", async () => {
    const { world, system, swap } = scene("TakerOne");
    const greeting = setting.text("swap.greeting", "none");
    class Greeter extends AnyTaker {
      greeting(): string {
        return this.setting(greeting);
      }

      drain(): void {
        this.enter(() => undefined);
      }
    }
    const now = (): Greeter => instanceOf(system.instance.taker as Child<Greeter>);
    void swap(Greeter);
    world.settle();
    expect(now().greeting()).equal("none");
    system.configure(greeting.of("hello"), taker);
    void swap(Greeter);
    world.settle();
    expect(now().greeting()).equal("hello");
    now().drain();
    const swapped = swap(Greeter);
    world.step();
    system.configure(greeting.of("bye"), taker);
    world.settle();
    expect(await swapped).property("carried");
    expect(now().greeting()).equal("bye");
  });

  it("leaves no trace of settings that a replacement configures and that never comes", async () => {
    const { world, system, swap } = scene("TakerOne");
    const greeting = setting.text("swap.greeting", "none");
    class Configures extends AnyTaker {
      constructor() {
        super();
        this.configure(greeting.of("leaked"));
        this.onAcquire(() => {
          throw new Error("acquire");
        });
      }
    }
    system.configure(greeting.of("hello"), taker);
    const failed = swap(Configures);
    world.settle();
    expect(await failed).equal("acquire");
    const { core } = system.instance.taker as unknown as ChildHandle;
    expect(core.setting(greeting)).equal("hello");
  });

  it("keeps the mailbox's bound", async () => {
    log = [];
    class Bounded extends Component {
      readonly sender = this.create(Sender, {}, { name: "sender" });
      readonly taker = this.create(TakerOne, {}, { name: "taker", mailboxBound: 3 });

      constructor() {
        super();
        this.connect(this.taker.ports.notes, this.sender.ports.notes);
        this.onFault(() => "resume");
      }
    }
    const world = new ManualWorld();
    const system = launch(Bounded, {}, world);
    world.settle();
    const { sender } = system.instance;
    const swapped = system.swap("/Bounded-1/taker", TakerTwo);
    world.settle();
    await swapped;
    system.enter(() => instanceOf(sender).note(1, 2, 3, 4, 5), sender);
    world.settle();
    expect(log).deep.equal(["TakerTwo 1", "TakerTwo 2", "TakerTwo 3"]);
    expect(system.deadLetters).deep.equal({ "mailbox-overflow": 2 });
  });

  it("runs callbacks that had entered at the old instance; later ones are dead letters", async () => {
    const { world, swap, pair, system } = scene("TakerOne");
    const old = instanceOf(pair.taker as Child<AnyTaker>);
    old["enter"](() => log.push("in time"));
    const swapped = swap(TakerTwo);
    old["enter"](() => log.push("also in time"));
    world.settle();
    await swapped;
    old["enter"](() => log.push("too late"));
    world.settle();
    expect(log).deep.equal(["in time", "also in time"]);
    expect(system.deadLetters).deep.equal({ "no-component": 1 });
  });

  it("gives outstanding asks an answer from the replacement, and their timeouts to the asker's", async () => {
    const { world, send, swap } = scene("TakerOne");
    send((sender) => {
      sender.ask(1, 50);
      sender.ask(2);
    });
    world.settle();
    const outcomes = [swap(TakerTwo), swap(Sender, "/Pair-1/sender")];
    world.settle();
    for (const outcome of await Promise.all(outcomes)) expect(outcome).property("carried");
    world.advance(49);
    expect(log).deep.equal([]);
    world.advance(1);
    expect(log).deep.equal(["wish 1: timeout"]);
    send((sender) => sender.note(7));
    world.settle();
    expect(log).deep.equal(["wish 1: timeout", "TakerTwo 7", "wish 2: 7 by TakerTwo"]);
  });

  it("sends what a replacement triggered while it took over after the commit, and not before", async () => {
    const { world, send, swap, system } = scene("TakerOne");
    class Eager extends Sender {
      constructor() {
        super();
        this.onAcquire(() => {
          this.note(100);
          this.ask(101, 5);
        });
      }
    }
    class EagerAndBroken extends Eager {
      constructor() {
        super();
        this.onAcquire(() => {
          throw new Error("no");
        });
      }
    }
    send((sender) => sender.note(1));
    const failed = swap(EagerAndBroken, "/Pair-1/sender");
    world.settle();
    expect(await failed).equal("no");
    expect(log).deep.equal(["TakerOne 1"]);
    send((sender) => sender.note(2));
    const swapped = swap(Eager, "/Pair-1/sender");
    world.advance(5);
    await swapped;
    expect(log).deep.equal(["TakerOne 1", "TakerOne 2", "TakerOne 100", "wish 101: timeout"]);
    expect(system.deadLetters).deep.equal({});
  });
});

describe("the code that is told the outcome of a swap", () => {
  it("stops neither the kernel nor the next swap by a throw", () => {
    class Place extends Component {}
    class Main extends Component {
      readonly place = this.create(Place);
    }
    const logged: string[] = [];
    const world = new ManualWorld({ log: ({ text }) => void logged.push(text) });
    const system = launch(Main, {}, world);
    world.settle();
    const outcomes: unknown[] = [];
    system.swapThen("/Main-1/Place-1", {}, () => {
      throw new Error("outside");
    });
    system.swapThen("/Main-1/Place-1", {}, (result) => void outcomes.push(result));
    world.settle();
    expect(outcomes).to.have.length(1);
    expect(outcomes[0]).to.be.instanceOf(Swapped);
    expect(logged).to.have.length(1);
  });
});

describe("what a place keeps of a swap", () => {
  class Job extends event("swap/Job")<{ n: number }> {}
  const Jobs = port("Jobs", { requests: [Job] });
  const seen: string[] = [];
  class Worker extends Component {
    readonly jobs = this.provides(Jobs);
    constructor(init: { name: string }) {
      super();
      this.jobs.on(Job, ({ n }) => {
        seen.push(`${init.name} ${n}`);
        if (n === 13) throw new Error("unlucky");
      });
    }
  }
  class Main extends Component {
    readonly jobs = this.requires(Jobs);
    readonly worker = this.create(
      Worker,
      { name: "first" },
      { name: "w", mailboxBound: 10, onFault: () => restart() },
    );
    constructor() {
      super();
      this.connect(this.worker.ports.jobs, this.jobs);
    }
    send(...numbers: number[]): void {
      for (const n of numbers) this.jobs.trigger(new Job({ n }));
    }
    replace(): void {
      this.swap(this.worker, Worker, { name: "second" });
    }
  }

  it("is the init, where only another class is asked for", () => {
    class Other extends Worker {}
    seen.length = 0;
    const world = new ManualWorld();
    const system = launch(Main, {}, world);
    world.settle();
    system.swapThen("/Main-1/w", { cls: Other }, () => undefined);
    world.settle();
    system.enter(() => system.instance.send(1));
    world.settle();
    expect(seen).to.deep.equal(["first 1"]);
  });

  it("is the init: a restart begins from that of the replacement", () => {
    seen.length = 0;
    const world = new ManualWorld();
    const system = launch(Main, {}, world);
    world.settle();
    system.enter(() => system.instance.replace());
    world.settle();
    system.enter(() => system.instance.send(13, 1));
    world.settle();
    expect(seen).to.deep.equal(["second 13", "second 1"]);
  });

  it("is the signal of load: who was told that a mailbox is full is told that it is empty", () => {
    const world = new ManualWorld();
    const system = launch(Main, {}, world);
    world.settle();
    const signals: string[] = [];
    system.events.on("highWater", () => void signals.push("high"));
    system.events.on("lowWater", () => void signals.push("low"));
    system.enter(() => {
      system.instance.replace();
      system.instance.send(1, 2, 3, 4, 5, 6, 7, 8, 9);
    });
    world.settle();
    expect(signals).to.deep.equal(["high", "low"]);
  });
});
