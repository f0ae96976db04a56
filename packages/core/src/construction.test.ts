import { expect } from "chai";
import { Component, launch, ManualWorld } from "./index.ts";
import { codeOf, instanceAt, Note, Notes, start } from "./kit.test.ts";

class Leaf extends Component {}
class Branch extends Component {
  readonly a = this.create(Leaf);
  readonly b = this.create(Leaf, {}, { name: "given" });
  readonly c = this.create(Leaf);
  remove(): void {
    this.kill(this.a);
  }
  add(name?: string): string {
    return this.create(Leaf, {}, name === undefined ? {} : { name }).path;
  }
}

describe("a component's name", () => {
  it("is its class with an ordinal, or the one that was given", () => {
    const { a, b, c } = start(Branch).system.instance;
    expect([a.name, b.name, c.name]).to.deep.equal(["Leaf-1", "given", "Leaf-2"]);
    expect([a.path, b.path, c.path]).to.deep.equal([
      "/Branch-1/Leaf-1",
      "/Branch-1/given",
      "/Branch-1/Leaf-2",
    ]);
  });

  it("is fixed when it is created: a kill gives no ordinal back", () => {
    const run = start(Branch);
    run.do((main) => main.remove());
    let path = "";
    run.do((main) => (path = main.add()));
    expect(path).to.equal("/Branch-1/Leaf-3");
  });

  it("may be used again once its bearer is gone, and not before", () => {
    const run = start(Branch);
    const codes: string[] = [];
    run.do((main) => {
      codes.push(
        codeOf(() => main.add("given")),
        codeOf(() => main.add("Leaf-1")),
      );
      main.remove();
    });
    run.do((main) => codes.push(codeOf(() => main.add("Leaf-1"))));
    expect(codes).to.deep.equal(["KITH_DUPLICATE_NAME", "KITH_DUPLICATE_NAME", ""]);
  });

  it("must suit a path", () => {
    const run = start(Branch);
    const codes: string[] = [];
    run.do((main) => {
      for (const name of ["", "a/b", "a b", "..\n"]) codes.push(codeOf(() => main.add(name)));
      for (const name of ["a.b:c#1_-", "Größe", "peer:7"]) codes.push(codeOf(() => main.add(name)));
    });
    expect(codes).to.deep.equal([...Array<string>(4).fill("KITH_NAME_INVALID"), "", "", ""]);
  });

  it("comes from any class, also one that a minifier has named or nobody", () => {
    const $ = class extends Component {};
    const run = start(
      class extends Component {
        readonly a = this.create($);
        readonly b = this.create((() => class extends Component {})());
        readonly c = this.create((() => class extends Component {})());
      },
    );
    const { a, b, c } = run.system.instance;
    expect([a.name, b.name, c.name]).to.deep.equal(["$-1", "Component-1", "Component-2"]);
    expect(run.system.main.path).to.match(/^\/.+-1$/);
  });

  it("belongs to the handle, which prints with its path", () => {
    const { system } = start(Branch);
    expect(String(system.instance)).to.equal("Branch /Branch-1");
  });
});

describe("construction", () => {
  it("happens in create and nowhere else", () => {
    expect(codeOf(() => new Leaf())).to.equal("KITH_NOT_CREATED");
    const codes: string[] = [];
    class Sly extends Component {
      constructor() {
        super();
        codes.push(codeOf(() => new Leaf()));
        this.onStart(() => void codes.push(codeOf(() => new Leaf())));
      }
    }
    start(Sly);
    expect(codes).to.deep.equal(["KITH_NOT_CREATED", "KITH_NOT_CREATED"]);
  });

  it("wants a component class", () => {
    class Plain {
      constructor() {}
    }
    expect(codeOf(() => start(Plain as never))).to.equal("KITH_SUPER_FIRST");
    expect(codeOf(() => start(Leaf))).to.equal("");
  });

  it("that throws leaves nothing behind, and the name is free", () => {
    const acquired: string[] = [];
    class Inner extends Component {
      constructor() {
        super();
        this.onAcquire(() => void acquired.push("inner"));
      }
    }
    class Broken extends Component {
      readonly notes = this.requires(Notes);
      readonly inner = this.create(Inner);
      constructor() {
        super();
        throw new Error("broken");
      }
    }
    class Main extends Component {
      attempt(): string {
        return codeOf(() => this.create(Broken, {}, { name: "x" }));
      }
      works(): string {
        return this.create(Leaf, {}, { name: "x" }).path;
      }
    }
    const run = start(Main);
    const seen: string[] = [];
    run.do((main) => seen.push(main.attempt(), main.works()));
    expect(seen).to.deep.equal(["Error: broken", "/Main-1/x"]);
    expect(acquired).to.deep.equal([]);
    expect(run.system.tree()).not.to.contain("Inner");
    expect(run.faults).to.deep.equal([]);
  });

  it("of a whole program throws where it is launched, and at once", () => {
    class Broken extends Component {
      constructor() {
        super();
        throw new Error("broken");
      }
    }
    class Main extends Component {
      readonly child = this.create(Broken);
    }
    expect(() => launch(Main, {}, new ManualWorld())).to.throw("broken");
    expect(codeOf(() => new Leaf())).to.equal("KITH_NOT_CREATED");
  });

  it("goes through all levels before anything starts", () => {
    const seen: string[] = [];
    class Child extends Component {
      constructor() {
        super();
        seen.push("child built");
        this.onStart(() => void seen.push("child starts"));
      }
    }
    class Main extends Component {
      readonly child = this.create(Child);
      constructor() {
        super();
        seen.push("main built");
        this.onStart(() => void seen.push("main starts"));
      }
    }
    start(Main);
    expect(seen).to.deep.equal(["child built", "main built", "main starts", "child starts"]);
  });
});

describe("an init", () => {
  class Holder extends Component {
    readonly init: { list: number[] };
    constructor(init: { list: number[] }) {
      super();
      this.init = init;
    }
  }

  it("reaches the child as a copy: neither sees what the other does to it", () => {
    const list = [1];
    class Main extends Component {
      readonly a = this.create(Holder, { list });
      readonly b = this.create(Holder, { list });
    }
    const { system } = start(Main);
    list.push(2);
    const a = instanceAt<Holder>(system, "/Main-1/Holder-1");
    const b = instanceAt<Holder>(system, "/Main-1/Holder-2");
    a.init.list.push(3);
    expect([a.init.list, b.init.list]).to.deep.equal([[1, 3], [1]]);
  });

  it("is as it was when a restart begins again from it", () => {
    const seen: number[][] = [];
    class Spoiler extends Component {
      readonly notes = this.provides(Notes);
      constructor({ list }: { list: number[] }) {
        super();
        seen.push([...list]);
        list.push(99);
        this.notes.on(Note, () => {
          throw new Error("x");
        });
      }
    }
    class Main extends Component {
      readonly out = this.requires(Notes);
      constructor() {
        super();
        this.onFault(() => ({
          restart: true,
          backoff: 0,
          factor: 1,
          backoffMax: 0,
          limit: 5,
          within: 1000,
        }));
        this.connect(this.create(Spoiler, { list: [1] }).ports.notes, this.out);
      }
    }
    const run = start(Main);
    run.do((main) => main.out.trigger(new Note({ n: 1 })));
    expect(seen).to.deep.equal([[1], [1]]);
  });

  it("that is not plain data is an error with a code, which names the place", () => {
    class Main extends Component {
      readonly a = this.create(Holder, { list: [1, (() => 2) as never] });
    }
    expect(() => start(Main))
      .to.throw("The init of /Main-1/Holder-1.list[1] is a function, which is not plain data.")
      .with.property("code", "KITH_INIT_NOT_PLAIN");
    expect(() => start(Holder, { list: new Date() as never }))
      .to.throw("The init of /Holder-1.list is an instance of Date")
      .with.property("code", "KITH_INIT_NOT_PLAIN");
  });
});
