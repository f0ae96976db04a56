import { expect } from "chai";
import { by, Component, event, port } from "./index.ts";
import { codeOf, errorCode, instanceAt, start } from "./kit.test.ts";

class Say extends event("test/Say")<{ who: string }> {}
class Heard extends event("test/Heard")<{ by: string; key?: string }> {}
const Ear = port("Ear", { requests: [Say], indications: [Heard] });

let heard: string[] = [];

class Listener extends Component {
  readonly ear = this.provides(
    Ear,
    by(Heard, ({ key }) => key),
  );
  constructor({ name }: { name: string }) {
    super();
    this.ear.on(Say, ({ who }) => void heard.push(`${name} hears ${who}`));
    this.onStart(() => true);
  }
  emit(key: string): void {
    this.ear.trigger(new Heard({ by: "x", key }));
  }
  call(key: string): void {
    this.enter(() => this.emit(key));
  }
}

class Speaker extends Component {
  readonly ear = this.requires(Ear);
  constructor({ name }: { name: string }) {
    super();
    this.onStart(() => this.ear.trigger(new Say({ who: name })));
    this.ear.on(Heard, ({ key }) => void heard.push(`${name} gets ${key}`));
  }
}

beforeEach(() => void (heard = []));

describe("an offer", () => {
  it("reaches the whole subtree, through components that know nothing of it", () => {
    class Between extends Component {
      readonly speaker = this.create(Speaker, { name: "deep" });
    }
    class Main extends Component {
      readonly listener = this.create(Listener, { name: "main" });
      readonly between = this.create(Between);
      readonly near = this.create(Speaker, { name: "near" });
      constructor() {
        super();
        this.offers(this.listener.ports.ear);
      }
    }
    start(Main);
    expect(heard).to.have.members(["main hears deep", "main hears near"]);
  });

  it("may be of an own port, for what is below", () => {
    class Main extends Component {
      readonly ear = this.provides(Ear);
      readonly speaker = this.create(Speaker, { name: "s" });
      constructor() {
        super();
        this.ear.on(Say, ({ who }) => void heard.push(`own ${who}`));
        this.offers(this.ear);
      }
    }
    start(Main);
    expect(heard).to.deep.equal(["own s"]);
  });

  it("yields to a nearer one", () => {
    class Inner extends Component {
      readonly listener = this.create(Listener, { name: "inner" });
      readonly speaker = this.create(Speaker, { name: "s" });
      constructor() {
        super();
        this.offers(this.listener.ports.ear);
      }
    }
    class Main extends Component {
      readonly listener = this.create(Listener, { name: "outer" });
      readonly inner = this.create(Inner);
      constructor() {
        super();
        this.offers(this.listener.ports.ear);
      }
    }
    start(Main);
    expect(heard).to.deep.equal(["inner hears s"]);
  });

  it("yields to an explicit connection", () => {
    class Main extends Component {
      readonly offered = this.create(Listener, { name: "offered" });
      readonly wired = this.create(Listener, { name: "wired" });
      readonly speaker = this.create(Speaker, { name: "s" });
      constructor() {
        super();
        this.offers(this.offered.ports.ear);
        this.connect(this.wired.ports.ear, this.speaker.ports.ear);
      }
    }
    start(Main);
    expect(heard).to.deep.equal(["wired hears s"]);
  });

  it("never resolves a port of the one that makes it", () => {
    class Selfish extends Component {
      readonly give = this.provides(Ear);
      readonly ear = this.requires(Ear);
      constructor() {
        super();
        this.offers(this.give);
        this.give.on(Say, () => void heard.push("selfish"));
        this.onStart(() => this.ear.trigger(new Say({ who: "selfish" })));
      }
    }
    class Main extends Component {
      readonly listener = this.create(Listener, { name: "outer" });
      readonly selfish = this.create(Selfish);
      constructor() {
        super();
        this.offers(this.listener.ports.ear);
      }
    }
    start(Main);
    expect(heard).to.deep.equal(["outer hears selfish"]);
    heard = [];
    const alone = start(Selfish);
    expect(alone.faults.map(({ cause }) => errorCode(cause))).to.deep.equal([
      "KITH_PORT_UNRESOLVED",
    ]);
  });

  it("never resolves a port of what provides it, so that a layer may stand upon the one above", () => {
    class Layer extends Component {
      readonly give = this.provides(Ear);
      readonly ear = this.requires(Ear);
      constructor() {
        super();
        this.give.on(Say, ({ who }) =>
          this.ear.trigger(new Say({ who: `${who} through the layer` })),
        );
      }
    }
    class Main extends Component {
      readonly layer = this.create(Layer);
      readonly speaker = this.create(Speaker, { name: "s" });
      constructor() {
        super();
        this.offers(this.layer.ports.give);
      }
    }
    class Top extends Component {
      readonly listener = this.create(Listener, { name: "top" });
      readonly main = this.create(Main);
      constructor() {
        super();
        this.offers(this.listener.ports.ear);
      }
    }
    start(Top);
    expect(heard).to.deep.equal(["top hears s through the layer"]);
  });

  it("that comes later and nearer rewires nothing, and holds for those that start after it", () => {
    class Inner extends Component {
      readonly listener = this.create(Listener, { name: "inner" });
      readonly early = this.create(Speaker, { name: "early" });
      offerNow(): void {
        this.offers(this.listener.ports.ear);
        this.create(Speaker, { name: "late" });
      }
      again(): void {
        this.stop(this.early);
        this.start(this.early);
      }
    }
    class Main extends Inner {
      readonly inner = this.create(Nested);
      constructor() {
        super();
        this.offers(this.listener.ports.ear);
      }
    }
    let nested: Inner | undefined;
    class Nested extends Inner {
      constructor() {
        super();
        nested = this;
      }
      late(): void {
        this.enter(() => this.offerNow());
      }
      repeat(): void {
        this.enter(() => this.again());
      }
    }
    const run = start(Main);
    expect(heard).to.deep.equal(["inner hears early", "inner hears early"]);
    heard = [];
    (nested as Nested).late();
    run.world.settle();
    (nested as Nested).repeat();
    run.world.settle();
    expect(heard).to.deep.equal(["inner hears late", "inner hears early"]);
    const wires = run.system.tree();
    expect(wires).to.contain("Speaker-2");
  });

  it("may carry a key for every channel that it makes", () => {
    class Branch extends Component {
      readonly a = this.create(Speaker, { name: "a" });
      readonly b = this.create(Speaker, { name: "b" });
    }
    let listener: Listener | undefined;
    class Source extends Listener {
      constructor(init: { name: string }) {
        super(init);
        listener = this;
      }
      send(key: string): void {
        this.enter(() => this.emit(key));
      }
    }
    class Keyed extends Component {
      readonly source = this.create(Source, { name: "source" });
      readonly one = this.create(Branch1);
      readonly two = this.create(Branch2);
    }
    class Branch1 extends Component {
      readonly hub = this.create(Hub, { key: "one" });
    }
    class Branch2 extends Component {
      readonly hub = this.create(Hub, { key: "two" });
    }
    class Hub extends Component {
      readonly ear = this.provides(
        Ear,
        by(Heard, ({ key }) => key),
      );
      readonly branch = this.create(Branch);
      constructor({ key }: { key: string }) {
        super();
        this.offers(this.ear, { key });
        this.onStart(() => {
          this.ear.trigger(new Heard({ by: "hub", key: "one" }));
          this.ear.trigger(new Heard({ by: "hub", key: "two" }));
        });
      }
      fire(): void {
        for (const key of ["one", "two", "three"]) this.ear.trigger(new Heard({ by: "hub", key }));
      }
    }
    const run = start(Keyed);
    expect(listener).to.not.equal(undefined);
    heard = [];
    for (const path of ["/Keyed-1/Branch1-1/Hub-1", "/Keyed-1/Branch2-1/Hub-1"]) {
      run.system.enter(() => instanceAt<Hub>(run.system, path).fire(), path);
    }
    run.world.settle();
    expect(heard).to.have.members(["a gets one", "b gets one", "a gets two", "b gets two"]);
  });

  it("of a component that has been killed is no offer", () => {
    class Main extends Component {
      readonly first = this.create(Listener, { name: "first" });
      constructor() {
        super();
        this.offers(this.first.ports.ear);
      }
      replace(): void {
        this.kill(this.first);
      }
      next(): void {
        const second = this.create(Listener, { name: "second" });
        this.offers(second.ports.ear);
        this.create(Speaker, { name: "s" });
      }
    }
    const run = start(Main);
    run.do((main) => main.replace());
    run.do((main) => main.next());
    expect(heard).to.deep.equal(["second hears s"]);
  });
});

describe("a port left unresolved", () => {
  it("is an error that names its path and the nearest offers", () => {
    const Deep = port("Deep", {});
    class Needy extends Component {
      readonly wish = this.requires(Deep);
    }
    class Main extends Component {
      readonly listener = this.create(Listener, { name: "l" });
      readonly needy = this.create(Needy, {}, { name: "needy" });
      constructor() {
        super();
        this.offers(this.listener.ports.ear);
      }
    }
    const run = start(Main);
    expect(run.faults.map(({ path, cause }) => `${path}: ${String(cause)}`)).to.deep.equal([
      "/Main-1/needy: KithError: The required port wish (Deep) of /Main-1/needy is not connected; offered above it: Ear by /Main-1, Timer by the world. Connect the port, or let an ancestor offer a provider of its type. [KITH_PORT_UNRESOLVED]",
    ]);
    const bare = start(Needy, undefined, { timer: false });
    expect(String(bare.faults[0]?.cause)).to.contain("nothing is offered above it");
  });

  it("goes to the policy of the parent like any fault", () => {
    class Needy extends Component {
      readonly ear = this.requires(Ear);
    }
    class Main extends Component {
      readonly codes: string[] = [];
      readonly needy = this.create(Needy);
      constructor() {
        super();
        this.onFault(({ cause }) => (this.codes.push(errorCode(cause)), "stop"));
      }
    }
    const run = start(Main);
    expect(run.system.instance.codes).to.deep.equal(["KITH_PORT_UNRESOLVED"]);
    expect(run.system.tree()).to.match(/Main-1 \(Main, started\)[^]*Needy-1 \(Needy, stopped\)/);
  });
});

describe("an offer of what is gone", () => {
  it("keeps nothing of it", () => {
    class Main extends Component {
      make(): void {
        const child = this.create(Listener, { name: "again" }, { name: "again" });
        this.offers(child.ports.ear);
        this.enter(() => this.kill(child));
      }
    }
    const run = start(Main);
    const offers = (): readonly unknown[] | null =>
      (run.system.main as unknown as { core: { offers: readonly unknown[] | null } }).core.offers;
    for (let n = 0; n < 10; n++) run.do((main) => main.make());
    expect(offers()).to.equal(null);
  });

  it("leaves the other offers of the parent as they are", () => {
    class Main extends Component {
      readonly kept = this.create(Listener, { name: "kept" });
      readonly gone = this.create(Listener, { name: "gone" });
      constructor() {
        super();
        this.offers(this.gone.ports.ear);
        this.offers(this.kept.ports.ear);
      }
      remove(): void {
        this.kill(this.gone);
      }
      speak(): void {
        this.create(Speaker, { name: "late" });
      }
    }
    const run = start(Main);
    run.do((main) => main.remove());
    run.do((main) => main.speak());
    expect(heard).to.deep.equal(["kept hears late"]);
  });
});

describe("an offer that is narrowed", () => {
  class Room extends Component {
    readonly own = this.requires(Ear);
    constructor({ key, again }: { key: string; again?: string }) {
      super();
      this.narrows(Ear, key);
      if (again === undefined) this.create(Speaker, { name: key });
      else this.create(Room, { key: again });
      this.own.on(Heard, (one) => void heard.push(`room ${key} sees ${one.key}`));
    }
    late(): void {
      this.enter(() => void this.create(Speaker, { name: "late" }));
    }
  }
  class House extends Component {
    readonly listener = this.create(Listener, { name: "l" });
    readonly a = this.create(Room, { key: "a" });
    readonly b = this.create(Room, { key: "outer", again: "b" });
    constructor({ key }: { key?: string }) {
      super();
      this.offers(this.listener.ports.ear, key === undefined ? {} : { key });
    }
  }
  const told = (key: string, init: { key?: string } = {}): string[] => {
    const run = start(House, init);
    run.do(() => instanceAt<Room>(run.system, "/House-1/Room-1").late());
    heard = [];
    run.do(() => instanceAt<Listener>(run.system, "/House-1/Listener-1").call(key));
    return heard;
  };

  it("gives what is below the key, the nearest one, at any time, and not the one who narrows", () => {
    expect(told("a")).to.have.members([
      "a gets a",
      "late gets a",
      "room a sees a",
      "room outer sees a",
    ]);
    expect(told("b")).to.have.members(["b gets b", "room a sees b", "room outer sees b"]);
  });

  it("keeps the key that the offer has", () => {
    expect(told("c", { key: "c" })).to.include.members(["a gets c", "b gets c"]);
    expect(told("a", { key: "c" })).to.deep.equal([]);
  });

  it("needs a key extractor", () => {
    class Keyless extends Component {
      readonly ear = this.provides(Ear);
    }
    class Main extends Component {
      readonly child = this.create(Keyless);
      readonly room = this.create(Room, { key: "a" });
      constructor() {
        super();
        this.offers(this.child.ports.ear);
      }
    }
    const { faults } = start(Main);
    expect(errorCode(faults[0]?.cause)).to.equal("KITH_BAD_ARGUMENT");
  });
});

describe("an offer that could lead nowhere", () => {
  it("is an error: a key without an extractor, a required port", () => {
    class Keyless extends Component {
      readonly ear = this.provides(Ear);
    }
    class WithKey extends Component {
      readonly child = this.create(Keyless);
      constructor() {
        super();
        this.offers(this.child.ports.ear, { key: "a" });
      }
    }
    class Required extends Component {
      readonly child = this.create(Speaker, { name: "s" });
      constructor() {
        super();
        this.offers(this.child.ports.ear as never);
      }
    }
    expect(codeOf(() => start(WithKey))).to.equal("KITH_BAD_ARGUMENT");
    expect(codeOf(() => start(Required))).to.equal("KITH_CONNECT_MISMATCH");
  });
});
