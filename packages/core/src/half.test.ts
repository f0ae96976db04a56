import { expect } from "chai";
import { Component, Event, event, port, type Subscription } from "./index.ts";
import { codeOf, Note, Notes, Other, start } from "./kit.test.ts";

class Animal extends event("test/Animal")<{ name: string }> {}
class Dog extends event("test/Dog", Animal)<{ tricks: number }> {}
class Puppy extends Dog {}
const Zoo = port("Zoo", { requests: [Animal] });

/** A main component that sends to itself: `out` leads to `into`. */
abstract class Loop extends Component {
  readonly into = this.provides(Notes);
  readonly out = this.requires(Notes);
  readonly seen: string[] = [];
  constructor() {
    super();
    this.connect(this.into, this.out);
  }
  send(...numbers: number[]): void {
    for (const n of numbers) this.out.trigger(new Note({ n }));
  }
}

describe("handlers", () => {
  it("match the event's class and its superclasses, and never a subclass", () => {
    const seen: string[] = [];
    class Keeper extends Component {
      readonly zoo = this.provides(Zoo);
      readonly out = this.requires(Zoo);
      constructor() {
        super();
        this.connect(this.zoo, this.out);
        this.zoo.on(Dog, ({ name }) => void seen.push(`dog ${name}`));
        this.zoo.on(Animal, ({ name }) => void seen.push(`animal ${name}`));
        this.zoo.on(Event, (any) => void seen.push(`event ${any.constructor.name}`));
        this.zoo.on(Puppy, ({ name }) => void seen.push(`puppy ${name}`));
      }
    }
    const run = start(Keeper);
    run.do(({ out }) => out.trigger(new Animal({ name: "a" })));
    expect(seen.splice(0)).to.deep.equal(["animal a", "event Animal"]);
    run.do(({ out }) => out.trigger(new Dog({ name: "d", tricks: 1 })));
    expect(seen.splice(0)).to.deep.equal(["dog d", "animal d", "event Dog"]);
    run.do(({ out }) => out.trigger(new Puppy({ name: "p", tricks: 0 })));
    expect(seen.splice(0)).to.deep.equal(["dog p", "animal p", "event Puppy", "puppy p"]);
  });

  it("match whatever classes came before, also after one was cancelled or came later", () => {
    const seen: string[] = [];
    class Cat extends event("test/Cat", Animal)<{ lives: number }> {}
    class Keeper extends Component {
      readonly zoo = this.provides(Zoo);
      readonly out = this.requires(Zoo);
      readonly dogs: Subscription;
      constructor() {
        super();
        this.connect(this.zoo, this.out);
        this.dogs = this.zoo.on(Dog, ({ name }) => void seen.push(`dog ${name}`));
        this.zoo.on(Puppy, ({ name }) => void seen.push(`puppy ${name}`));
      }
    }
    const run = start(Keeper);
    const send = (kinds: string): string => {
      for (const name of kinds)
        run.do(({ out }) => {
          if (name === "d") out.trigger(new Dog({ name, tricks: 1 }));
          else if (name === "p") out.trigger(new Puppy({ name, tricks: 0 }));
          else out.trigger(new Cat({ name, lives: 7 }));
        });
      return seen.splice(0).join(", ");
    };
    const [d, p, c] = ["dog d", "dog p, puppy p", "cat c"];
    const expected = (...all: (string | undefined)[]): string =>
      all.filter((one) => one !== c).join(", ");
    expect(send("dpdpp")).to.equal(expected(d, p, d, p, p));
    expect(send("cdpcpdcc")).to.equal(expected(c, d, p, c, p, d, c, c));
    run.do(({ zoo }) => void zoo.on(Cat, ({ name }) => void seen.push(`cat ${name}`)));
    expect(send("dcpccd")).to.equal([d, c, p, c, c, d].join(", "));
    run.do(({ dogs }) => dogs.cancel());
    expect(send("dcpdpc")).to.equal("cat c, puppy p, puppy p, cat c");
    expect(run.system.deadLetters).to.deep.equal({ "no-handler": 4 + 2 });
  });

  it("run in the order in which they subscribed, all of them", () => {
    class Main extends Loop {
      constructor() {
        super();
        for (const name of ["a", "b", "c"]) this.into.on(Note, () => void this.seen.push(name));
      }
    }
    const run = start(Main);
    run.do((main) => main.send(1, 2));
    expect(run.system.instance.seen.join("")).to.equal("abcabc");
  });

  it("are executed one at a time, to completion: what they trigger comes later", () => {
    class Main extends Loop {
      constructor() {
        super();
        this.into.on(Note, ({ n }) => {
          this.seen.push(`begin ${n}`);
          if (n < 3) this.send(n + 1);
          this.seen.push(`end ${n}`);
        });
      }
    }
    const run = start(Main);
    run.do((main) => main.send(1));
    expect(run.system.instance.seen).to.deep.equal([
      "begin 1",
      "end 1",
      "begin 2",
      "end 2",
      "begin 3",
      "end 3",
    ]);
  });

  it("may be subscribed and cancelled at any time", () => {
    class Main extends Loop {
      first: Subscription = this.into.on(Note, ({ n }) => void this.seen.push(`first ${n}`));
    }
    const run = start(Main);
    run.do((main) => main.send(1));
    run.do((main) => {
      main.into.on(Note, ({ n }) => void main.seen.push(`second ${n}`));
      main.send(2);
    });
    run.do((main) => {
      main.first.cancel();
      main.send(3);
    });
    expect(run.system.instance.seen).to.deep.equal(["first 1", "first 2", "second 2", "second 3"]);
  });

  it("that an earlier handler of the same event cancels do not run any more", () => {
    class Main extends Loop {
      constructor() {
        super();
        this.into.on(Note, () => {
          this.seen.push("a");
          if (this.seen.length === 1) b.cancel();
        });
        const b = this.into.on(Note, () => void this.seen.push("b"));
        this.into.on(Note, () => void this.seen.push("c"));
      }
    }
    const run = start(Main);
    run.do((main) => main.send(1, 2));
    expect(run.system.instance.seen.join("")).to.equal("acac");
  });

  it("that a handler of the same event subscribes run from the next event on", () => {
    class Main extends Loop {
      constructor() {
        super();
        this.into.on(Note, ({ n }) => {
          this.seen.push(`a${n}`);
          if (n === 1) this.into.on(Note, (later) => void this.seen.push(`b${later.n}`));
        });
      }
    }
    const run = start(Main);
    run.do((main) => main.send(1, 2));
    expect(run.system.instance.seen).to.deep.equal(["a1", "a2", "b2"]);
  });

  it("may cancel themselves", () => {
    class Main extends Loop {
      constructor() {
        super();
        const once = this.into.on(Note, ({ n }) => {
          this.seen.push(`once ${n}`);
          once.cancel();
        });
      }
    }
    const run = start(Main);
    run.do((main) => main.send(1, 2));
    expect(run.system.instance.seen).to.deep.equal(["once 1"]);
    expect(run.letters).to.have.length(1);
    expect(run.letters[0]).to.include({ reason: "no-handler", path: "/Main-1", port: "into" });
  });

  it("are cancelled once: a second time is an error", () => {
    class Main extends Loop {}
    const run = start(Main);
    run.do((main) => {
      const subscription = main.into.on(Note, () => undefined);
      subscription.cancel();
      main.seen.push(codeOf(() => subscription.cancel()));
    });
    expect(run.system.instance.seen).to.deep.equal(["KITH_NOT_SUBSCRIBED"]);
  });

  it("for a class that never arrives are an error, whoever is connected", () => {
    class Never extends event("test/Never") {}
    class Main extends Component {
      readonly notes = this.provides(Notes);
      readonly zoo = this.provides(Zoo);
      readonly codes = [
        codeOf(() => this.notes.on(Never as never, () => undefined)),
        codeOf(() => this.zoo.on(Note as never, () => undefined)),
        codeOf(() => this.zoo.on(Animal, "no function" as never)),
        codeOf(() => this.zoo.on(Puppy, () => undefined)),
      ];
    }
    expect(start(Main).system.instance.codes).to.deep.equal([
      "KITH_BAD_EVENT",
      "KITH_BAD_EVENT",
      "KITH_BAD_ARGUMENT",
      "",
    ]);
  });

  it("see each class apart, also when classes alternate", () => {
    class Main extends Loop {
      constructor() {
        super();
        this.into.on(Note, ({ n }) => void this.seen.push(`note ${n}`));
        this.into.on(Other, ({ n }) => void this.seen.push(`other ${n}`));
      }
    }
    const run = start(Main);
    run.do(({ out }) => {
      for (const n of [1, 2, 3]) {
        out.trigger(new Note({ n }));
        out.trigger(new Other({ n }));
      }
    });
    expect(run.system.instance.seen).to.deep.equal([
      "note 1",
      "other 1",
      "note 2",
      "other 2",
      "note 3",
      "other 3",
    ]);
  });
});

describe("trigger", () => {
  it("refuses what the port does not let pass, connected or not", () => {
    class Main extends Component {
      readonly zoo = this.provides(Zoo);
      readonly out = this.requires(Zoo);
      readonly lone = this.create(Lone);
    }
    class Lone extends Component {
      readonly notes = this.provides(Notes);
      constructor() {
        super();
        this.onStart(
          () =>
            codes.push(codeOf(() => this.notes.trigger(new Animal({ name: "a" }) as never))) > 0,
        );
      }
    }
    const codes: string[] = [];
    class Wired extends Main {
      constructor() {
        super();
        this.connect(this.zoo, this.out);
      }
    }
    const run = start(Wired);
    run.do(({ out, zoo }) => {
      codes.push(codeOf(() => out.trigger(new Note({ n: 1 }) as never)));
      codes.push(codeOf(() => out.trigger({ name: "shape" } as never)));
      codes.push(codeOf(() => zoo.trigger(new Animal({ name: "wrong direction" }) as never)));
      codes.push(codeOf(() => out.trigger(new Puppy({ name: "sub", tricks: 1 }))));
    });
    expect(codes).to.deep.equal([
      "KITH_BAD_EVENT",
      "KITH_BAD_EVENT",
      "KITH_BAD_EVENT",
      "KITH_BAD_EVENT",
      "",
    ]);
  });
});
