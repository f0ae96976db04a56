import { expect } from "chai";
import { Component, event, port, request, type Runnable } from "./index.ts";
import { codeOf, Note, Notes, prepare, start } from "./kit.test.ts";

class Answer extends event("test/Answer") {}
class Question extends request("test/Question", Answer) {}
const Asking = port("Asking", { requests: [Question] });

class Sink extends Component {
  readonly notes = this.provides(Notes);
  readonly asking = this.provides(Asking);
  constructor() {
    super();
    this.notes.on(Note, () => true);
    this.asking.on(Question, () => true);
  }
}

class Main extends Component {
  readonly sink = this.create(Sink);
  readonly notes = this.requires(Notes);
  readonly asking = this.requires(Asking);
  readonly ask = this.asking.onAnswer(Question, () => undefined);
  constructor() {
    super();
    this.connect(this.sink.ports.notes, this.notes);
    this.connect(this.sink.ports.asking, this.asking);
  }
  override enter(action: () => void): void {
    super.enter(action);
  }
  makeSink(): void {
    this.create(Sink);
  }
  killSink(): void {
    this.kill(this.sink);
  }
  change(): void {
    this.configure({ name: "x", value: 1 });
  }
}

describe("the turn rule", () => {
  it("refuses to trigger, ask, create, wire or kill outside of the component's turn", () => {
    const { system } = start(Main);
    const main = system.instance;
    const actions = [
      () => main.notes.trigger(new Note({ n: 1 })),
      () => main.ask(new Question()),
      () => main.makeSink(),
      () => main.killSink(),
      () => main.change(),
    ];
    expect(actions.map(codeOf)).to.deep.equal(actions.map(() => "KITH_OUTSIDE_TURN"));
    expect(() => main.notes.trigger(new Note({ n: 1 }))).to.throw(
      /outside of any turn, not in the turn of \/Main-1\. Enter the component first/,
    );
  });

  it("refuses the turn of another component", () => {
    class Two extends Component {
      readonly a = this.create(Main);
      readonly b = this.create(Main);
    }
    const run = start(Two);
    const instances = ["/Two-1/Main-1", "/Two-1/Main-2"].map((path) => {
      let found: Main | undefined;
      run.system.enter(
        () =>
          (found = (
            run.system.instance[path.endsWith("1") ? "a" : "b"] as unknown as {
              core: { instance: Main };
            }
          ).core.instance),
        path,
      );
      run.world.settle();
      return found as Main;
    });
    let text = "";
    run.system.enter(() => {
      try {
        instances[1]?.notes.trigger(new Note({ n: 1 }));
      } catch (error) {
        text = String(error);
      }
    }, "/Two-1/Main-1");
    run.world.settle();
    expect(text).to.match(
      /in the turn of \/Two-1\/Main-1, not in the turn of \/Two-1\/Main-2.*\[KITH_OUTSIDE_TURN\]/,
    );
  });

  it("catches code after an await, and names the way in", async () => {
    const codes: string[] = [];
    const run = start(Main);
    const work = async (main: Main): Promise<void> => {
      main.notes.trigger(new Note({ n: 1 }));
      await Promise.resolve();
      codes.push(codeOf(() => main.notes.trigger(new Note({ n: 2 }))));
      main.enter(() => codes.push(codeOf(() => main.notes.trigger(new Note({ n: 3 })))));
    };
    let promise: Promise<void> | undefined;
    run.do((main) => {
      promise = work(main);
    });
    await promise;
    run.world.settle();
    expect(codes).to.deep.equal(["KITH_OUTSIDE_TURN", ""]);
  });

  it("has no turn in a constructor", () => {
    const codes: string[] = [];
    class Eager extends Component {
      readonly notes = this.provides(Notes);
      readonly asking = this.requires(Asking);
      constructor() {
        super();
        const ask = this.asking.onAnswer(Question, () => undefined);
        codes.push(
          codeOf(() => this.notes.trigger(new Note({ n: 1 }))),
          codeOf(() => ask(new Question())),
        );
      }
    }
    class Parent extends Main {
      constructor() {
        super();
        this.connect(this.sink.ports.asking, this.create(Eager).ports.asking);
        // Also where a constructor runs within somebody's turn.
        this.onStart(() => {
          this.connect(this.sink.ports.asking, this.create(Eager).ports.asking);
        });
      }
    }
    start(Parent);
    expect(codes).to.deep.equal(Array(4).fill("KITH_CONSTRUCTOR_TRIGGER"));
  });

  it("has one in handlers, lifecycle handlers, policies and entries", () => {
    const codes: string[] = [];
    class Child extends Component {
      constructor() {
        super();
        this.onStart(() => {
          throw new Error("to call the policy");
        });
      }
    }
    class All extends Main {
      constructor() {
        super();
        const attempt = (): boolean =>
          codes.push(codeOf(() => this.notes.trigger(new Note({ n: 1 })))) > 0;
        this.create(Child);
        this.onAcquire(attempt);
        this.onStart(attempt);
        this.onFault(() => (attempt(), "stop"));
        this.onStop(attempt);
        this.onRelease(attempt);
        this.enter(attempt);
      }
    }
    const run = start(All);
    void run.system.stop();
    run.world.settle();
    expect(codes).to.deep.equal(Array(6).fill(""));
  });
});

describe("enter", () => {
  it("runs before queued events, in the order of entering", () => {
    const seen: string[] = [];
    class Loop extends Component {
      readonly into = this.provides(Notes);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.into, this.out);
        this.into.on(Note, ({ n }) => void seen.push(`note ${n}`));
        this.onStart(() => {
          this.out.trigger(new Note({ n: 1 }));
          this.out.trigger(new Note({ n: 2 }));
          this.enter(() => void seen.push("entered a"));
          this.enter(() => void seen.push("entered b"));
        });
      }
    }
    start(Loop);
    expect(seen[0]).to.equal("entered a");
    expect(seen.filter((line) => line.startsWith("note"))).to.deep.equal(["note 1", "note 2"]);
    expect(seen.indexOf("entered b")).to.be.lessThan(seen.indexOf("note 2"));
  });

  it("waits until the component has started, and while it is stopped", () => {
    const seen: string[] = [];
    const run = prepare(Main);
    run.system.enter(() => void seen.push("in"));
    expect(seen).to.deep.equal([]);
    run.world.settle();
    expect(seen).to.deep.equal(["in"]);
    void run.system.stop();
    run.world.settle();
    run.system.enter(() => void seen.push("late"));
    run.world.settle();
    expect(seen).to.deep.equal(["in"]);
  });

  it("is a dead letter at a component that is gone", () => {
    let child: Gone | undefined;
    class Gone extends Main {
      constructor() {
        super();
        child = this;
      }
    }
    class Parent extends Component {
      readonly gone = this.create(Gone);
      remove(): void {
        this.kill(this.gone);
      }
    }
    const run = start(Parent);
    run.do((parent) => parent.remove());
    child?.enter(() => expect.fail("it is gone"));
    run.world.settle();
    expect(run.letters).to.deep.equal([
      { reason: "no-component", path: "/Parent-1/Gone-1", port: "", event: undefined },
    ]);
  });

  it("finds a component by its path, and refuses a path that leads nowhere", () => {
    const seen: string[] = [];
    const run = start(Main);
    run.system.enter(() => void seen.push("sink"), "/Main-1/Sink-1");
    run.world.settle();
    expect(seen).to.deep.equal(["sink"]);
    expect(codeOf(() => run.system.enter(() => undefined, "/Main-1/Nobody-1"))).to.equal(
      "KITH_UNKNOWN_PATH",
    );
  });
});

describe("an entrance", () => {
  class Door extends Component {
    readonly out = this.provides(Notes);
    constructor() {
      super();
      this.out.on(Note, () => undefined);
    }
    readonly now = this.entrance((action: () => void) => action());
  }

  it("takes the turn at once where nothing stands before it", () => {
    const run = start(Door);
    const seen: string[] = [];
    run.system.instance.now(() => void seen.push("in"));
    expect(seen).to.deep.equal(["in"]);
  });

  it("queues where the component has not started, and within another turn", () => {
    const run = prepare(Door);
    const seen: string[] = [];
    const { instance } = run.system;
    instance.now(() => void seen.push("before the start"));
    expect(seen).to.deep.equal([]);
    run.world.settle();
    expect(seen).to.deep.equal(["before the start"]);
    instance.now(() => {
      instance.now(() => void seen.push("inner"));
      seen.push("outer");
    });
    expect(seen).to.deep.equal(["before the start", "outer"]);
    run.world.settle();
    expect(seen).to.deep.equal(["before the start", "outer", "inner"]);
  });

  it("makes a throw the component's fault", async () => {
    const run = start(Door);
    const faults: string[] = [];
    run.system.events.on("fault", ({ cause }) => void faults.push(String(cause)));
    run.system.instance.now(() => {
      throw new Error("outside");
    });
    run.world.settle();
    expect(faults).to.deep.equal(["Error: outside"]);
  });
});

describe("a turn that begins with what the host has handed in", () => {
  it("still runs half as many queued events", () => {
    const handled: number[] = [];
    class Loop extends Component {
      readonly into = this.provides(Notes);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.into, this.out);
        this.into.on(Note, ({ n }) => void handled.push(n));
      }
    }
    const loop = start(Loop);
    const turn = (loop.system.main as unknown as { core: Runnable }).core;
    loop.system.enter(() => {
      for (let n = 0; n < 20; n++) loop.system.instance.out.trigger(new Note({ n }));
    });
    expect(turn.run(8)).to.equal(true);
    expect(handled).to.have.length(4);
    turn.run(8);
    expect(handled).to.have.length(12);
  });
});
