import { expect } from "chai";
import {
  Component,
  type Fault,
  launch,
  type LogRecord,
  ManualWorld,
  RealScheduler,
  run as runSystem,
  setting,
  type World,
} from "./index.ts";
import { codeOf, errorCode, instanceAt, Note, Notes, prepare, start } from "./kit.test.ts";

class Quiet extends Component {}
class Bad extends Component {
  constructor() {
    super();
    this.onStart(() => {
      throw new Error("at start");
    });
  }
}
class Later extends Component {
  fail(): void {
    this.enter(() => {
      throw new Error("later");
    });
  }
}

/** A world that logs into an array, on a real scheduler that runs at once when it is told to. */
function loggedWorld(): World & { lines: LogRecord[]; drain(): void } {
  const lines: LogRecord[] = [];
  const slices: (() => void)[] = [];
  const scheduler = new RealScheduler(undefined, (slice) => slices.push(slice));
  const drain = (): void => {
    for (let slice = slices.shift(); slice !== undefined; slice = slices.shift()) slice();
  };
  return { scheduler, lines, drain, log: (record) => lines.push(record) };
}

/** What becomes an unhandled rejection while an action and all that follows runs. */
async function unhandledDuring(action: () => void | Promise<void>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const listener = (reason: unknown): void => void seen.push(reason);
  // Mocha listens too, and would end the run: only this listener may see what happens here.
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  process.on("unhandledRejection", listener);
  try {
    await action();
    // Node reports them after the microtasks of a turn of its loop.
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off("unhandledRejection", listener);
    for (const other of others) process.on("unhandledRejection", other);
  }
  return seen;
}

describe("run", () => {
  it("resolves to the system when all has started", async () => {
    const system = await runSystem(Quiet);
    expect(system.tree()).to.equal("└─ Quiet-1 (Quiet, started)");
    expect(system.instance).to.be.instanceOf(Quiet);
    await system.stop();
    await system.done;
    expect(system.tree()).to.equal("└─ Quiet-1 (Quiet, stopped)");
  });

  it("rejects at a fault in the start that nobody handled, logs nothing, and stops what had started", async () => {
    const released: string[] = [];
    class Open extends Component {
      readonly bad = this.create(Bad);
      constructor() {
        super();
        this.onAcquire(() => void released.push("acquired"));
        this.onRelease(() => void released.push("released"));
      }
    }
    const world = loggedWorld();
    const running = runSystem(Open, {}, world);
    world.drain();
    const error: unknown = await running.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(String(error)).to.equal("Error: at start");
    world.drain();
    expect(released).to.deep.equal(["acquired", "released"]);
    expect(world.lines).to.deep.equal([]);
  });

  it("rejects where a constructor throws", async () => {
    class Broken extends Component {
      constructor() {
        super();
        throw new Error("broken");
      }
    }
    const error: unknown = await runSystem(Broken).catch((reason: unknown) => reason);
    expect(String(error)).to.equal("Error: broken");
  });

  it("rejects where the system is stopped before it has started", async () => {
    const run = prepare(Quiet);
    const { started } = run.system;
    void run.system.stop();
    run.world.settle();
    expect(errorCode(await started.catch((reason: unknown) => reason))).to.equal(
      "KITH_SYSTEM_STOPPED",
    );
  });
});

describe("done", () => {
  it("settles at the stop", async () => {
    const run = start(Quiet);
    const { done } = run.system;
    let stops = 0;
    run.system.events.on("stopped", () => stops++);
    void run.system.stop();
    void run.system.stop();
    run.world.settle();
    await done;
    void run.system.stop();
    run.world.settle();
    expect(stops).to.equal(1);
    expect(run.system.done).to.equal(done);
  });

  it("rejects with the cause of a fault that nobody handled, which is emitted and not logged", async () => {
    const lines: LogRecord[] = [];
    const run = start(Later, undefined, { log: (line) => lines.push(line) });
    const { done } = run.system;
    run.system.instance.fail();
    run.world.settle();
    expect(String(await done.catch((error: unknown) => error))).to.equal("Error: later");
    expect(run.faults).to.have.length(1);
    expect(lines).to.deep.equal([]);
  });

  it("that nobody reads makes a line in the log and an event, and no unhandled rejection", async () => {
    const lines: LogRecord[] = [];
    const faults: Fault[] = [];
    const unhandled = await unhandledDuring(() => {
      const run = prepare(Later, undefined, { log: (line) => lines.push(line), node: "n1" });
      run.system.events.on("fault", (fault) => faults.push(fault));
      run.world.settle();
      run.system.instance.fail();
      run.world.settle();
    });
    expect(unhandled).to.deep.equal([]);
    expect(faults.map(({ cause }) => String(cause))).to.deep.equal(["Error: later"]);
    expect(
      lines.map(
        ({ level, node, path, text, data }) => `${level} ${node} ${path} ${text} ${String(data)}`,
      ),
    ).to.deep.equal(["error n1 /Later-1 fault Error: later"]);
  });

  it("that nobody reads is logged also after run, whose promise is settled", async () => {
    const world = loggedWorld();
    const unhandled = await unhandledDuring(async () => {
      const running = runSystem(Later, {}, world);
      world.drain();
      const system = await running;
      system.instance.fail();
      world.drain();
    });
    expect(unhandled).to.deep.equal([]);
    expect(world.lines.map(({ text, data }) => `${text} ${String(data)}`)).to.deep.equal([
      "fault Error: later",
    ]);
  });

  it("that is read later tells what has happened", async () => {
    const failed = start(Bad);
    expect(String(await failed.system.done.catch((error: unknown) => error))).to.equal(
      "Error: at start",
    );
    const stopped = start(Quiet);
    void stopped.system.stop();
    stopped.world.settle();
    await stopped.system.done;
  });

  it("has one outcome: faults after it are logged", async () => {
    const lines: LogRecord[] = [];
    class Two extends Component {
      readonly a = this.create(Later);
      readonly b = this.create(Later);
    }
    const run = start(Two, undefined, { log: (line) => lines.push(line) });
    const { done } = run.system;
    const failed = done.catch(String);
    for (const path of ["/Two-1/Later-1", "/Two-1/Later-2"])
      instanceAt<Later>(run.system, path).fail();
    run.world.settle();
    expect(await failed).to.equal("Error: later");
    expect(run.faults.length - 1).to.equal(lines.length);
  });

  it("of a system that has failed still lets it stop, which is awaited to the end", async () => {
    const order: string[] = [];
    class Holder extends Component {
      readonly bad = this.create(Later);
      constructor() {
        super();
        this.onRelease(() => void order.push("released"));
        this.onAcquire(() => true);
      }
    }
    const run = start(Holder);
    instanceAt<Later>(run.system, "/Holder-1/Later-1").fail();
    run.world.settle();
    const stopping = run.system.stop().then(() => order.push("stop resolved"));
    run.world.settle();
    await stopping;
    expect(order).to.deep.equal(["released", "stop resolved"]);
  });
});

describe("a system", () => {
  it("survives listeners and sinks of outside code that throw", () => {
    const lines: string[] = [];
    const bad = (): never => {
      throw new Error("listener");
    };
    const run = prepare(Later, undefined, { log: ({ text }) => lines.push(text) });
    run.system.events.on("fault", bad);
    run.system.events.on("stopped", bad);
    run.system.inspect(bad);
    run.world.settle();
    expect(run.faults).to.deep.equal([]);
    run.system.instance.fail();
    run.world.settle();
    void run.system.stop();
    run.world.settle();
    expect(run.system.tree()).to.match(/Later-1 \(Later, stopped\)/);
    expect(lines).to.deep.equal([
      "a listener to the inspection stream has thrown, and gets no more records",
      "fault",
      "a listener to fault has thrown",
      "a listener to stopped has thrown",
    ]);
  });

  it("shares nothing with another one, also of the same classes", () => {
    const level = setting.integer("test.level", 1);
    class Counter extends Component {
      readonly into = this.provides(Notes);
      readonly out = this.requires(Notes);
      sum = 0;
      constructor() {
        super();
        this.connect(this.into, this.out);
        this.into.on(Note, ({ n }) => void (this.sum += n * this.setting(level)));
      }
      draw(): number {
        return this.random("x").float();
      }
      set(value: number): void {
        this.configure(level.of(value));
      }
    }
    const a = start(Counter, undefined, { node: "a", seed: 1 });
    const b = start(Counter, undefined, { node: "b", seed: 1 });
    const quiet = start(Counter, undefined, { node: "c", seed: 1 });
    const records: string[] = [];
    a.system.inspect(({ node, kind }) => records.push(`${node} ${kind}`));
    a.do((main) => main.set(10));
    b.do((main) => main.out.trigger(new Note({ n: 2 })));
    a.do((main) => main.out.trigger(new Note({ n: 1 })));
    expect([a, b, quiet].map(({ system }) => system.instance.sum)).to.deep.equal([10, 2, 0]);
    expect(new Set(records.map((line) => line.split(" ")[0]))).to.deep.equal(new Set(["a"]));
    expect(b.system.instance.draw()).not.to.equal(a.system.instance.draw());
    // One's turn is no turn of the other's components.
    let code = "";
    a.do(() => (code = codeOf(() => b.system.instance.out.trigger(new Note({ n: 1 })))));
    expect(code).to.equal("KITH_OUTSIDE_TURN");
    void a.system.stop();
    a.world.settle();
    expect(b.system.tree()).to.match(/Counter-1 \(Counter, started\)/);
  });

  it("draws its tree, with ports, states and queues", () => {
    class Leaf extends Component {
      readonly notes = this.provides(Notes);
      constructor() {
        super();
        this.notes.on(Note, () => true);
      }
    }
    class Box extends Component {
      readonly leaf = this.create(Leaf, {}, { name: "leaf" });
      readonly door = this.exposes(this.leaf.ports.notes);
    }
    class Main extends Component {
      readonly box = this.create(Box);
      readonly other = this.create(Leaf);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.box.ports.door, this.out);
      }
      pause(): void {
        this.stop(this.box);
        for (const n of [1, 2]) this.out.trigger(new Note({ n }));
      }
    }
    const run = start(Main, undefined, { timer: false });
    expect(run.system.tree().split("\n")).to.deep.equal([
      "└─ Main-1 (Main, started)  -out:Notes",
      "   ├─ Box-1 (Box, started)  +door:Notes*",
      "   │  └─ leaf (Leaf, started)  +notes:Notes",
      "   └─ Leaf-1 (Leaf, started)  +notes:Notes",
    ]);
    run.do((main) => main.pause());
    expect(run.system.tree()).to.match(/leaf \(Leaf, stopped(, 2 queued)?\)/);
  });

  it("prints in one line", () => {
    expect(String(start(Quiet).system)).to.equal("System of Quiet-1, 2 components");
    expect(String(start(Quiet, undefined, { node: "n7", timer: false }).system)).to.equal(
      "System n7 of Quiet-1, 1 components",
    );
  });

  it("may be launched in a world that is driven by hand, and does nothing by itself", () => {
    const world = new ManualWorld();
    const system = launch(Quiet, {}, world);
    expect(system.tree()).to.contain("Quiet-1 (Quiet, created)");
    expect(world.settle()).to.be.greaterThan(0);
    expect(system.tree()).to.contain("Quiet-1 (Quiet, started)");
    expect(world.settle()).to.equal(0);
  });
});
