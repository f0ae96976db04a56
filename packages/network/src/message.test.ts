import { Component, event, KithError, launch, ManualWorld } from "@kith/core";
import { expect } from "chai";
import {
  classOf,
  isRegistered,
  message,
  Message,
  Network,
  type PeerRef,
  schemaFingerprint,
  withSender,
} from "./index.ts";

const to: PeerRef = { peerId: 1, host: "a", port: 1, incarnation: 1 };
const from: PeerRef = { peerId: 2, host: "b", port: 2, incarnation: 1 };

class Hello extends message("message-test/Hello")<{ name: string }> {}

class Greeter extends Component {
  readonly net = this.requires(Network);

  constructor() {
    super();
    this.net.on(Hello, (hello) => this.net.trigger(new Hello({ to: hello.from, name: "you too" })));
  }
}

describe("message", () => {
  it("makes classes of which the receiver is required and the sender is not", () => {
    const hello = new Hello({ to, name: "x" });
    expect(hello).to.include({ to, name: "x" });
    expect(hello).to.be.instanceOf(Message);
    expect(Hello.tag).to.equal("message-test/Hello");
    expect(new Hello({ to, from, name: "x" }).from).to.equal(from);
    // @ts-expect-error -- there is no receiver
    new Hello({ name: "x" });
    // @ts-expect-error -- a field is missing
    new Hello({ to });
    // @ts-expect-error -- a field is of another type
    new Hello({ to, name: 1 });
    // @ts-expect-error -- a receiver is a peer
    expect(() => new Hello({ to: "a:1", name: "x" })).to.not.throw();
    class Local extends event("message-test/Local") {}
    class Sender extends Component {
      readonly net = this.requires(Network);
      wrong(): void {
        // @ts-expect-error -- an event that is no message does not travel
        this.net.trigger(new Local());
      }
    }
    expect(Sender).to.be.a("function");
  });

  it("derives messages from messages", () => {
    class Warm extends event("message-test/Warm", Hello)<{ degrees: number }> {}
    const warm = new Warm({ to, name: "x", degrees: 30 });
    expect(warm).to.be.instanceOf(Hello);
    expect([warm.degrees, warm.name, Warm.tag]).to.deep.equal([30, "x", "message-test/Warm"]);
    // @ts-expect-error -- the base's field is missing
    new Warm({ to, degrees: 1 });
  });

  it("registers a class when somebody subscribes to it", () => {
    class Heard extends message("message-test/Heard") {}
    class Listener extends Component {
      readonly net = this.requires(Network);
      constructor() {
        super();
        this.net.on(Heard, () => undefined);
        this.net.on(Message, () => undefined);
      }
    }
    expect(isRegistered(Heard)).to.equal(false);
    launch(Listener, {}, new ManualWorld());
    expect(classOf("message-test/Heard")).to.equal(Heard);
    expect(isRegistered(Message)).to.equal(false);
    expect(Greeter).to.be.a("function");
  });

  it("registers a class when its first instance is built", () => {
    class Built extends message("message-test/Built") {}
    const before = schemaFingerprint();
    expect(classOf("message-test/Built")).to.equal(undefined);
    new Built({ to });
    expect(classOf("message-test/Built")).to.equal(Built);
    expect(schemaFingerprint()).to.not.equal(before);
  });

  it("refuses a second class of the same tag, but not a second copy of the same class", () => {
    const copy = (): typeof Hello => {
      class Hello extends message("message-test/Hello")<{ name: string }> {}
      return Hello;
    };
    new Hello({ to, name: "x" });
    const second = copy();
    expect(new second({ to, name: "y" }).name).to.equal("y");
    expect(classOf("message-test/Hello")).to.equal(Hello);
    class Other extends message("message-test/Hello")<{ name: string }> {}
    expect(() => new Other({ to, name: "x" }))
      .to.throw(KithError)
      .with.property("code", "KITH_MESSAGE_TAG_TAKEN");
  });

  it("refuses a class without a tag of its own", () => {
    class Plain extends Hello {}
    expect(() => new Plain({ to, name: "x" }))
      .to.throw(KithError)
      .with.property("code", "KITH_MESSAGE_UNTAGGED");
  });

  it("gives a message a sender without changing it", () => {
    const hello = new Hello({ to, name: "x" });
    const sent = withSender(hello, from);
    expect(hello.from).to.equal(undefined);
    expect(sent).to.be.instanceOf(Hello);
    expect(Object.assign({}, sent)).to.deep.equal({ to, from, name: "x" });
    expect(withSender(sent, to)).to.equal(sent);
  });
});
