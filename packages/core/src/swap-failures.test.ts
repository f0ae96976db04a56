/**
 * Swaps that are given up: a failure at each step before the commit (SW5).
 *
 * Each case runs the line once without a swap and once with a swap that fails, and compares: what came
 * out, the state at the end, the tree, the number of components, the dead letters. What the old
 * component had released it acquires again; of the new one nothing is left.
 */

import { expect } from "chai";
import { coreOf } from "./component.ts";
import {
  AnyWorker,
  type Counts,
  Item,
  journalNow,
  Line,
  newJournal,
  Product,
  Sink,
  Source,
  Work,
} from "./fixtures/line.ts";
import {
  Component,
  event,
  KithError,
  launch,
  ManualWorld,
  type ManualWorldOptions,
  port,
  restart,
  ScheduleTimeout,
  type SwapOptions,
  Timer,
  timeout,
} from "./index.ts";
import { exportTree } from "./state.ts";

type WorkerClass = new () => Component;

/** An exception of user code, told apart from errors of the kernel. */
class Mishap extends Error {}

class Tick extends timeout("failures/Tick") {}

/** The worker that is to be replaced: it has a child with a state and a timer. */
class Old extends AnyWorker {
  readonly part = this.create(Part, {}, { name: "part" });
  protected readonly counts = this.declareState<Counts>({});
}

class Part extends Component {
  readonly timer = this.requires(Timer);
  readonly state = this.declareState({ ticks: 0 });

  constructor() {
    super();
    this.timer.on(Tick, () => void this.state.ticks++);
    this.onStart(() => this.timer.trigger(new ScheduleTimeout({ delay: 5, timeout: new Tick() })));
    this.onAcquire(() => void journalNow().life.push("acquire Part"));
    this.onRelease(() => void journalNow().life.push("release Part"));
  }
}

class Busy extends Old {
  protected override spins = 40;
}

class Untidy extends Old {
  exportState(): object {
    return { worker: this };
  }
}

class Silent extends Old {
  exportState(): object {
    throw new Mishap("export");
  }
}

/** Throws in the middle of a drain. */
class Faulty extends Old {
  protected override spins = 40;
  readonly #thrown = new Set<number>();

  constructor() {
    super();
    this.work.on(Item, ({ n }) => {
      if (n !== 9 || this.#thrown.has(n)) return;
      this.#thrown.add(n);
      this.enter(() => {
        throw new Mishap("drain");
      });
    });
  }
}

class New extends AnyWorker {
  readonly part = this.create(Part, {}, { name: "part" });
  protected counts: Counts = {};

  importState(state: Counts): void {
    this.counts = state;
  }
}

class ThrowsInConstructor extends New {
  constructor() {
    super();
    throw new Mishap("constructor");
  }
}

class ThrowsBelow extends New {
  readonly broken = this.create(
    class Broken extends Component {
      constructor() {
        super();
        throw new Mishap("child");
      }
    },
  );
}

class Counting extends Component {
  protected readonly counts = this.declareState<Counts>({});
}

class WithoutPort extends Counting {
  readonly work = this.provides(Work);
}

const OtherOut = port("OtherOut", { requests: [Product] });

class OtherPort extends Counting {
  readonly work = this.provides(Work);
  readonly out = this.requires(OtherOut);
}

class OtherSide extends Counting {
  readonly work = this.requires(Work);
  readonly out = this.requires(Timer);
}

class Versioned extends New {
  readonly stateVersion: number = 2;
}

class ThrowsInMigrate extends Versioned {
  migrate(): Counts {
    throw new Mishap("migrate");
  }
}

class ThrowsInImport extends New {
  override importState(state: Counts): void {
    // What it was given is its own: the old one must not notice.
    for (const name of Object.keys(state)) state[name] = 1000;
    this.out.trigger(new Product({ from: "the new one", n: 0, count: 0 }));
    throw new Mishap("import");
  }
}

/** Acquires something, sends something, and only then fails. */
class ThrowsInAcquire extends New {
  constructor() {
    super();
    this.onAcquire(() => {
      this.out.trigger(new Product({ from: "the new one", n: 0, count: 0 }));
      this.enter(() => this.out.trigger(new Product({ from: "entered", n: 0, count: 0 })));
      this.random("noise").float();
      throw new Mishap("acquire");
    });
  }
}

class Childless extends AnyWorker {
  protected readonly counts = this.declareState<Counts>({});
}

class Nothing extends event("failures/Nothing") {}
const Nowhere = port("Nowhere", { requests: [Nothing] });

class Unresolved extends New {
  readonly nowhere = this.requires(Nowhere);
}

class UnresolvedBelow extends New {
  readonly lost = this.create(
    class Lost extends Component {
      readonly nowhere = this.requires(Nowhere);
    },
  );
}

class Stateless extends AnyWorker {
  readonly part = this.create(Part, {}, { name: "part" });
  protected readonly counts: Counts = {};
}

class Renamed extends AnyWorker {
  readonly part = this.create(Part, {}, { name: "another" });
  protected readonly counts = this.declareState<Counts>({});
}

class Partial extends Component {
  readonly state = this.declareState({ ticks: 0 });
}

/** Has the child, but the child has no Timer, while one timer of it is armed. */
class TimelessPart extends AnyWorker {
  readonly part = this.create(Partial, {}, { name: "part" });
  protected readonly counts = this.declareState<Counts>({});
}

interface Case {
  readonly what: string;
  readonly old?: WorkerClass;
  readonly cls: unknown;
  readonly options?: SwapOptions;
  readonly world?: ManualWorldOptions;
  /** A code of the kernel, or the message of a mishap. */
  readonly fails: string;
  /** Whether the old one had released before it failed. */
  readonly released?: boolean;
}

const cases: readonly Case[] = [
  { what: "its constructor throws", cls: ThrowsInConstructor, fails: "constructor" },
  { what: "the constructor of a child throws", cls: ThrowsBelow, fails: "child" },
  { what: "it lacks a port", cls: WithoutPort, fails: "KITH_SWAP_PORT" },
  { what: "a port has another type", cls: OtherPort, fails: "KITH_SWAP_PORT" },
  { what: "a port has the other direction", cls: OtherSide, fails: "KITH_SWAP_PORT" },
  {
    what: "the drain never ends",
    old: Busy,
    cls: New,
    options: { drainRounds: 10 },
    fails: "KITH_SWAP_DRAIN",
  },
  {
    what: "a hold buffer is full",
    old: Busy,
    cls: New,
    world: { holdBound: 3 },
    fails: "KITH_HOLD_OVERFLOW",
  },
  { what: "the old one fails while it drains", old: Faulty, cls: New, fails: "KITH_SWAP_FAULTED" },
  { what: "the export throws", old: Silent, cls: New, fails: "export" },
  { what: "the export is not plain", old: Untidy, cls: New, fails: "KITH_NOT_PLAIN" },
  {
    what: "it has another version and no migrate",
    cls: Versioned,
    fails: "KITH_STATE_VERSION",
    released: true,
  },
  { what: "its migrate throws", cls: ThrowsInMigrate, fails: "migrate", released: true },
  { what: "its import throws", cls: ThrowsInImport, fails: "import", released: true },
  { what: "it takes no state", cls: Stateless, fails: "KITH_SWAP_NO_TRANSFER", released: true },
  {
    what: "it would lose the state of a child",
    cls: Childless,
    fails: "KITH_SWAP_CHILD_LOST",
    released: true,
  },
  {
    what: "it would lose a child under another name",
    cls: Renamed,
    fails: "KITH_SWAP_CHILD_LOST",
    released: true,
  },
  {
    what: "its child has no Timer for an armed timeout",
    cls: TimelessPart,
    fails: "KITH_SWAP_PORT",
    released: true,
  },
  {
    what: "a required port is unresolved",
    cls: Unresolved,
    fails: "KITH_PORT_UNRESOLVED",
    released: true,
  },
  {
    what: "a child's required port is unresolved",
    cls: UnresolvedBelow,
    fails: "KITH_PORT_UNRESOLVED",
    released: true,
  },
  { what: "acquiring throws", cls: ThrowsInAcquire, fails: "acquire", released: true },
  { what: "it is no component class", cls: class Stranger {}, fails: "KITH_NOT_CREATED" },
  { what: "it is no class at all", cls: undefined, fails: "KITH_NOT_CREATED" },
];

class Plant extends Component {
  readonly worker;
  readonly sink = this.create(Sink, {}, { name: "sink" });

  constructor({ busy }: { busy: number }) {
    super();
    this.worker = this.create(olds[busy] as typeof Old, {}, { name: "worker" });
    this.connect(this.sink.ports.out, this.worker.ports.out);
    for (const name of ["a", "b"]) {
      const source = this.create(Source, { name, count: 20 }, { name });
      this.connect(this.worker.ports.work, source.ports.work);
    }
    this.onFault(() => "resume");
  }
}

const olds: WorkerClass[] = [Old, Busy, Untidy, Silent, Faulty];

interface Result {
  readonly products: Record<string, string[]>;
  readonly receipts: string[];
  readonly state: unknown;
  readonly tree: string;
  readonly system: string;
  readonly letters: object;
  readonly life: string[];
  readonly error: unknown;
}

async function runCase(one: Case, swapAt: number | null): Promise<Result> {
  const journal = newJournal();
  const world = new ManualWorld(one.world);
  const system = launch(Plant, { busy: olds.indexOf(one.old ?? Old) }, world);
  for (let n = 0; n < 60 + (swapAt ?? 0); n++) world.step();
  let error: unknown;
  if (swapAt !== null) {
    const swap = system.swap("/Plant-1/worker", one.cls as typeof Old, {}, one.options);
    swap.catch((cause: unknown) => (error = cause));
  }
  world.advance(20);
  await Promise.resolve();
  await Promise.resolve();
  const unsafe = system.instance[coreOf];
  const state = one.old === Silent || one.old === Untidy ? null : exportTree(unsafe);
  const [a, b] = [journal.from("a"), journal.from("b")];
  expect(journal.products.length).equal(a.length + b.length);
  return {
    products: { a, b },
    receipts: [...journal.receipts].sort(),
    state,
    tree: system.tree(),
    system: system.toString(),
    letters: system.deadLetters,
    life: journal.life,
    error,
  };
}

describe("a swap that is given up", () => {
  for (const one of cases) {
    it(`leaves everything as it was when ${one.what}`, async () => {
      const { life: lifeBefore, error: none, ...before } = await runCase(one, null);
      expect(none).equal(undefined);
      let failed = 0;
      for (let at = 0; at < 60; at++) {
        const { life, error, ...after } = await runCase(one, at);
        // Some need a busy moment, which not every instant is.
        if (error === undefined && one.old !== undefined) continue;
        failed++;
        if (error instanceof KithError) expect(error.code).equal(one.fails);
        else expect(error).instanceOf(Mishap).property("message", one.fails);
        expect(after).deep.equal(before);
        const oldName = (one.old ?? Old).name;
        const again = ["acquire " + oldName, "acquire Part"];
        if (one.released !== true) {
          expect(life).deep.equal(lifeBefore);
        } else {
          const own = life.filter((line) => line.endsWith(oldName) || line.endsWith("Part"));
          const expected = [...lifeBefore, `release ${oldName}`, "release Part", ...again];
          const fresh = (one.cls as WorkerClass).name;
          expect(
            own.filter((line) => !line.endsWith(fresh)).slice(0, lifeBefore.length + 2),
          ).deep.equal(expected.slice(0, lifeBefore.length + 2));
          // In the end the old ones hold what they hold, and the new ones nothing.
          for (const name of [oldName, "Part", fresh]) {
            const held = count(life, `acquire ${name}`) - count(life, `release ${name}`);
            expect(held, name).equal(name === fresh ? 0 : 1);
          }
        }
      }
      expect(failed, "failures").greaterThan(0);
    });
  }
});

function count(list: readonly string[], line: string): number {
  return list.filter((one) => one === line).length;
}

describe("a swap whose target goes", () => {
  it("ends with an error when the target is killed, and passes on what it had sent", async () => {
    for (let at = 60; at < 80; at++) {
      const journal = newJournal();
      const world = new ManualWorld();
      class Doomed extends Plant {
        end(): void {
          this.kill(this.worker);
        }
      }
      const system = launch(Doomed, { busy: olds.indexOf(Busy) }, world);
      for (let n = 0; n < at; n++) world.step();
      const swap = system.swap("/Doomed-1/worker", New).then(
        () => "swapped",
        (error: KithError) => error.code,
      );
      world.step();
      world.step();
      system.enter(() => system.instance.end());
      world.settle();
      expect(await swap).oneOf(["swapped", "KITH_DESTROYED"]);
      // Each item was handled, or is a dead letter; each product was taken.
      const letters = Object.values(system.deadLetters).reduce((sum, n) => sum + n, 0);
      const receipts = journal.receipts.length;
      expect(journal.products.length).greaterThanOrEqual(receipts);
      expect(receipts + letters).greaterThanOrEqual(40);
      for (const name of ["a", "b"]) {
        const taken = journal.from(name);
        expect(taken).deep.equal(taken.map((_, i) => `${name} ${i + 1} ${i + 1}`));
      }
      expect(system.tree()).not.include("worker");
      const lines = journal.life;
      for (const name of ["Busy", "New"]) {
        expect(count(lines, `acquire ${name}`), name).equal(count(lines, `release ${name}`));
      }
    }
  });

  it("ends with an error when the target is restarted, which then goes on with its queue", async () => {
    newJournal();
    class Strict extends Plant {
      constructor(init: { busy: number }) {
        super(init);
        this.onFault(() => restart());
      }
    }
    const codes = new Set<string>();
    for (let at = 40; at < 110; at++) {
      const journal = newJournal();
      const world = new ManualWorld();
      const system = launch(Strict, { busy: olds.indexOf(Faulty) }, world);
      for (let n = 0; n < at; n++) world.step();
      system.swap("/Strict-1/worker", New).then(
        () => codes.add("swapped"),
        (error: KithError) => codes.add(error.code),
      );
      world.settle();
      await Promise.resolve();
      await Promise.resolve();
      for (const name of ["a", "b"]) {
        const numbers = journal.from(name).map((product) => Number(product.split(" ")[1]));
        expect(numbers, `${at}`).deep.equal(numbers.map((_, i) => i + 1));
        expect(numbers.length).equal(20);
      }
      expect(system.tree()).match(/worker \((New|Faulty), started\)/);
    }
    expect([...codes]).include.members(["KITH_SWAP_FAULTED"]);
  });

  it("refuses a class of another copy of the framework", async () => {
    const copy = `./component.ts${"?copy"}`;
    const other = (await import(copy)) as typeof import("./component.ts");
    expect(other.Component).not.equal(Component);
    class Foreign extends other.Component {}
    const world = new ManualWorld();
    const system = launch(Line, { sources: ["a"], count: 1 }, world);
    const swap = system.swap("/Line-1/worker", Foreign);
    const code = swap.catch((error: KithError) => error.code);
    world.settle();
    expect(await code).equal("KITH_NOT_CREATED");
  });
});
