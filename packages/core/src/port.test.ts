import { expect } from "chai";
import { Component, port, type RequiredRef } from "./index.ts";
import { codeOf, Note, Notes, start } from "./kit.test.ts";

describe("port", () => {
  it("is a name and two lists of event classes", () => {
    expect(Notes.name).to.equal("Notes");
    expect(Notes.requests[0]).to.equal(Note);
    expect(Notes.indications).to.have.length(2);
    expect(Object.isFrozen(Notes)).to.equal(true);
  });

  it("may have one direction only", () => {
    expect(port("Silent", {})).to.deep.include({ name: "Silent", requests: [], indications: [] });
  });
});

describe("ports of a component", () => {
  it("may be several of one type, each named by its field", () => {
    const seen: string[] = [];
    class Hub extends Component {
      readonly left = this.provides(Notes);
      readonly right = this.provides(Notes);
      readonly up = this.requires(Notes);
      constructor() {
        super();
        this.left.on(Note, ({ n }) => void seen.push(`left ${n}`));
        this.right.on(Note, ({ n }) => void seen.push(`right ${n}`));
        this.up.on(Note, ({ n }) => void seen.push(`up ${n}`));
      }
    }
    class Main extends Component {
      readonly hub = this.create(Hub);
      readonly a = this.requires(Notes);
      readonly b = this.requires(Notes);
      readonly c = this.provides(Notes);
      constructor() {
        super();
        this.connect(this.hub.ports.left, this.a);
        this.connect(this.hub.ports.right, this.b);
        this.connect(this.c, this.hub.ports.up);
      }
    }
    const run = start(Main);
    expect(Object.keys(run.system.instance.hub.ports)).to.deep.equal(["left", "right", "up"]);
    run.do((main) => {
      main.b.trigger(new Note({ n: 1 }));
      main.a.trigger(new Note({ n: 2 }));
      main.c.trigger(new Note({ n: 3 }));
    });
    expect(seen).to.deep.equal(["right 1", "left 2", "up 3"]);
  });

  it("must stand in fields", () => {
    class Lost extends Component {
      constructor() {
        super();
        this.provides(Notes).on(Note, () => undefined);
      }
    }
    expect(() => start(Lost))
      .to.throw(/Lost at \/Lost-1 has a port \(Notes\) that is in no field/)
      .with.property("code", "KITH_PORT_NOT_A_FIELD");
  });

  it("cannot be declared once the component is built", () => {
    let code = "";
    class Late extends Component {
      constructor() {
        super();
        this.onStart(() => void (code = codeOf(() => this.provides(Notes))));
      }
    }
    start(Late);
    expect(code).to.equal("KITH_BAD_ARGUMENT");
  });

  it("show the parent an opaque reference, the same each time", () => {
    class Inner extends Component {
      readonly notes = this.provides(Notes);
    }
    class Main extends Component {
      readonly inner = this.create(Inner);
    }
    const { inner } = start(Main).system.instance;
    expect(inner.ports.notes).to.equal(inner.ports.notes);
    expect(inner.ports.notes).not.to.have.property("trigger");
    expect(inner.ports.notes).not.to.have.property("on");
  });
});

describe("exposes", () => {
  /** Three levels: the innermost has the ports, the two around it show them. */
  function nested(seen: string[]) {
    class Core extends Component {
      readonly notes = this.provides(Notes);
      readonly need = this.requires(Notes);
      constructor() {
        super();
        this.notes.on(Note, ({ n }) => void seen.push(`core ${n}`));
        this.need.on(Note, ({ n }) => void seen.push(`need ${n}`));
      }
    }
    class Shell extends Component {
      readonly core = this.create(Core);
      readonly notes = this.exposes(this.core.ports.notes);
      readonly need = this.exposes(this.core.ports.need);
    }
    class House extends Component {
      readonly shell = this.create(Shell);
      readonly door = this.exposes(this.shell.ports.notes);
      readonly need = this.exposes(this.shell.ports.need);
    }
    return House;
  }

  it("makes a grandchild's port a port of the composite, without a hop", () => {
    const seen: string[] = [];
    const House = nested(seen);
    class Main extends Component {
      readonly house = this.create(House);
      readonly out = this.requires(Notes);
      readonly back = this.provides(Notes);
      constructor() {
        super();
        this.connect(this.house.ports.door, this.out);
        this.connect(this.back, this.house.ports.need);
      }
    }
    const run = start(Main);
    run.do((main) => {
      main.out.trigger(new Note({ n: 1 }));
      main.back.trigger(new Note({ n: 2 }));
    });
    expect(seen).to.deep.equal(["core 1", "need 2"]);
    const handled: string[] = [];
    run.system.inspect((record) => record.kind === "handle" && handled.push(record.path));
    run.do((main) => main.out.trigger(new Note({ n: 3 })));
    expect(handled).to.deep.equal(["/Main-1/House-1/Shell-1/Core-1"]);
  });

  it("refuses a port of a component further down or elsewhere", () => {
    const House = nested([]);
    const codes: string[] = [];
    class Main extends Component {
      readonly a = this.create(House);
      readonly b = this.create(House);
      constructor() {
        super();
        const inner = (
          this.a as unknown as {
            core: { instance: { shell: { ports: { need: RequiredRef<typeof Notes> } } } };
          }
        ).core.instance.shell.ports.need;
        codes.push(
          codeOf(() => this.exposes(inner)),
          codeOf(() => this.connect(this.b.ports.door, inner)),
        );
        this.connect(this.b.ports.door, this.a.ports.need);
        this.connect(this.a.ports.door, this.b.ports.need);
      }
    }
    start(Main);
    expect(codes).to.deep.equal(["KITH_CONNECT_SCOPE", "KITH_CONNECT_SCOPE"]);
  });
});

describe("connect", () => {
  class Both extends Component {
    readonly give = this.provides(Notes);
    readonly take = this.requires(Notes);
  }
  const Strange = port("Strange", { requests: [Note] });
  class Stranger extends Component {
    readonly give = this.provides(Strange);
  }

  it("checks ends and types also at run time, where casts have hidden them", () => {
    const codes: string[] = [];
    class Main extends Component {
      readonly a = this.create(Both);
      readonly b = this.create(Both);
      readonly stranger = this.create(Stranger);
      constructor() {
        super();
        const { a, b, stranger } = this;
        codes.push(codeOf(() => this.connect(a.ports.take as never, b.ports.take)));
        codes.push(codeOf(() => this.connect(a.ports.give, b.ports.give as never)));
        codes.push(codeOf(() => this.connect(stranger.ports.give as never, b.ports.take)));
        this.connect(a.ports.give, b.ports.take);
        codes.push(codeOf(() => this.connect(a.ports.give, b.ports.take)));
        this.connect(b.ports.give, a.ports.take);
      }
    }
    start(Main);
    expect(codes).to.deep.equal([
      "KITH_CONNECT_MISMATCH",
      "KITH_CONNECT_MISMATCH",
      "KITH_CONNECT_MISMATCH",
      "KITH_ALREADY_CONNECTED",
    ]);
  });

  it("refuses a component that has been killed, and a key that nothing extracts", () => {
    const codes: string[] = [];
    class Main extends Component {
      readonly a = this.create(Both);
      readonly own = this.requires(Notes);
      constructor() {
        super();
        this.connect(this.a.ports.give, this.own);
        this.connect(this.a.ports.give, this.a.ports.take);
        this.onStart(() => this.kill(this.a));
        codes.push(codeOf(() => this.connect(this.a.ports.give, this.a.ports.take, { key: 1 })));
        codes.push(
          codeOf(() => this.connect(this.a.ports.give, this.a.ports.take, { fallback: true })),
        );
      }
      again(): void {
        codes.push(codeOf(() => this.connect(this.a.ports.give, this.own)));
      }
    }
    start(Main).do((main) => main.again());
    expect(codes).to.deep.equal(["KITH_BAD_ARGUMENT", "KITH_BAD_ARGUMENT", "KITH_DESTROYED"]);
  });
});
