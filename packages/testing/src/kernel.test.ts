import { expect } from "chai";
import { type Child, Component, event, launch, ManualWorld, Timeout } from "@kith/core";
import {
  Cache,
  Done,
  Get,
  Heart,
  KeyValue,
  LoudPing,
  Note,
  Ping,
  Pinger,
  PingPong,
  Ponger,
  Pong,
} from "./fixtures.test.ts";
import {
  instanceOf,
  isKnown,
  isOf,
  isRequest,
  isRequestClass,
  isToken,
  portsOf,
  rootsOf,
} from "./kernel.ts";

class Composite extends Component {
  readonly cache = this.create(Cache);
  readonly heart = this.create(Heart);
  readonly kv = this.exposes(this.cache.ports.kv);
}

function childOf(cls: new () => Component): Child {
  let child: Child | undefined;
  class Parent extends Component {
    constructor() {
      super();
      child = this.create(cls);
    }
  }
  launch(Parent, {}, new ManualWorld());
  if (child === undefined) throw new Error("there is no child");
  return child;
}

describe("what the kit knows of the kernel", () => {
  it("the ports of a child, with type and side", () => {
    const facts = portsOf(childOf(Cache)).map(({ name, type, provided }) => [name, type, provided]);
    expect(facts).to.deep.equal([
      ["kv", KeyValue, true],
      ["below", KeyValue, false],
    ]);
  });

  it("exposed ports, by what they lead to", () => {
    const facts = portsOf(childOf(Composite)).map(({ name, type, provided }) => [
      name,
      type,
      provided,
    ]);
    expect(facts).to.deep.equal([["kv", KeyValue, true]]);
  });

  it("nothing of a port that is built otherwise", () => {
    const foreign = { name: "A", path: "/A", ports: { pp: { odd: true }, qq: 7 } };
    expect(() => portsOf(foreign)).to.throw(
      "The port pp of /A is not built as this kit knows ports.",
    );
  });

  it("the instance behind a child", () => {
    expect(instanceOf(childOf(Ponger), Ponger)).to.be.instanceOf(Ponger);
    expect(() => instanceOf(childOf(Ponger), Pinger)).to.throw("is not an instance of Pinger");
  });

  it("classes and their bases", () => {
    const loud = new LoudPing({ n: 1, volume: 2 });
    expect([Ping, LoudPing, Pong].map((cls) => isOf(loud, cls))).to.deep.equal([true, true, false]);
    expect(isOf(undefined, Ping)).to.be.false;
    expect(isOf(new Ping({ n: 1 }), Timeout)).to.be.false;
    // Of another copy of the package: the same tag.
    class Twin extends event(Ping.tag)<{ n: number }> {}
    expect(isOf(new Twin({ n: 1 }), Ping)).to.be.true;
    expect(rootsOf([LoudPing, Ping, Note, Ping])).to.deep.equal([Ping, Note]);
    expect(rootsOf([])).to.deep.equal([]);
  });

  it("requests and their tokens", () => {
    expect([Get, Done, Ping].map(isRequestClass)).to.deep.equal([true, false, false]);
    expect(isRequest(new Get({ key: "" }))).to.be.true;
    expect(isKnown(new Get({ key: "" }))).to.be.true;
    expect(isRequest(new Done())).to.be.false;
    expect([{ asker: 1, ask: 2 }, { asker: 1 }, null, undefined, 7].map(isToken)).to.deep.equal([
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(PingPong.name).to.equal("PingPong");
  });
});
