import { expect } from "chai";
import { Component, launch, ManualScheduler, ManualWorld } from "./index.ts";

class Batcher extends Component {
  readonly alone = this.cold("a batch of one");
}

describe("a cold path", () => {
  it("is never taken where no world forces it", () => {
    const system = launch(Batcher, {}, new ManualWorld());
    const taken = Array.from({ length: 100 }, () => system.instance.alone());
    expect(taken).not.to.include(true);
  });

  it("is decided over by a world that forces it, by the component's path and its own name", () => {
    const declared: string[] = [];
    let asked = 0;
    const cold = (path: string, name: string): (() => boolean) => {
      declared.push(`${path} ${name}`);
      return () => ++asked % 2 === 0;
    };
    const system = launch(Batcher, {}, { scheduler: new ManualScheduler(), cold });
    expect(declared).to.deep.equal(["/Batcher-1 a batch of one"]);
    expect([1, 2, 3, 4].map(() => system.instance.alone())).to.deep.equal([
      false,
      true,
      false,
      true,
    ]);
  });
});
