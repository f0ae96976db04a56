import { Component, KithError, launch, ManualWorld } from "@kith/core";
import { expect } from "chai";
import {
  ConnectionDown,
  Dropped,
  loopback,
  LoopbackHub,
  message,
  Network,
  type PeerRef,
} from "./index.ts";

class Hello extends message("loopback-test/Hello")<{ name: string }> {}

class Greeter extends Component {
  readonly net = this.requires(Network);
  readonly heard: string[] = [];

  constructor() {
    super();
    this.net.on(Hello, (hello) => {
      this.heard.push(hello.name);
      if (hello.name !== "you too")
        this.net.trigger(new Hello({ to: hello.from, name: "you too" }));
    });
    this.net.on(ConnectionDown, ({ reason }) => this.heard.push(`down: ${reason}`) > 0);
    this.net.on(Dropped, ({ reason }) => this.heard.push(`dropped: ${reason}`) > 0);
  }

  greet(to: PeerRef, name: string): void {
    this.enter(() => this.net.trigger(new Hello({ to, name })));
  }
}

/** Two greeters in one system, with a network each. */
class Pair extends Component {
  readonly networks: readonly ReturnType<typeof this.network>[];
  readonly greeters: Greeter[] = [];

  constructor() {
    super();
    this.networks = [a, b].map((self) => this.network(self));
  }

  network(self: PeerRef) {
    const { greeters } = this;
    const network = this.create(loopback(hub), { self });
    const greeter = this.create(
      class extends Greeter {
        constructor() {
          super();
          greeters.push(this);
        }
      },
    );
    this.connect(network.ports.network, greeter.ports.net);
    return network;
  }

  end(index: number): void {
    const network = this.networks[index];
    if (network !== undefined) this.kill(network);
  }
}

const a: PeerRef = { peerId: 1, host: "a", port: 1, incarnation: 1 };
const b: PeerRef = { peerId: 2, host: "b", port: 1, incarnation: 1 };
let hub = new LoopbackHub();

describe("LoopbackNetwork", () => {
  beforeEach(() => {
    hub = new LoopbackHub();
  });

  it("joins peers of one system", () => {
    const world = new ManualWorld();
    const system = launch(Pair, {}, world);
    world.settle();
    const [first, second] = system.instance.greeters;
    first?.greet(b, "hello");
    world.settle();
    expect([first?.heard, second?.heard]).to.deep.equal([["you too"], ["hello"]]);
  });

  it("closes its connections when it is stopped", () => {
    const world = new ManualWorld();
    const system = launch(Pair, {}, world);
    world.settle();
    const [first] = system.instance.greeters;
    first?.greet(b, "hello");
    world.settle();
    system.enter(() => system.instance.end(1));
    world.settle();
    first?.greet(b, "again");
    world.settle();
    expect(first?.heard).to.deep.equal([
      "you too",
      "down: closed",
      "down: refused",
      "dropped: unreachable",
    ]);
  });

  it("refuses a second network at one address", () => {
    const world = new ManualWorld();
    class Twice extends Component {
      readonly first = this.create(loopback(hub), { self: a });
      readonly second = this.create(loopback(hub), { self: { ...a, peerId: 9 } });
    }
    const faults: unknown[] = [];
    const system = launch(Twice, {}, { scheduler: world.scheduler, log: world.log });
    system.events.on("fault", ({ cause }) => faults.push(cause));
    world.settle();
    expect(faults[0])
      .to.be.instanceOf(KithError)
      .and.to.have.property("code", "KITH_NETWORK_ADDRESS_TAKEN");
  });

  it("passes messages on as they are where its codec is turned off", () => {
    hub = new LoopbackHub({ codec: null });
    const world = new ManualWorld();
    const system = launch(Pair, {}, world);
    world.settle();
    const [first, second] = system.instance.greeters;
    first?.greet(b, "hello");
    world.settle();
    expect([first?.heard, second?.heard]).to.deep.equal([["you too"], ["hello"]]);
  });

  it("makes one connection where both sides begin", () => {
    const world = new ManualWorld();
    const system = launch(Pair, {}, world);
    world.settle();
    const [first, second] = system.instance.greeters;
    first?.greet(b, "one");
    second?.greet(a, "two");
    world.settle();
    expect(first?.heard).to.have.members(["two", "you too"]);
    expect(second?.heard).to.have.members(["one", "you too"]);
  });
});
