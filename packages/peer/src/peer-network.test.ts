/** What one peer of a process hears of the shared Network: its own messages and losses, and all connections. */

import { by, Component, launch, ManualWorld } from "@kith/core";
import {
  ConnectionUp,
  Deliver,
  Delivery,
  Dropped,
  formatPeer,
  Message,
  Network,
  parsePeer,
  peerKey,
  type PeerRef,
  self,
} from "@kith/network";
import { Bundle, bundled } from "@kith/paxos";
import { expect } from "chai";
import { PastLife, pastLives } from "./past-life.ts";
import { Losses, PeerNetwork, Switchboard } from "./peer-network.ts";

const process = parsePeer("1@here:7000#3");
const far = parsePeer("9@there:7000#1");
const at = (peerId: number): PeerRef => ({ ...process, peerId });
/** It has begun anew twice. */
const again = { ...at(13), rebirth: 2 };

class Shared extends Component {
  readonly network = this.provides(
    Network,
    by(Message, ({ to }) => peerKey(to)),
  );
  readonly sent: Message[] = [];
  constructor() {
    super();
    this.network.on(Message, (message) => void this.sent.push(message));
    this.network.on(Deliver, ({ message }, token) => {
      this.sent.push(message);
      this.network.reply(token, new Delivery({ status: "sent" }));
    });
  }
}

class User extends Component {
  readonly network = this.requires(Network);
  readonly heard: string[] = [];
  readonly deliver = this.network.onAnswer(Deliver, (answer) => {
    if ("status" in answer) this.heard.push(answer.status);
  });
  constructor() {
    super();
    this.network.on(Bundle, ({ from }) => void this.heard.push(`from ${from.peerId}`));
    this.network.on(Dropped, ({ reason }) => void this.heard.push(reason));
    this.network.on(ConnectionUp, ({ peer }) => void this.heard.push(`up ${peer.peerId}`));
  }
}

class Peer extends Component {
  readonly user = this.create(User);
  constructor({ peer }: { readonly peer: PeerRef }) {
    super();
    this.narrows(Network, peerKey(peer));
    this.narrows(Losses, peer.peerId);
    for (const past of pastLives(peer)) this.create(PastLife, { peer: past });
    const own = this.create(PeerNetwork);
    this.connect(own.ports.network, this.user.ports.network);
  }
}

class Main extends Component {
  readonly shared = this.create(Shared);
  readonly peers;
  constructor() {
    super();
    this.offers(this.shared.ports.network);
    const board = this.create(Switchboard);
    this.offers(board.ports.losses);
    this.offers(board.ports.connections);
    this.peers = [at(11), at(12), again].map((peer) =>
      this.create(Peer, { peer }, { settings: [self.of(formatPeer(peer))] }),
    );
  }
}

interface Handle<C> {
  readonly core: { readonly instance: C };
}

function instanceOf<C>(child: object): C {
  return (child as Handle<C>).core.instance;
}

describe("the Network of one peer of a process", () => {
  const world = new ManualWorld();
  const system = launch(Main, {}, world);
  const shared = instanceOf<Shared>(system.instance.shared);
  const users = system.instance.peers.map((peer) => instanceOf<User>(instanceOf<Peer>(peer).user));
  const tell = (indication: Parameters<typeof shared.network.trigger>[0]): string[][] => {
    for (const { heard } of users) heard.length = 0;
    const inShared = shared as unknown as { enter: (action: () => void) => void };
    inShared.enter(() => shared.network.trigger(indication));
    world.settle();
    return users.map(({ heard }) => [...heard]);
  };
  world.settle();

  it("hears what is addressed to it", () => {
    const bundle = new Bundle({ to: at(12), from: far, messages: bundled([]) });
    expect(tell(bundle)).deep.equal([[], ["from 9"], []]);
  });

  it("hears what is for this life of it, and as lost what is for an earlier one", () => {
    const to = (peer: PeerRef) => tell(new Bundle({ to: peer, from: far, messages: bundled([]) }));
    expect(to(again)).deep.equal([[], [], ["from 9"]]);
    for (const rebirth of [{}, { rebirth: 1 }])
      expect(to({ ...at(13), ...rebirth })).deep.equal([[], [], ["wrong-incarnation"]]);
    expect(to({ ...at(13), rebirth: 3 })).deep.equal([[], [], []]);
    expect(to({ ...at(12), rebirth: 1 })).deep.equal([[], [], []]);
  });

  it("remembers the latest of many lives", () => {
    const past = pastLives({ ...at(13), rebirth: 40 }).map(({ rebirth }) => rebirth);
    expect(past).length(16).and.include(39).and.include(24);
    expect(pastLives(at(13))).deep.equal([]);
  });

  it("hears of its own losses, at either end, and of all connections", () => {
    const loss = { tag: Bundle.tag, detail: "" };
    const came = new Dropped({ ...loss, reason: "wrong-incarnation", to: at(11), from: far });
    expect(tell(came)).deep.equal([["wrong-incarnation"], [], []]);
    const went = new Dropped({ ...loss, reason: "unreachable", to: far, from: at(12) });
    expect(tell(went)).deep.equal([[], ["unreachable"], []]);
    expect(tell(new ConnectionUp({ peer: far }))).deep.equal([["up 9"], ["up 9"], ["up 9"]]);
  });

  it("sends under its own name, and hears what becomes of that", () => {
    const [, second] = users;
    const inUser = second as unknown as { enter: (action: () => void) => void };
    tell(new ConnectionUp({ peer: far }));
    inUser.enter(() => {
      second?.network.trigger(new Bundle({ to: far, messages: bundled([]) }));
      second?.deliver(
        new Deliver({ message: new Bundle({ to: far, messages: bundled([]) }), until: "sent" }),
      );
    });
    world.settle();
    expect(shared.sent.map(({ from }) => from)).deep.equal([at(12), at(12)]);
    expect(second?.heard).deep.equal(["up 9", "sent"]);
  });
});
