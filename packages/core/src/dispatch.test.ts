import { expect } from "chai";
import { Component, event, port, request } from "./index.ts";
import { isOf } from "./interest.ts";
import { start } from "./kit.test.ts";

/** One module of events, as if its package were installed as many times as this is called. */
function install() {
  class Fruit extends event("test/Fruit")<{ name: string }> {}
  class Apple extends event("test/Apple", Fruit)<{ red: boolean }> {}
  class Cox extends Apple {}
  class Basket extends event("test/Basket")<{ fruits: number }> {}
  class Pick extends request("test/Pick", Basket)<{ count: number }> {}
  const Orchard = port("Orchard", { requests: [Pick, Fruit], indications: [Fruit] });
  return { Fruit, Apple, Cox, Basket, Pick, Orchard };
}
const one = install();
const two = install();

class Grower extends Component {
  readonly orchard = this.provides(one.Orchard);
  readonly seen: string[] = [];
  constructor() {
    super();
    this.orchard.on(one.Apple, ({ name }) => void this.seen.push(`apple ${name}`));
    this.orchard.on(one.Fruit, ({ name }) => void this.seen.push(`fruit ${name}`));
    this.orchard.on(one.Cox, ({ name }) => void this.seen.push(`cox ${name}`));
    this.orchard.on(one.Pick, ({ count }, token) =>
      this.orchard.reply(token, new one.Basket({ fruits: count })),
    );
  }
}
class Eater extends Component {
  readonly orchard = this.requires(two.Orchard);
  readonly answers: string[] = [];
  readonly pick = this.orchard.onAnswer(
    two.Pick,
    (answer) =>
      void this.answers.push(
        `${answer.constructor.name} ${"fruits" in answer ? answer.fruits : ""}`,
      ),
  );
}
class Main extends Eater {
  readonly grower = this.create(Grower);
  seen: string[] = [];
  constructor() {
    super();
    this.connect(this.grower.ports.orchard, this.orchard);
  }
}
const seenBy = (run: ReturnType<typeof start<typeof Main>>): string[] =>
  (run.system.instance.grower as unknown as { core: { instance: Grower } }).core.instance.seen;

describe("dispatch over two copies of one package", () => {
  it("delivers by tag what comes from the other copy, to superclasses too", () => {
    const run = start(Main);
    run.do(({ orchard }) => {
      orchard.trigger(new two.Fruit({ name: "pear" }));
      orchard.trigger(new two.Apple({ name: "gala", red: true }));
    });
    expect(seenBy(run)).to.deep.equal(["fruit pear", "apple gala", "fruit gala"]);
  });

  it("delivers a subclass without a tag of its own to its tagged bases, and never to a namesake", () => {
    const run = start(Main);
    run.do(({ orchard }) => {
      orchard.trigger(new two.Cox({ name: "theirs", red: true }));
      orchard.trigger(new one.Cox({ name: "ours", red: true }));
    });
    expect(seenBy(run)).to.deep.equal([
      "apple theirs",
      "fruit theirs",
      "apple ours",
      "fruit ours",
      "cox ours",
    ]);
  });

  it("lets asks and answers cross", () => {
    const run = start(Main);
    run.do(({ pick }) => pick(new two.Pick({ count: 3 })));
    expect(run.system.instance.answers).to.deep.equal(["Basket 3"]);
  });

  it("is by constructor first: classes, not names, decide within one copy", () => {
    class Fruit extends event("other/Fruit")<{ name: string }> {}
    expect(isOf(Fruit, one.Fruit)).to.equal(false);
    expect(isOf(two.Fruit, one.Fruit)).to.equal(true);
    expect(isOf(two.Apple, one.Fruit)).to.equal(true);
    expect(isOf(two.Fruit, one.Apple)).to.equal(false);
    expect(isOf(two.Cox, one.Cox)).to.equal(false);
    expect(isOf(one.Cox, one.Cox)).to.equal(true);
    for (const odd of [undefined, null, 5, {}, Object])
      expect(isOf(odd, one.Fruit)).to.equal(false);
  });
});
