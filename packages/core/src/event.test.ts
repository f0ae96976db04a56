import { expect } from "chai";
import { Event, event, request, timeout, Request, Timeout } from "./index.ts";
import { ownTag } from "./event.ts";

describe("event", () => {
  it("makes a class with a tag from one line", () => {
    class Ping extends event("test/Ping")<{ n: number; text: string }> {}
    const ping = new Ping({ n: 1, text: "a" });
    expect(ping).to.be.instanceOf(Event);
    expect(ping).to.be.instanceOf(Ping);
    expect(ping).to.deep.equal({ n: 1, text: "a" });
    expect(Ping.tag).to.equal("test/Ping");
    expect(Ping.name).to.equal("Ping");
  });

  it("takes no argument where there are no fields", () => {
    class Tick extends event("test/Tick") {}
    expect(Object.keys(new Tick())).to.deep.equal([]);
  });

  it("takes none either where all fields are optional", () => {
    class Query extends event("test/Query")<{ limit?: number }> {}
    expect(new Query().limit).to.equal(undefined);
    expect(new Query({}).limit).to.equal(undefined);
    expect(new Query({ limit: 3 }).limit).to.equal(3);
  });

  it("keeps a field that may be missing beside one that may not", () => {
    class Page extends event("test/Page")<{ from: number; limit?: number }> {}
    expect(Object.keys(new Page({ from: 1 }))).to.deep.equal(["from"]);
    expect(new Page({ from: 1, limit: 2 })).to.deep.equal({ from: 1, limit: 2 });
  });

  it("does not alias the object that the caller passed", () => {
    class Ping extends event("test/Ping")<{ n: number }> {}
    const fields = { n: 1 };
    const ping = new Ping(fields);
    fields.n = 2;
    expect(ping.n).to.equal(1);
  });

  it("builds an event from the fields of another one", () => {
    class Ping extends event("test/Ping")<{ n: number }> {}
    const first = new Ping({ n: 1 });
    const second = new Ping(first);
    expect(second).to.deep.equal(first);
    expect(second).not.to.equal(first);
  });

  it("leaves room for methods and getters", () => {
    class Sum extends event("test/Sum")<{ a: number; b: number }> {
      get total(): number {
        return this.a + this.b;
      }
    }
    const sum = new Sum({ a: 1, b: 2 });
    expect(sum.total).to.equal(3);
    expect(Object.keys(sum)).to.deep.equal(["a", "b"]);
  });

  it("lets the hottest events be explicit classes", () => {
    class Ping extends event("test/Ping") {
      readonly n: number;
      constructor(n: number) {
        super();
        this.n = n;
      }
    }
    expect(new Ping(7).n).to.equal(7);
    expect(Ping.tag).to.equal("test/Ping");
    expect(ownTag(Ping)).to.equal("test/Ping");
  });

  it("derives a class from a base, with the fields of both", () => {
    class Message extends event("test/Message")<{ to: string }> {}
    class Hello extends event("test/Hello", Message)<{ name: string }> {}
    const hello = new Hello({ to: "b", name: "a" });
    expect(hello).to.be.instanceOf(Message);
    expect(hello).to.deep.equal({ to: "b", name: "a" });
    expect(Hello.tag).to.equal("test/Hello");
    expect(Message.tag).to.equal("test/Message");
  });

  it("derives from an explicit base, whose constructor runs", () => {
    class Stamped extends event("test/Stamped") {
      readonly stamp: number;
      constructor(fields?: object) {
        super(fields);
        this.stamp = 5;
      }
    }
    class Mail extends event("test/Mail", Stamped)<{ text: string }> {}
    expect(new Mail({ text: "x" })).to.deep.equal({ text: "x", stamp: 5 });
  });

  it("gives a subclass without a tag of its own the tag of its base, but not its identity", () => {
    class Ping extends event("test/Ping")<{ n: number }> {}
    class LoudPing extends Ping {}
    expect(LoudPing.tag).to.equal("test/Ping");
    expect(ownTag(Ping)).to.equal("test/Ping");
    expect(ownTag(LoudPing)).to.equal(undefined);
    expect(ownTag(Event)).to.equal(undefined);
    expect(ownTag(Object)).to.equal(undefined);
  });
});

describe("request and timeout", () => {
  it("name the response of a request", () => {
    class Value extends event("test/Value")<{ value: string | null }> {}
    class Get extends request("test/Get", Value)<{ key: string }> {}
    expect(Get.response).to.equal(Value);
    expect(Get.tag).to.equal("test/Get");
    expect(new Get({ key: "k" }))
      .to.be.instanceOf(Request)
      .and.deep.equal({ key: "k" });
  });

  it("mark what a Timer gives back", () => {
    class Retry extends timeout("test/Retry")<{ attempt: number }> {}
    expect(new Retry({ attempt: 2 }))
      .to.be.instanceOf(Timeout)
      .and.deep.equal({ attempt: 2 });
    expect(Retry.tag).to.equal("test/Retry");
  });
});
