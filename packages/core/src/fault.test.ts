import { expect } from "chai";
import {
  ChildStarted,
  Component,
  event,
  type Fault,
  type FaultPolicy,
  type KithError,
  launch,
  ManualWorld,
  port,
  request,
  restart,
  SchedulePeriodic,
  ScheduleTimeout,
  setting,
  SettingChanged,
  timeout,
  Timer,
} from "./index.ts";
import { codeOf, errorCode, instanceAt, Note, Notes, Other, start } from "./kit.test.ts";

let log: string[] = [];
beforeEach(() => void (log = []));

/** Throws at a Note of 13, and counts what it handles; it has a child that lives and dies with it. */
class Fragile extends Component {
  readonly notes = this.provides(Notes);
  readonly below = this.create(Below);
  readonly down = this.requires(Notes);
  sum = 0;
  constructor() {
    super();
    this.connect(this.below.ports.notes, this.down);
    this.notes.on(Note, ({ n }) => {
      log.push(`handles ${n}`);
      if (n === 13) {
        this.down.trigger(new Note({ n: 100 }));
        throw new Error("unlucky");
      }
      this.sum += n;
      log.push(`sum ${this.sum}`);
    });
    this.notes.on(Note, ({ n }) => void log.push(`second handler ${n}`));
    this.onStart(() => void log.push("Fragile starts"));
    this.onStop(() => void log.push("Fragile stops"));
    this.onRelease(() => void log.push("Fragile releases"));
    this.onAcquire(() => true);
  }
}
class Below extends Component {
  readonly notes = this.provides(Notes);
  constructor() {
    super();
    this.notes.on(Note, ({ n }) => void log.push(`below handles ${n}`));
  }
}

/** A main component with one Fragile child and the given policy. */
function guarded(policy?: FaultPolicy) {
  class Guard extends Component {
    readonly fragile = this.create(Fragile, {}, { name: "f" });
    readonly out = this.requires(Notes);
    readonly faults: Fault[] = [];
    constructor() {
      super();
      this.connect(this.fragile.ports.notes, this.out);
      if (policy === undefined) return;
      this.onFault((fault) => {
        this.faults.push(fault);
        return policy(fault);
      });
    }
    send(...numbers: number[]): void {
      for (const n of numbers) this.out.trigger(new Note({ n }));
    }
    begin(): void {
      this.start(this.fragile);
    }
    halt(): void {
      this.stop(this.fragile);
    }
  }
  const run = start(Guard);
  log = [];
  return run;
}
const only = (...words: string[]): string[] =>
  log.filter((line) => words.some((word) => line.includes(word)));
const handled = (): string[] => log.filter((line) => line.startsWith("handles"));

describe("a fault", () => {
  it("tells the parent its cause, its path and its event", () => {
    const run = guarded(() => "resume");
    run.do((main) => main.send(13));
    const [fault] = run.system.instance.faults;
    expect(String(fault?.cause)).to.equal("Error: unlucky");
    expect(fault?.path).to.equal("/Guard-1/f");
    expect(fault?.event).to.deep.equal(new Note({ n: 13 }));
    expect(run.faults).to.deep.equal([]);
  });

  it("consumes the event, skips its other handlers, and lets stand what was triggered", () => {
    const run = guarded(() => "resume");
    run.do((main) => main.send(1, 13, 2));
    expect(log).to.include.members(["handles 13", "below handles 100"]);
    expect(only("second")).to.deep.equal(["second handler 1", "second handler 2"]);
    expect(only("sum")).to.deep.equal(["sum 1", "sum 3"]);
  });

  it("suspends the component and all below it until it is resolved; control goes on", () => {
    const run = guarded(() => "escalate");
    run.do((main) => main.send(13, 1));
    // The whole chain is suspended: nothing runs but control.
    log = [];
    run.do((main) => main.send(2));
    expect(log).to.deep.equal([]);
    expect(run.system.tree()).to.match(
      /f \(Fragile, faulted, 1 queued\)[^]*Below-1 \(Below, suspended, 1 queued\)/,
    );
  });

  it("names the event of a control handler, and none where there was none", () => {
    const seen: (string | undefined)[] = [];
    class Child extends Component {
      readonly leaf = this.create(class Leaf extends Component {});
      constructor() {
        super();
        this.control.on(ChildStarted, () => {
          throw new Error("in control");
        });
      }
      poke(): void {
        this.enter(() => {
          throw new Error("in an entry");
        });
      }
    }
    class Main extends Component {
      readonly child = this.create(Child);
      constructor() {
        super();
        this.onFault(
          ({ cause, event }) => (
            seen.push(`${String(cause)} ${event?.constructor.name}`),
            "resume"
          ),
        );
      }
    }
    const run = start(Main);
    instanceAt<Child>(run.system, "/Main-1/Child-1").poke();
    run.world.settle();
    expect(seen).to.deep.equal(["Error: in control ChildStarted", "Error: in an entry undefined"]);
    expect(run.system.tree()).to.match(/Child-1 \(Child, started\)/);
  });

  it("in a child's constructor is the creator's", () => {
    class Bad extends Component {
      constructor() {
        super();
        throw new Error("cannot be built");
      }
    }
    class Creator extends Component {
      readonly notes = this.provides(Notes);
      constructor() {
        super();
        this.notes.on(Note, () => void this.create(Bad));
      }
    }
    class Main extends Component {
      readonly out = this.requires(Notes);
      readonly paths: string[] = [];
      constructor() {
        super();
        this.onFault(
          ({ path, event }) => (this.paths.push(`${path} ${event?.constructor.name}`), "resume"),
        );
        this.connect(this.create(Creator).ports.notes, this.out);
      }
    }
    const run = start(Main);
    run.do(({ out }) => out.trigger(new Note({ n: 1 })));
    expect(run.system.instance.paths).to.deep.equal(["/Main-1/Creator-1 Note"]);
  });

  it("may be anything that can be thrown", async () => {
    for (const thrown of [undefined, null, 0, "text", { a: 1 }]) {
      class Odd extends Component {
        constructor() {
          super();
          this.onStart(() => {
            // oxlint-disable-next-line typescript/only-throw-error -- that is the case
            throw thrown;
          });
        }
      }
      const run = start(Odd);
      expect(run.faults[0]?.cause).to.equal(thrown);
      const rejected: unknown = await run.system.done.catch((error: unknown) => error);
      expect(rejected).to.be.instanceOf(Error);
    }
  });
});

describe("resume", () => {
  it("goes on with the rest of the queue", () => {
    const run = guarded(() => "resume");
    run.do((main) => main.send(13, 1, 13, 2));
    expect(only("sum")).to.deep.equal(["sum 1", "sum 3"]);
    expect(run.system.tree()).to.match(/f \(Fragile, started\)/);
  });

  it("after a throw in onStart ends the start: what was left undone is done", () => {
    class Torn extends Component {
      readonly below = this.create(Below);
      constructor() {
        super();
        this.onStart(() => {
          throw new Error("in start");
        });
        this.onStart(() => expect.fail("skipped"));
      }
    }
    class Main extends Component {
      readonly torn = this.create(Torn);
      constructor() {
        super();
        this.onFault(() => "resume");
      }
    }
    const run = start(Main);
    expect(run.system.tree()).to.match(
      /Main-1 \(Main, started\)[^]*Torn-1 \(Torn, started\)[^]*Below-1 \(Below, started\)/,
    );
  });

  it("after a throw in onAcquire does too", () => {
    class Torn extends Component {
      constructor() {
        super();
        this.onAcquire(() => {
          throw new Error("in acquire");
        });
      }
    }
    class Main extends Component {
      readonly torn = this.create(Torn);
      constructor() {
        super();
        this.onFault(() => "resume");
      }
    }
    expect(start(Main).system.tree()).to.match(
      /Main-1 \(Main, started\)[^]*Torn-1 \(Torn, started\)/,
    );
  });
});

describe("stop", () => {
  it("stops the component and all below, without its stop handlers, and keeps the queue", () => {
    const run = guarded(() => "stop");
    run.do((main) => main.send(13, 1));
    expect(only("stops", "releases")).to.deep.equal(["Fragile releases"]);
    expect(run.system.tree()).to.match(
      /f \(Fragile, stopped, 1 queued\)[^]*Below-1 \(Below, stopped, 1 queued\)/,
    );
    run.do((main) => main.begin());
    expect(only("sum")).to.deep.equal(["sum 1"]);
    expect(only("below")).to.deep.equal(["below handles 100"]);
  });
});

describe("restart", () => {
  it("begins again from the init, without the state, and keeps the queue", () => {
    const run = guarded(() => restart());
    const before = instanceAt<Fragile>(run.system, "/Guard-1/f");
    run.do((main) => main.send(5));
    run.do((main) => main.send(13, 1, 2));
    expect(instanceAt<Fragile>(run.system, "/Guard-1/f")).not.to.equal(before);
    expect(only("sum")).to.deep.equal(["sum 5", "sum 1", "sum 3"]);
    expect(only("Fragile")).to.deep.equal(["Fragile releases", "Fragile starts"]);
    expect(run.letters).to.deep.equal([]);
  });

  it("waits for the back-off, which grows, and takes nothing meanwhile", () => {
    const run = guarded(() => restart({ backoff: 10, factor: 3, backoffMax: 50 }));
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      run.do((main) => main.send(13, i));
      log = [];
      let waited = 0;
      while (only("Fragile starts").length === 0 && waited < 100) {
        expect(handled()).to.deep.equal([]);
        run.world.advance(1);
        waited++;
      }
      waits.push(waited);
      expect(handled()).to.deep.equal([`handles ${i}`]);
    }
    expect(waits).to.deep.equal([10, 30, 50, 50]);
  });

  it("has a limit within a time, after which the fault escalates with its cause", () => {
    const run = guarded(() => restart({ limit: 2, within: 1000 }));
    run.do((main) => main.send(13));
    run.do((main) => main.send(13));
    run.world.advance(1000);
    run.do((main) => main.send(13));
    run.do((main) => main.send(13));
    expect(run.faults).to.deep.equal([]);
    run.do((main) => main.send(13));
    const [fault] = run.faults;
    expect(errorCode(fault?.cause)).to.equal("KITH_RESTART_LIMIT");
    expect(String((fault?.cause as KithError | undefined)?.cause)).to.equal("Error: unlucky");
    expect(fault?.path).to.equal("/Guard-1/f");
  });

  it("counts a constructor that throws against the same limit", () => {
    let built = 0;
    class Once extends Component {
      readonly notes = this.provides(Notes);
      constructor() {
        super();
        if (++built > 1) throw new Error(`build ${built}`);
        this.notes.on(Note, () => {
          throw new Error("first");
        });
      }
    }
    class Main extends Component {
      readonly out = this.requires(Notes);
      readonly causes: string[] = [];
      constructor() {
        super();
        this.onFault(({ cause }) => (this.causes.push(String(cause)), restart({ limit: 3 })));
        this.connect(this.create(Once).ports.notes, this.out);
      }
    }
    const run = start(Main);
    run.do(({ out }) => out.trigger(new Note({ n: 1 })));
    expect(run.system.instance.causes).to.deep.equal([
      "Error: first",
      "Error: build 2",
      "Error: build 3",
      "Error: build 4",
    ]);
    expect(run.faults.map(({ cause }) => errorCode(cause))).to.deep.equal(["KITH_RESTART_LIMIT"]);
  });

  it("of a child that fails while its parent starts lets the start end", () => {
    let attempts = 0;
    class Shy extends Component {
      constructor() {
        super();
        this.onStart(() => {
          if (++attempts < 3) throw new Error("not yet");
        });
      }
    }
    class Main extends Component {
      readonly shy = this.create(Shy);
      constructor() {
        super();
        this.onFault(() => restart({ backoff: 5 }));
      }
    }
    const run = start(Main);
    expect(run.system.tree()).to.match(/Main-1 \(Main, starting\)/);
    run.world.advance(100);
    expect(run.system.tree()).to.match(/Main-1 \(Main, started\)[^]*Shy-1 \(Shy, started\)/);
  });

  it("does not happen any more where the parent stops meanwhile", () => {
    const run = guarded(() => restart({ backoff: 10 }));
    run.do((main) => main.send(13));
    void run.system.stop();
    run.world.advance(100);
    expect(run.system.tree()).to.match(/f \(Fragile, stopped/);
    const now = guarded(() => restart());
    now.system.enter(() => {
      now.system.instance.send(13);
      void now.system.stop();
    });
    now.world.settle();
    expect(now.system.tree()).to.match(/Guard-1 \(Guard, stopped\)[^]*f \(Fragile, stopped/);
  });

  it("needs a Timer above for a back-off; without one it escalates and says so", () => {
    class Main extends Component {
      readonly fragile = this.create(
        class Now extends Component {
          constructor() {
            super();
            this.onStart(() => {
              throw new Error("x");
            });
          }
        },
      );
      constructor() {
        super();
        this.onFault(() => restart({ backoff: 1 }));
      }
    }
    const run = start(Main, undefined, { timer: false });
    expect(run.faults.map(({ cause }) => errorCode(cause))).to.deep.equal(["KITH_NO_TIMER"]);
  });

  it("checks its numbers", () => {
    expect(
      [{ backoff: -1 }, { factor: 0 }, { limit: NaN }, { within: -5 }].map((rule) =>
        codeOf(() => restart(rule)),
      ),
    ).to.deep.equal(Array(4).fill("KITH_BAD_ARGUMENT"));
  });
});

describe("escalate", () => {
  it("is what happens without a policy, up to the system", () => {
    const run = guarded();
    run.do((main) => main.send(13));
    expect(run.faults.map(({ path, cause }) => `${path} ${String(cause)}`)).to.deep.equal([
      "/Guard-1/f Error: unlucky",
    ]);
  });

  /** A policy at the top, none in the middle. */
  function tall(policy: FaultPolicy) {
    const ring = class Tick extends timeout("test/Tick") {};
    class Middle extends Component {
      readonly left = this.create(Fragile, {}, { name: "left" });
      readonly right = this.create(Fragile, {}, { name: "right" });
      readonly a = this.exposes(this.left.ports.notes);
      readonly b = this.exposes(this.right.ports.notes);
      readonly timer = this.requires(Timer);
      constructor() {
        super();
        this.onStart(() =>
          this.timer.trigger(new SchedulePeriodic({ period: 10, timeout: new ring(), id: "t" })),
        );
        this.timer.on(ring, () => void log.push("middle ticks"));
      }
    }
    class Main extends Component {
      readonly middle = this.create(Middle, {}, { name: "m" });
      readonly a = this.requires(Notes);
      readonly b = this.requires(Notes);
      constructor() {
        super();
        this.onFault(policy);
        this.connect(this.middle.ports.a, this.a);
        this.connect(this.middle.ports.b, this.b);
      }
    }
    const run = start(Main);
    log = [];
    return run;
  }

  it("suspends the parent with all its children, and resume wakes the whole chain", () => {
    const states: string[] = [];
    const run = tall(() => {
      states.push(run.system.tree());
      return "resume";
    });
    run.do(({ a }) => a.trigger(new Note({ n: 13 })));
    expect(states[0]).to.match(
      /m \(Middle, faulted\)[^]*left \(Fragile, faulted\)[^]*right \(Fragile, suspended\)/,
    );
    run.do(({ a, b }) => {
      a.trigger(new Note({ n: 1 }));
      b.trigger(new Note({ n: 2 }));
    });
    run.world.advance(10);
    expect(only("sum", "ticks")).to.have.members(["sum 1", "sum 2", "middle ticks"]);
  });

  it("of two faults at once is resolved one by one, and nobody stays behind", () => {
    const run = tall(() => "resume");
    run.do(({ a, b }) => {
      a.trigger(new Note({ n: 13 }));
      b.trigger(new Note({ n: 13 }));
      a.trigger(new Note({ n: 1 }));
      b.trigger(new Note({ n: 2 }));
    });
    expect(only("sum")).to.have.members(["sum 1", "sum 2"]);
    run.world.advance(10);
    expect(only("ticks")).to.deep.equal(["middle ticks"]);
    expect(run.system.tree()).not.to.match(/faulted|suspended/);
  });

  it("of two faults of which one is stopped and one resumed ends in order too", () => {
    let calls = 0;
    const run = tall(() => (++calls === 1 ? "resume" : "stop"));
    run.do(({ a, b }) => {
      a.trigger(new Note({ n: 13 }));
      b.trigger(new Note({ n: 13 }));
    });
    expect(calls).to.equal(2);
    expect(run.system.tree())
      .to.match(/m \(Middle, stopped\)/)
      .and.not.match(/faulted|suspended/);
  });

  it("lets the level above restart the level between, with all in it", () => {
    const run = tall(() => restart());
    const before = instanceAt<Component>(run.system, "/Main-1/m");
    run.do(({ a, b }) => {
      a.trigger(new Note({ n: 13 }));
      a.trigger(new Note({ n: 1 }));
      b.trigger(new Note({ n: 2 }));
    });
    expect(instanceAt<Component>(run.system, "/Main-1/m")).not.to.equal(before);
    expect(only("sum")).to.have.members(["sum 1", "sum 2"]);
    expect(run.system.tree()).not.to.match(/faulted|suspended/);
    run.world.advance(10);
    expect(only("ticks")).to.deep.equal(["middle ticks"]);
  });
});

describe("a policy", () => {
  it("given at create goes before that of onFault", () => {
    const calls: string[] = [];
    class Main extends Component {
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.onFault(() => (calls.push("common"), "resume"));
        const child = this.create(Fragile, {}, { onFault: () => (calls.push("own"), "resume") });
        this.connect(child.ports.notes, this.out);
      }
    }
    start(Main).do(({ out }) => out.trigger(new Note({ n: 13 })));
    expect(calls).to.deep.equal(["own"]);
  });

  it("that throws escalates with what it threw, and the child stays suspended", () => {
    const run = guarded(() => {
      throw new Error("bad policy");
    });
    run.do((main) => main.send(13));
    expect(run.faults.map(({ path, cause }) => `${path} ${String(cause)}`)).to.deep.equal([
      "/Guard-1 Error: bad policy",
    ]);
    expect(run.system.tree()).to.match(/Guard-1 \(Guard, faulted\)[^]*f \(Fragile, faulted\)/);
  });

  it("that returns anything else escalates with a code", () => {
    for (const nonsense of [undefined, null, "ignore", {}, 7]) {
      const run = guarded(() => nonsense as never);
      run.do((main) => main.send(13));
      expect(
        run.faults.map(({ cause }) => errorCode(cause)),
        JSON.stringify(nonsense),
      ).to.deep.equal(["KITH_BAD_POLICY"]);
    }
  });

  it("runs in the parent's turn, so that it may act", () => {
    const seen: string[] = [];
    class Main extends Component {
      readonly out = this.requires(Notes);
      readonly replies = this.provides(Notes);
      readonly own = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.create(Fragile).ports.notes, this.out);
        this.connect(this.replies, this.own);
        this.own.on(Other, ({ n }) => void seen.push(`told ${n}`));
        this.onFault(() => {
          this.replies.trigger(new Other({ n: 1 }));
          return "resume";
        });
      }
    }
    start(Main).do(({ out }) => out.trigger(new Note({ n: 13 })));
    expect(seen).to.deep.equal(["told 1"]);
  });
});

describe("the event that a fault names", () => {
  class Late extends timeout("fault-event/Late") {}
  class Reply extends event("fault-event/Reply") {}
  class Query extends request("fault-event/Query", Reply) {}
  const Queries = port("Queries", { requests: [Query], indications: [Reply] });

  class Deaf extends Component {
    readonly queries = this.provides(Queries);
    constructor() {
      super();
      this.queries.on(Query, () => undefined);
    }
  }
  class Touchy extends Component {
    readonly queries = this.requires(Queries);
    readonly timer = this.requires(Timer);
    constructor() {
      super();
      const ask = this.queries.onAnswer(Query, () => {
        throw new Error("no answer");
      });
      this.timer.on(Late, () => {
        throw new Error("late");
      });
      this.queries.on(Reply, () => {
        throw new Error("reply");
      });
      this.onStart(() => {
        this.timer.trigger(new ScheduleTimeout({ delay: 10, timeout: new Late() }));
        ask(new Query(), { timeout: 20 });
      });
    }
  }
  class Main extends Component {
    readonly faults: (string | undefined)[] = [];
    constructor() {
      super();
      const deaf = this.create(Deaf);
      const touchy = this.create(Touchy);
      this.connect(deaf.ports.queries, touchy.ports.queries);
      this.onFault((fault) => {
        this.faults.push(fault.event?.constructor.name);
        return "resume";
      });
    }
  }

  it("is the timeout, or the answer, that the handler was given, not the provider's Expired", () => {
    const world = new ManualWorld();
    const system = launch(Main, {}, world);
    world.advance(100);
    expect(system.instance.faults).to.deep.equal(["Late", "AskTimeout"]);
  });
});

describe("a fault among other things", () => {
  class Tick extends timeout("fault/Tick") {}
  const heat = setting.integer("fault.heat", 1);
  const bomb = setting.integer("fault.bomb", 1);

  it("may be anything that can be thrown, also what cannot become text", () => {
    const thrown: unknown[] = [Object.create(null), undefined, null, 0, "text", Symbol("s")];
    for (const cause of thrown) {
      class Thrower extends Component {
        readonly notes = this.provides(Notes);
        constructor() {
          super();
          this.notes.on(Note, ({ n }) => {
            log.push(`handles ${n}`);
            if (n === 1) throw cause;
          });
        }
      }
      class Main extends Component {
        readonly thrower = this.create(Thrower, {}, { onFault: () => "resume" });
        readonly out = this.requires(Notes);
        constructor() {
          super();
          this.connect(this.thrower.ports.notes, this.out);
          this.onStart(() => [1, 2].forEach((n) => this.out.trigger(new Note({ n }))));
        }
      }
      log = [];
      start(Main);
      expect(log).to.deep.equal(["handles 1", "handles 2"]);
    }
  });

  it("rejects `done` with an error, whatever was thrown", async () => {
    class Main extends Component {
      constructor() {
        super();
        this.onStart(() => {
          throw Object.create(null);
        });
      }
    }
    const world = new ManualWorld();
    const system = launch(Main, {}, world);
    const outcome = system.done.catch((error: unknown) => error);
    world.settle();
    expect(await outcome).to.be.instanceOf(Error);
  });

  it("is restarted no more once it was told to stop or to go", () => {
    for (const end of ["kill", "stop"] as const) {
      // Takes a turn of another component to stop, in which the back-off ends.
      class Slow extends Component {
        readonly notes = this.provides(Notes);
        readonly below = this.create(Below);
        constructor() {
          super();
          this.notes.on(Note, () => {
            throw new Error("unlucky");
          });
        }
      }
      class Main extends Component {
        readonly timer = this.requires(Timer);
        readonly slow = this.create(Slow, {}, { onFault: () => restart({ backoff: 10 }) });
        readonly out = this.requires(Notes);
        constructor() {
          super();
          this.connect(this.slow.ports.notes, this.out);
          this.timer.on(Tick, () => this[end](this.slow));
          this.onStart(() => {
            this.timer.trigger(new ScheduleTimeout({ delay: 10, timeout: new Tick() }));
            this.out.trigger(new Note({ n: 1 }));
          });
        }
      }
      const run = start(Main);
      run.world.advance(10);
      if (end === "kill") expect(run.system.tree()).not.to.contain("Slow");
      else expect(run.system.tree()).to.contain("Slow-1 (Slow, stopped");
    }
  });

  it("of an instance that was replaced meanwhile is nobody's business", () => {
    class Child extends Component {
      constructor() {
        super();
        this.control.on(SettingChanged, () => {
          throw new Error("child");
        });
      }
    }
    class Parent extends Component {
      readonly notes = this.provides(Notes);
      readonly child = this.create(Child);
      constructor() {
        super();
        this.notes.on(Note, () => {
          this.configure(bomb.of(2));
          throw new Error("parent");
        });
      }
    }
    class Main extends Component {
      readonly parent = this.create(Parent);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.parent.ports.notes, this.out);
        this.onFault(({ cause }) => {
          log.push(String(cause));
          return log.length === 1 ? restart() : "escalate";
        });
        this.onStart(() => this.out.trigger(new Note({ n: 1 })));
      }
    }
    const run = start(Main);
    expect(log).to.deep.equal(["Error: parent"]);
    expect(run.faults).to.deep.equal([]);
    expect(run.system.tree()).not.to.match(/faulted|suspended/);
  });

  it("leaves what its control port has not heard to the new instance", () => {
    let made = 0;
    class Listener extends Component {
      readonly notes = this.provides(Notes);
      readonly number = ++made;
      constructor() {
        super();
        this.notes.on(Note, () => {
          throw new Error("unlucky");
        });
        this.control.on(SettingChanged, () => void log.push(`told instance ${this.number}`));
      }
    }
    class Main extends Component {
      readonly out = this.requires(Notes);
      readonly listener = this.create(
        Listener,
        {},
        {
          onFault: () => {
            this.configure(heat.of(2));
            return restart();
          },
        },
      );
      constructor() {
        super();
        this.connect(this.listener.ports.notes, this.out);
        this.onStart(() => this.out.trigger(new Note({ n: 1 })));
      }
    }
    start(Main);
    expect(log).to.deep.equal(["told instance 2"]);
  });

  it("suspends also what is created below a suspended component", () => {
    class Parent extends Component {
      readonly notes = this.provides(Notes);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.notes.on(Note, () => {
          throw new Error("unlucky");
        });
        this.control.on(SettingChanged, () => {
          const child = this.create(Below);
          this.connect(child.ports.notes, this.out);
          this.out.trigger(new Note({ n: 1 }));
        });
        this.connect(this.notes, this.out);
        this.onStart(() => this.out.trigger(new Note({ n: 0 })));
      }
    }
    const run = start(Parent);
    run.system.configure(heat.of(2));
    run.world.settle();
    expect(run.system.tree()).to.contain("Below-1 (Below, suspended, 1 queued)");
    expect(only("below handles")).to.deep.equal([]);
  });
});
