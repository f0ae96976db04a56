/** Eleven defects that were found in Kompics, the model of this kernel: each a test that passes here. */

import { expect } from "chai";
import {
  type Channel,
  type Clock,
  Component,
  event,
  launch,
  RealScheduler,
  type Runnable,
  type Scheduler,
  setting,
  type Subscription,
  type World,
} from "./index.ts";
import { codeOf, instanceAt, Note, Notes, start } from "./kit.test.ts";

/** A real scheduler on a clock that moves by what handlers cost, and that counts turns by path. */
class CostedWorld implements World {
  now = 0;
  readonly turns = new Map<string, number>();
  readonly slices: number[] = [];
  readonly scheduler: Scheduler;
  readonly #next: (() => void)[] = [];

  constructor() {
    const clock: Clock = {
      monotonicMicros: () => Math.floor(this.now),
      wallMicros: () => Math.floor(this.now),
    };
    const real = new RealScheduler(clock, (slice) => this.#next.push(slice));
    const counted = new Map<Runnable, Runnable>();
    this.scheduler = {
      clock,
      ready: (runnable) => {
        let wrapper = counted.get(runnable);
        if (wrapper === undefined) {
          wrapper = {
            path: runnable.path,
            slot: undefined,
            run: (limit) => {
              this.turns.set(runnable.path, (this.turns.get(runnable.path) ?? 0) + 1);
              return runnable.run(limit);
            },
          };
          counted.set(runnable, wrapper);
        }
        real.ready(wrapper);
      },
    };
  }

  /** Lets the host run one slice. @returns false where nothing waits */
  slice(): boolean {
    const next = this.#next.shift();
    if (next === undefined) return false;
    const before = this.now;
    next();
    this.slices.push(this.now - before);
    return true;
  }
}

describe("the defects of Kompics", () => {
  for (const costMicros of [0.1, 2, 10, 40]) {
    it(`1. an event from outside is not starved by a full load of ${costMicros} µs events: it waits for one turn of each ready component, and slices end within 1 ms`, () => {
      const world = new CostedWorld();
      class Spinner extends Component {
        readonly into = this.provides(Notes);
        readonly out = this.requires(Notes);
        constructor() {
          super();
          this.connect(this.into, this.out);
          this.into.on(Note, ({ n }) => {
            world.now += costMicros;
            this.out.trigger(new Note({ n }));
          });
          this.onStart(() => {
            for (let n = 0; n < 40; n++) this.out.trigger(new Note({ n }));
          });
        }
      }
      class Main extends Component {
        constructor() {
          super();
          for (let i = 0; i < 50; i++) this.create(Spinner);
        }
      }
      const system = launch(Main, {}, world);
      for (let i = 0; i < 50; i++) world.slice();
      for (let attempt = 0; attempt < 50; attempt++) {
        // Alternately a component that is idle, and one that is as busy as all others.
        const place = attempt % 2 === 0 ? "/Main-1" : "/Main-1/Spinner-7";
        let done = false;
        world.turns.clear();
        let turnsAtEntry: Map<string, number> | undefined;
        system.enter(() => {
          done = true;
          turnsAtEntry = new Map(world.turns);
        }, place);
        for (let i = 0; !done && i < 1000; i++) world.slice();
        expect(done).to.equal(true);
        expect(Math.max(0, ...(turnsAtEntry as Map<string, number>).values())).to.be.at.most(1);
        world.slice();
      }
      expect(world.slices.length).to.be.greaterThan(50);
      expect(Math.max(...world.slices)).to.be.at.most(1000);
    });
  }

  it("2. a stopped component with queued events costs no turns", () => {
    const world = new CostedWorld();
    let handled = 0;
    class Sink extends Component {
      readonly notes = this.provides(Notes);
      constructor() {
        super();
        this.notes.on(Note, () => void handled++);
      }
    }
    class Main extends Component {
      readonly sink = this.create(Sink);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.sink.ports.notes, this.out);
      }
      halt(): void {
        this.stop(this.sink);
      }
      begin(): void {
        this.start(this.sink);
      }
    }
    const system = launch(Main, {}, world);
    const drain = (): void => {
      while (world.slice());
    };
    drain();
    system.enter(() => system.instance.halt());
    drain();
    world.turns.clear();
    system.enter(() => {
      for (let n = 0; n < 1000; n++) system.instance.out.trigger(new Note({ n }));
    });
    drain();
    expect(world.turns.get("/Main-1/Sink-1")).to.equal(undefined);
    expect(world.slice()).to.equal(false);
    expect(handled).to.equal(0);
    system.enter(() => system.instance.begin());
    drain();
    expect(handled).to.equal(1000);
  });

  it("3. unsubscribing one of two handlers of one class leaves the other", () => {
    for (const cancelled of [0, 1]) {
      const seen: number[] = [];
      class Main extends Component {
        readonly into = this.provides(Notes);
        readonly out = this.requires(Notes);
        readonly subscriptions: Subscription[] = [];
        constructor() {
          super();
          this.connect(this.into, this.out);
          for (const i of [0, 1])
            this.subscriptions.push(this.into.on(Note, () => void seen.push(i)));
        }
      }
      const run = start(Main);
      run.do((main) => main.subscriptions[cancelled]?.cancel());
      run.do(({ out }) => out.trigger(new Note({ n: 1 })));
      expect(seen).to.deep.equal([1 - cancelled]);
    }
  });

  it("4. after a resumed fault the rest of the queue is handled", () => {
    const seen: number[] = [];
    class Frail extends Component {
      readonly notes = this.provides(Notes);
      constructor() {
        super();
        this.notes.on(Note, ({ n }) => {
          if (n % 3 === 0) throw new Error(`no ${n}`);
          seen.push(n);
        });
      }
    }
    class Main extends Component {
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.create(Frail).ports.notes, this.out);
        this.onFault(() => "resume");
      }
    }
    const run = start(Main);
    run.do(({ out }) => {
      for (let n = 1; n <= 10; n++) out.trigger(new Note({ n }));
    });
    expect(seen).to.deep.equal([1, 2, 4, 5, 7, 8, 10]);
  });

  it("5. a channel that is changed under load neither loses nor doubles an event", () => {
    const seen: Record<string, number[]> = { a: [], b: [] };
    class Sink extends Component {
      readonly notes = this.provides(Notes);
      constructor({ name }: { name: string }) {
        super();
        this.notes.on(Note, ({ n }) => void seen[name]?.push(n));
      }
    }
    class Source extends Component {
      readonly into = this.provides(Notes);
      readonly loop = this.requires(Notes);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.into, this.loop);
        this.into.on(Note, ({ n }) => {
          this.out.trigger(new Note({ n }));
          if (n < 2000) this.loop.trigger(new Note({ n: n + 1 }));
        });
        this.onStart(() => this.loop.trigger(new Note({ n: 1 })));
      }
    }
    class Main extends Component {
      readonly a = this.create(Sink, { name: "a" });
      readonly b = this.create(Sink, { name: "b" });
      readonly source = this.create(Source);
      readonly channel: Channel<typeof Notes> = this.connect(
        this.a.ports.notes,
        this.source.ports.out,
      );
      change(to: "a" | "b"): void {
        this.channel.hold();
        this.channel.unplug("provider");
        this.channel.plug(this[to].ports.notes);
        this.channel.resume();
      }
    }
    const run = start(Main, undefined, {});
    expect(seen["a"]).to.have.length(2000);
    seen["a"] = [];
    const again = launch(Main, {}, run.world);
    for (let i = 0; run.world.step(); i++) {
      if (i % 7 === 0) again.enter(() => again.instance.change(i % 2 === 0 ? "b" : "a"));
    }
    const [a, b] = [seen["a"], seen["b"] ?? []];
    expect(a.length).to.be.greaterThan(100);
    expect(b.length).to.be.greaterThan(100);
    expect([...a, ...b].toSorted((x, y) => x - y)).to.deep.equal(
      Array.from({ length: 2000 }, (_, i) => i + 1),
    );
    for (const list of [a, b]) expect(list).to.deep.equal(list.toSorted((x, y) => x - y));
    expect(again.deadLetters).to.deep.equal({});
  });

  it("6. unsubscribing what is not subscribed is a clear error", () => {
    class Main extends Component {
      readonly notes = this.provides(Notes);
    }
    const run = start(Main);
    let text = "";
    run.do(({ notes }) => {
      const subscription = notes.on(Note, () => undefined);
      subscription.cancel();
      try {
        subscription.cancel();
      } catch (error) {
        text = String(error);
      }
    });
    expect(text).to.equal(
      "KithError: A handler for Note at provided port notes (Notes) of /Main-1 was cancelled a second time. Cancel a subscription once, on the handle that subscribing returned. [KITH_NOT_SUBSCRIBED]",
    );
  });

  it("7. errors of event types do not depend on the wiring", () => {
    class Foreign extends event("test/Foreign") {}
    const codes: string[] = [];
    class Ends extends Component {
      readonly provided = this.provides(Notes);
      readonly required = this.requires(Notes);
      constructor({ wired }: { wired: boolean }) {
        super();
        codes.push(codeOf(() => this.provided.on(Foreign as never, () => undefined)));
        if (wired) this.connect(this.provided, this.required);
      }
      attempt(): void {
        codes.push(
          codeOf(() => this.provided.trigger(new Foreign() as never)),
          codeOf(() => this.required.trigger(new Foreign() as never)),
        );
      }
    }
    class Offering extends Component {
      readonly sink = this.create(Ends, { wired: true });
      readonly alone = this.create(Ends, { wired: false }, { name: "alone" });
      constructor() {
        super();
        this.offers(this.sink.ports.provided);
      }
    }
    const run = start(Offering);
    for (const path of ["/Offering-1/Ends-1", "/Offering-1/alone"])
      run.system.enter(() => instanceAt<Ends>(run.system, path).attempt(), path);
    run.world.settle();
    expect(codes).to.deep.equal(Array(6).fill("KITH_BAD_EVENT"));
  });

  it("8. configuration is converted right, by the setting and not by its reader", () => {
    const port = setting.integer("test.port", 0, { min: 0, max: 65_535 });
    const period = setting.duration("test.period", 0);
    const on = setting.boolean("test.on", true);
    expect(port.read(port.parse("8080"))).to.equal(8080);
    expect(period.read(period.parse("1.5s"))).to.equal(1500);
    expect(on.read(on.parse("false"))).to.equal(false);
    expect(
      [
        () => port.parse("80a"),
        () => port.parse("-1"),
        () => period.parse("5"),
        () => on.parse("no"),
        () => port.parse(""),
      ].map(codeOf),
    ).to.deep.equal(Array(5).fill("KITH_BAD_SETTING"));
  });

  it("9. two systems share no state", async () => {
    class Counter extends Component {
      readonly into = this.provides(Notes);
      readonly out = this.requires(Notes);
      count = 0;
      constructor() {
        super();
        this.connect(this.into, this.out);
        this.into.on(Note, () => void this.count++);
      }
    }
    const [a, b] = [start(Counter), start(Counter)];
    a.do(({ out }) => out.trigger(new Note({ n: 1 })));
    expect([a.system.instance.count, b.system.instance.count]).to.deep.equal([1, 0]);
    const stopped = a.system.stop();
    a.world.settle();
    await stopped;
    b.do(({ out }) => out.trigger(new Note({ n: 1 })));
    expect(b.system.instance.count).to.equal(1);
    expect(a.system.main.path).to.equal(b.system.main.path);
  });

  it("10. a second start is harmless", () => {
    let starts = 0;
    class Child extends Component {
      constructor() {
        super();
        this.onStart(() => void starts++);
      }
    }
    class Main extends Component {
      readonly child = this.create(Child);
      again(): void {
        this.start(this.child);
        this.start(this.child);
      }
    }
    const run = start(Main);
    run.do((main) => main.again());
    expect(starts).to.equal(1);
    expect(run.faults).to.deep.equal([]);
  });

  it("11. a user's stop handler runs before anything is torn down", () => {
    const seen: string[] = [];
    class Child extends Component {
      readonly notes = this.provides(Notes);
      constructor() {
        super();
        this.notes.on(Note, () => void seen.push("child handles"));
        this.onStop(() => void seen.push("child stops"));
        this.onRelease(() => void seen.push("child releases"));
      }
    }
    class Main extends Component {
      readonly child = this.create(Child);
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.child.ports.notes, this.out);
        this.onStop(() => {
          // Nothing is stopped or cut yet.
          seen.push(`main stops, ${run.system.tree().includes("Child-1 (Child, started)")}`);
          this.out.trigger(new Note({ n: 1 }));
        });
        this.onRelease(() => void seen.push("main releases"));
      }
    }
    const run = start(Main);
    void run.system.stop();
    run.world.settle();
    expect(seen).to.deep.equal([
      "main stops, true",
      "child stops",
      "child releases",
      "main releases",
    ]);
    expect(run.system.deadLetters).to.deep.equal({});
  });
});
