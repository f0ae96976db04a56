import { expect } from "chai";
import {
  ChildKilled,
  ChildStarted,
  ChildStopped,
  Component,
  setting,
  SettingChanged,
} from "./index.ts";
import { instanceAt, Note, Notes, prepare, start } from "./kit.test.ts";

let log: string[] = [];
beforeEach(() => void (log = []));

/** Notes everything that happens to it. */
abstract class Watched extends Component {
  constructor() {
    super();
    const say = (what: string) => (): void => void log.push(`${this.constructor.name} ${what}`);
    this.onAcquire(say("acquires"));
    this.onStart(say("starts"));
    this.onStop(say("stops"));
    this.onRelease(say("releases"));
    this.control.on(
      ChildStarted,
      ({ name }) => void log.push(`${this.constructor.name} sees ${name} started`),
    );
    this.control.on(
      ChildStopped,
      ({ name }) => void log.push(`${this.constructor.name} sees ${name} stopped`),
    );
    this.control.on(
      ChildKilled,
      ({ name }) => void log.push(`${this.constructor.name} sees ${name} killed`),
    );
  }
}
class Leaf extends Watched {
  readonly notes = this.provides(Notes);
  constructor() {
    super();
    this.notes.on(Note, ({ n }) => void log.push(`Leaf handles ${n}`));
  }
}
class Middle extends Watched {
  readonly leaf = this.create(Leaf);
  readonly notes = this.exposes(this.leaf.ports.notes);
}
class Top extends Watched {
  readonly middle = this.create(Middle);
  readonly out = this.requires(Notes);
  constructor() {
    super();
    this.connect(this.middle.ports.notes, this.out);
  }
  send(n: number): void {
    this.out.trigger(new Note({ n }));
  }
  begin(): void {
    this.start(this.middle);
  }
  halt(): void {
    this.stop(this.middle);
  }
  remove(): void {
    this.kill(this.middle);
  }
  add(): void {
    this.create(Middle);
  }
}
const only = (...words: string[]): string[] =>
  log.filter((line) => words.some((word) => line.includes(word)));

describe("a start", () => {
  it("runs onStart from the top, and comes up from the bottom", () => {
    start(Top);
    expect(only(" starts", " sees")).to.deep.equal([
      "Top starts",
      "Middle starts",
      "Leaf starts",
      "Middle sees Leaf-1 started",
      "Top sees Middle-1 started",
    ]);
  });

  it("acquires right before onStart", () => {
    start(Leaf);
    expect(log).to.deep.equal(["Leaf acquires", "Leaf starts"]);
  });

  it("resolves the system when all have started, and not before", () => {
    const run = prepare(Top);
    const states: string[] = [];
    run.system.inspect(({ kind, path }) => kind === "started" && states.push(path));
    run.world.settle();
    expect(states).to.deep.equal([
      "/Timer",
      "/Top-1/Middle-1/Leaf-1",
      "/Top-1/Middle-1",
      "/Top-1",
      "",
    ]);
  });

  it("of a component comes before its first event, however early that was sent", () => {
    class Early extends Top {
      constructor() {
        super();
        this.onStart(() => this.send(1));
      }
    }
    start(Early);
    expect(only("Leaf starts", "handles")).to.deep.equal(["Leaf starts", "Leaf handles 1"]);
  });

  it("lets a component handle data as soon as its own onStart has run", () => {
    class Busy extends Component {
      readonly into = this.provides(Notes);
      readonly out = this.requires(Notes);
      readonly slow = this.create(Slow);
      constructor() {
        super();
        this.connect(this.into, this.out);
        this.into.on(Note, ({ n }) => void log.push(`handles ${n}`));
        this.onStart(() => {
          log.push("starts");
          this.out.trigger(new Note({ n: 1 }));
        });
        this.control.on(ChildStarted, () => void log.push("all up"));
      }
    }
    class Slow extends Component {
      readonly deeper = this.create(Slower);
    }
    class Slower extends Component {}
    start(Busy);
    expect(log).to.deep.equal(["starts", "handles 1", "all up"]);
  });

  it("that comes twice is harmless", () => {
    const run = start(Top);
    log = [];
    run.do((main) => {
      main.begin();
      main.begin();
    });
    expect(log).to.deep.equal([]);
  });

  it("of a child before its parent's waits for the parent's", () => {
    class Eager extends Top {
      constructor() {
        super();
        this.start(this.middle);
      }
    }
    start(Eager);
    expect(only(" starts")).to.deep.equal(["Eager starts", "Middle starts", "Leaf starts"]);
  });

  it("comes at once for a child that is created in a started parent", () => {
    const run = start(Top);
    log = [];
    run.do((main) => main.add());
    expect(only(" starts", "sees")).to.deep.equal([
      "Middle starts",
      "Leaf starts",
      "Middle sees Leaf-1 started",
      "Top sees Middle-2 started",
    ]);
  });

  it("and is waited for, where a starting parent creates it", () => {
    class Creator extends Top {
      constructor() {
        super();
        this.onStart(() => this.add());
      }
    }
    const run = prepare(Creator);
    const started: string[] = [];
    run.system.inspect(({ kind, path }) => kind === "started" && started.push(path));
    run.world.settle();
    expect(started.slice(-3)).to.have.members(["/Creator-1/Middle-2", "/Creator-1", ""]);
    expect(started.at(-2)).to.equal("/Creator-1");
  });
});

describe("a stop", () => {
  it("runs onStop from the top, and tears down from the bottom", () => {
    const run = start(Top);
    log = [];
    void run.system.stop();
    run.world.settle();
    expect(log).to.deep.equal([
      "Top stops",
      "Middle stops",
      "Leaf stops",
      "Leaf releases",
      "Middle sees Leaf-1 stopped",
      "Middle releases",
      "Top sees Middle-1 stopped",
      "Top releases",
    ]);
  });

  it("queues data until the next start", () => {
    const run = start(Top);
    run.do((main) => main.halt());
    run.do((main) => main.send(1));
    run.do((main) => main.send(2));
    expect(only("handles")).to.deep.equal([]);
    run.do((main) => main.begin());
    expect(only("handles")).to.deep.equal(["Leaf handles 1", "Leaf handles 2"]);
    expect(run.letters).to.deep.equal([]);
  });

  it("that comes twice is harmless", () => {
    const run = start(Top);
    log = [];
    run.do((main) => {
      main.halt();
      main.halt();
    });
    run.do((main) => main.halt());
    expect(only(" stops")).to.deep.equal(["Middle stops", "Leaf stops"]);
    expect(only("sees Middle-1")).to.deep.equal(["Top sees Middle-1 stopped"]);
  });

  it("may be followed by a start, which runs everything again", () => {
    const run = start(Top);
    run.do((main) => main.halt());
    log = [];
    run.do((main) => main.begin());
    expect(log).to.deep.equal([
      "Middle acquires",
      "Middle starts",
      "Leaf acquires",
      "Leaf starts",
      "Middle sees Leaf-1 started",
      "Top sees Middle-1 started",
    ]);
  });

  it("and a start in one breath end in a started component", () => {
    const run = start(Top);
    log = [];
    run.do((main) => {
      main.halt();
      main.begin();
    });
    expect(only("sees Middle-1")).to.deep.equal([
      "Top sees Middle-1 stopped",
      "Top sees Middle-1 started",
    ]);
    expect(only("Leaf s")).to.deep.equal(["Leaf stops", "Leaf starts"]);
  });

  it("while it starts ends in a stopped component, and the parent's start ends too", () => {
    class Hasty extends Top {
      constructor() {
        super();
        this.onStart(() => this.halt());
      }
    }
    const run = start(Hasty);
    expect(run.system.tree())
      .to.match(/Hasty-1 \(Hasty, started\)/)
      .and.match(/Middle-1 \(Middle, st(opped|arted)\)/);
    log = [];
    let again = prepare(Top);
    while (!log.includes("Middle starts")) again.world.step();
    log = [];
    void again.system.stop();
    again.world.settle();
    expect(again.system.tree())
      .to.match(/Top-1 \(Top, stopped\)/)
      .and.match(/Leaf-1 \(Leaf, stopped\)/);
    const order = only(" releases");
    expect(order.at(-1)).to.equal("Top releases");
    again = prepare(Top);
    void again.system.stop();
    again.world.settle();
    expect(again.system.tree()).to.match(/Top-1 \(Top, stopped\)/);
  });

  it("at every step of a start ends with everything released", () => {
    for (let steps = 0; steps < 20; steps++) {
      log = [];
      const run = prepare(Top);
      for (let i = 0; i < steps; i++) run.world.step();
      void run.system.stop();
      run.world.settle();
      const count = (what: string): number => only(what).length;
      expect(count(" acquires"), `after ${steps} steps`).to.equal(count(" releases"));
      expect(count(" starts"), `after ${steps} steps`).to.equal(count(" stops"));
      expect(run.system.tree(), `after ${steps} steps`).not.to.match(/start|stopping/);
    }
  });

  it("keeps what the world provides until the main component has stopped", () => {
    const run = start(Top);
    const stopped: string[] = [];
    run.system.inspect(({ kind, path }) => kind === "stopped" && stopped.push(path));
    void run.system.stop();
    run.world.settle();
    expect(stopped).to.deep.equal([
      "/Top-1/Middle-1/Leaf-1",
      "/Top-1/Middle-1",
      "/Top-1",
      "/Timer",
      "",
    ]);
  });

  it("is not undone by a parent that restarts or replaces what stops below it", () => {
    class Supervisor extends Top {
      constructor() {
        super();
        this.control.on(ChildStopped, () => {
          this.begin();
          this.add();
        });
        this.onStop(() => this.add());
      }
    }
    const run = start(Supervisor);
    void run.system.stop();
    run.world.settle();
    expect(run.system.tree()).not.to.match(/, start/);
  });

  it("lets the stop handler use what is still there", () => {
    class Polite extends Top {
      constructor() {
        super();
        this.onStop(() => this.send(7));
      }
    }
    const run = start(Polite);
    void run.system.stop();
    run.world.settle();
    expect(only("Polite stops")).to.have.length(1);
    expect(run.faults).to.deep.equal([]);
  });

  it("goes on where a handler of it throws, and reports that", () => {
    class Bad extends Top {
      constructor() {
        super();
        this.onStop(() => {
          throw new Error("in stop");
        });
        this.onStop(() => void log.push("second handler"));
        this.onRelease(() => {
          throw new Error("in release");
        });
      }
    }
    const run = start(Bad);
    void run.system.stop();
    run.world.settle();
    expect(run.faults.map(({ path, cause }) => `${path} ${String(cause)}`)).to.deep.equal([
      "/Bad-1 Error: in stop",
      "/Bad-1 Error: in release",
    ]);
    expect(only("second handler", "Leaf releases")).to.have.length(2);
    expect(run.system.tree()).to.match(/Bad-1 \(Bad, stopped\)/);
  });
});

describe("a kill", () => {
  it("stops, and then removes from the bottom", () => {
    const run = start(Top);
    log = [];
    run.do((main) => main.remove());
    expect(log).to.deep.equal([
      "Middle stops",
      "Leaf stops",
      "Leaf releases",
      "Middle sees Leaf-1 stopped",
      "Middle releases",
      "Top sees Middle-1 stopped",
      "Top sees Middle-1 killed",
    ]);
    expect(run.system.tree()).not.to.contain("Middle");
  });

  it("makes dead letters of what was queued", () => {
    const run = start(Top);
    run.do((main) => main.halt());
    run.do((main) => [1, 2, 3].forEach((n) => main.send(n)));
    run.do((main) => main.remove());
    expect(
      run.letters.map(
        ({ reason, path, port, event }) => `${reason} ${path} ${port} ${(event as Note).n}`,
      ),
    ).to.deep.equal([1, 2, 3].map((n) => `killed /Top-1/Middle-1/Leaf-1 notes ${n}`));
    run.do((main) => main.send(4));
    expect(run.letters.at(-1)).to.include({ reason: "no-channel", path: "/Top-1", port: "out" });
    expect(run.system.deadLetters).to.deep.equal({ killed: 3, "no-channel": 1 });
  });

  it("of what has not started, or is stopping, or gone, is harmless", () => {
    class Early extends Watched {
      constructor() {
        super();
        this.kill(this.create(Middle));
      }
    }
    const early = start(Early);
    expect(early.system.tree())
      .to.match(/Early-1 \(Early, started\)/)
      .and.not.contain("Middle");
    expect(only(" starts")).to.deep.equal(["Early starts"]);
    const run = start(Top);
    run.do((main) => {
      main.halt();
      main.remove();
      main.remove();
    });
    run.do((main) => {
      main.remove();
      main.begin();
      main.halt();
    });
    expect(run.system.tree()).not.to.contain("Middle");
    expect(run.faults).to.deep.equal([]);
  });

  it("leaves no channel with its owner", () => {
    const run = start(Top);
    const channels = (): number =>
      (run.system.main as unknown as { core: { channels: Set<unknown> } }).core.channels.size;
    expect(channels()).to.equal(1);
    run.do((main) => main.remove());
    expect(channels()).to.equal(0);
  });
});

describe("control", () => {
  it("overtakes data, also within a turn", () => {
    class Busy extends Component {
      readonly into = this.provides(Notes);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.into, this.out);
        this.into.on(Note, ({ n }) => {
          log.push(`note ${n}`);
          if (n === 1) this.create(Leaf);
        });
        this.control.on(ChildStarted, ({ name }) => void log.push(`${name} started`));
      }
    }
    const run = start(Busy);
    run.do(({ out }) => [1, 2, 3, 4].forEach((n) => out.trigger(new Note({ n }))));
    const at = (line: string): number => log.indexOf(line);
    expect(at("Leaf-1 started")).to.be.lessThan(at("note 4"));
  });

  it("reaches a component that is suspended or stopped", () => {
    const run = start(Top);
    run.do((main) => main.halt());
    log = [];
    run.do((main) => main.remove());
    expect(only("sees Middle-1 killed")).to.have.length(1);
    expect(instanceAt<Top>(run.system, "/Top-1")).to.equal(run.system.instance);
  });
});

describe("combinations of commands", () => {
  class Outer extends Watched {
    readonly middle = this.create(Middle);
  }
  class Root extends Watched {
    readonly outer = this.create(Outer);
    halt(): void {
      this.stop(this.outer);
    }
    remove(): void {
      this.kill(this.outer);
    }
  }
  /** Steps a new system so often, and then does something in its main component. */
  function after(steps: number, action: (main: Root) => void) {
    const run = prepare(Root);
    for (let n = 0; n < steps; n++) run.world.step();
    run.system.enter(() => action(run.system.instance));
    run.world.settle();
    return run;
  }

  it("stops from the bottom up whatever has started when the stop comes", () => {
    for (let steps = 0; steps < 12; steps++) {
      log = [];
      after(steps, (main) => main.halt());
      const order = only("releases").map((line) => line.split(" ")[0]);
      const bottomUp = ["Leaf", "Middle", "Outer"];
      expect(order, `after ${steps} steps`).to.deep.equal(bottomUp.slice(-order.length));
      expect(log.at(-1), `after ${steps} steps`).to.equal("Root sees Outer-1 stopped");
    }
  });

  it("kills whatever has started when the kill comes", () => {
    for (let steps = 0; steps < 12; steps++) {
      log = [];
      const run = after(steps, (main) => main.remove());
      expect(run.system.tree(), `after ${steps} steps`).not.to.contain("Outer");
      expect(only("Root sees Outer-1 killed"), `after ${steps} steps`).to.have.length(1);
    }
  });

  it("tells a component nothing any more once it is gone", () => {
    const heat = setting.integer("lifecycle.heat", 1);
    class Listener extends Component {
      constructor() {
        super();
        this.control.on(SettingChanged, () => void log.push("told"));
        this.onRelease(() => void log.push("released"));
        this.onAcquire(() => undefined);
      }
    }
    class Owner extends Component {
      readonly listener = this.create(Listener);
      change(): void {
        this.configure(heat.of(2));
        this.kill(this.listener);
        this.configure(heat.of(3));
      }
    }
    const run = start(Owner);
    run.do((main) => main.change());
    expect(log).to.deep.equal(["told", "released"]);
  });

  it("forgets the fault of a component that is stopped before it has started", () => {
    const heat = setting.integer("lifecycle.heat", 1);
    class Early extends Leaf {
      constructor() {
        super();
        this.control.on(SettingChanged, () => {
          throw new Error("too early");
        });
      }
    }
    class Parent extends Component {
      readonly early = this.create(Early, {}, { onFault: () => "stop" });
    }
    class Main extends Component {
      readonly parent = this.create(Parent);
    }
    const run = prepare(Main);
    run.system.configure(heat.of(2));
    run.world.settle();
    expect(run.system.tree()).to.contain("Early-1 (Early, started)");
  });
});
