/** Parts of a member that fail and begin anew: they have heard nothing of what was told before, and go on all the same. */

import {
  Component,
  type Millis,
  type RequiredPort,
  restart,
  ScheduleTimeout,
  timeout,
  type Timer,
} from "@kith/core";
import {
  bytesText,
  Consensus,
  Found,
  GroupClient,
  Propose,
  replicatedGroups,
  textBytes,
} from "@kith/paxos";
import { simulate } from "@kith/sim";
import { expect } from "chai";
import { Caretaker } from "./caretaker.ts";
import { encodeCommand } from "./command.ts";
import { addressAt } from "./kit.test.ts";
import { Operator, SplitGroup, StoreOperator } from "./operator.ts";
import { Applied, Apply, Get, Got, Put, Read, Store, type StoreAnswer } from "./port.ts";
import { StoreClient } from "./store-client.ts";
import { StoreGate } from "./store-gate.ts";
import { storeMachine } from "./store-machine.ts";

const members = [0, 1, 2].map(addressAt);
const descriptor = { gid: "g", epoch: 1, lo: "", hi: null };
const groups = [{ descriptor, members }];
/** When parts fail, in milliseconds of the node's life. */
const failMs = 6000;

class Fail extends timeout("test/Fail") {}

/** What fails needs of a component. */
type Timed = Pick<RequiredPort<typeof Timer>, "on" | "trigger">;

/** Has a component fail once. @returns what is to be done at each start */
function failing(timer: Timed, now: () => Millis): () => void {
  timer.on(Fail, () => {
    throw new Error("it fails");
  });
  return () => {
    const delay = failMs - now();
    if (delay > 0) timer.trigger(new ScheduleTimeout({ delay, timeout: new Fail() }));
  };
}

class FrailCaretaker extends Caretaker {
  constructor(init: ConstructorParameters<typeof Caretaker>[0]) {
    super(init);
    this.onStart(failing(this.timer, () => this.clock.monotonic));
  }
}

class FrailGuest extends GroupClient {
  constructor(init: ConstructorParameters<typeof GroupClient>[0]) {
    super(init);
    this.onStart(failing(this.timer, () => this.clock.monotonic));
  }
}

class FrailGate extends StoreGate {
  constructor() {
    super();
    this.onStart(failing(this.timer, () => this.clock.monotonic));
  }
}

/** A member whose parts fail once. */
class Frail extends Component {
  readonly consensus = this.requires(Consensus);
  readonly store = this.requires(Store);
  readonly operator = this.requires(Operator);
  readonly answers: (StoreAnswer | object)[] = [];
  readonly gate;
  readonly groups = this.create(replicatedGroups(storeMachine), {}, { name: "groups" });
  readonly #found = this.consensus.onAnswer(Found, () => undefined);
  readonly #propose = this.consensus.onAnswer(Propose, () => undefined);
  readonly #get = this.store.onAnswer(Get, (one) => void this.answers.push(one));
  readonly #put = this.store.onAnswer(Put, (one) => void this.answers.push(one));
  readonly #apply = this.store.onAnswer(Apply, (one) => void this.answers.push(one));
  readonly #read = this.store.onAnswer(Read, (one) => void this.answers.push(one));
  readonly #split = this.operator.onAnswer(SplitGroup, (one) => void this.answers.push(one));

  constructor() {
    super();
    this.gate = this.create(FrailGate, {}, { name: "gate", onFault: () => restart() });
    const guest = this.create(
      FrailGuest,
      { groups: { g: members }, sessions: false },
      { name: "guest", onFault: () => restart() },
    );
    const client = this.create(StoreClient, { groups, ordered: true }, { name: "client" });
    const caretaker = this.create(
      FrailCaretaker,
      { period: 300 },
      { name: "caretaker", onFault: () => restart() },
    );
    const operator = this.create(StoreOperator, {}, { name: "operator" });
    this.connect(this.groups.ports.consensus, this.consensus);
    this.connect(this.groups.ports.consensus, this.gate.ports.consensus);
    this.connect(this.groups.ports.consensus, caretaker.ports.consensus);
    this.connect(guest.ports.replicated, client.ports.replicated);
    this.connect(guest.ports.replicated, operator.ports.replicated);
    this.connect(client.ports.recovery, caretaker.ports.recovery);
    this.connect(client.ports.store, this.store);
    this.connect(operator.ports.operator, this.operator);
  }

  found(): void {
    this.enter(() => this.#found(new Found({ gid: "g", peers: members })));
  }

  begin(): void {
    const command = encodeCommand({ kind: "found", ordered: true, ...descriptor });
    this.enter(() => this.#propose(new Propose({ gid: "g", command })));
  }

  ask(what: Get | Put | Apply | Read | SplitGroup): void {
    this.enter(() => {
      if (what instanceof Get) this.#get(what);
      else if (what instanceof Put) this.#put(what);
      else if (what instanceof Apply) this.#apply(what);
      else if (what instanceof Read) this.#read(what);
      else this.#split(what);
    });
  }

  /** White box: whether this node leads the group, and whether its gate knows it. */
  leads(): [boolean, boolean] {
    type Groups = InstanceType<ReturnType<typeof replicatedGroups>>;
    const { instance } = (this.groups as unknown as { core: { instance: Groups } }).core;
    const gate = (this.gate as unknown as { core: { instance: StoreGate } }).core.instance;
    const one = instance.state.replicas.get("g");
    return [one?.state.role === "leader", gate.state.leads.has("g")];
  }

  /** White box: how many keys are kept here. */
  kept(): number {
    type Groups = InstanceType<ReturnType<typeof replicatedGroups>>;
    const { instance } = (this.groups as unknown as { core: { instance: Groups } }).core;
    let count = 0;
    for (const { table } of instance.state.replicas.values())
      for (const key of table.cells.values.keys()) if (key.startsWith("k")) count++;
    return count;
  }
}

describe("a part of a member that fails and begins anew", () => {
  const founded = (): {
    world: ReturnType<typeof newWorld>;
    ask: (what: Parameters<Frail["ask"]>[0]) => object;
  } => {
    const world = newWorld();
    world.runFor(50);
    for (const { root } of world.nodes) root.found();
    world.runFor(3000);
    for (const { root } of world.nodes) root.begin();
    world.runFor(500);
    const { root } = world.node(0);
    const ask = (what: Parameters<Frail["ask"]>[0]): object => {
      const { length } = root.answers;
      root.ask(what);
      world.until(() => root.answers.length > length, { within: 20_000 });
      return root.answers[length] ?? {};
    };
    return { world, ask };
  };
  const newWorld = () => simulate(Frail, { seed: 3, nodes: 3 }).boot();

  it("takes care of what is led here, whoever has told its predecessor of it", () => {
    const { world, ask } = founded();
    world.runFor(failMs);
    const updates = [{ kind: "put", key: "a", value: textBytes("x"), expiry: 1000 } as const];
    expect(ask(new Apply({ updates }))).instanceOf(Applied);
    world.runFor(300);
    expect(world.node(0).root.kept()).equal(1);
    world.runFor(4000);
    for (const { root } of world.nodes) expect(root.kept()).equal(0);
  });

  it("knows where lines may be made, whoever has told its predecessor of it", () => {
    const { world } = founded();
    world.runFor(failMs);
    const leads = world.nodes.map(({ root }) => root.leads());
    expect(leads.filter(([here]) => here)).length(1);
    for (const [here, known] of leads) expect(known).equal(here);
  });

  it("calls groups of which its predecessor was told", () => {
    const { world, ask } = founded();
    ask(new SplitGroup({ gid: "g", at: "m" }));
    const put = new Put({ key: "z", value: textBytes("x") });
    ask(put);
    world.runFor(failMs);
    const got = ask(new Get({ key: "z" }));
    expect(got).instanceOf(Got);
    expect(bytesText((got as Got).entry.value ?? textBytes(""))).equal("x");
  });
});
