/**
 * What a decision of the Paxos family takes: single-decree Paxos, Fast Paxos, Paxos Commit, and a message of a group multicast.
 *
 * How many there are in a second is measured with five systems of this process on a loopback hub, with storages in memory. How many
 * message delays, messages and flushed writes each takes is counted in the simulator, where every message takes 10 ms.
 * It is asked at a peer that is none of the four acceptors, so that nothing of it is for free.
 */

import { Component, type ComponentClass, launch, RealScheduler, type World } from "@kith/core";
import { formatPeer, loopback, LoopbackHub, Message, self } from "@kith/network";
import { Consensus, Found, Founded, GroupGate, replicatedGroups, textBytes } from "@kith/paxos";
import {
  AtomicCommit,
  Begin,
  CastVote,
  Ended,
  OutcomeKnown,
  OutcomeTaken,
  PaxosCommit,
  VoteAsked,
} from "@kith/paxos/commit";
import {
  Decide,
  Decided,
  type DecideHost,
  type DecideInit,
  Decisions,
  FastPaxos,
  SinglePaxos,
} from "@kith/paxos/decide";
import {
  GroupMulticast,
  Join,
  Joined,
  Multicast,
  multicastSequence,
  Send,
  Sequenced,
} from "@kith/paxos/multicast";
import { simulate, uniform } from "@kith/sim";
import { MemoryStorage, Write } from "@kith/storage";
import { HostTimer } from "@kith/timer/host";
import type { Case } from "../harness.ts";

interface Address {
  readonly peerId: number;
  readonly host: string;
  readonly port: number;
}

const count = 5;
/** The last one asks. */
const asking = count - 1;
const delayMs = 10;
const counted = 100;

function addressAt(index: number): Address {
  return { peerId: index + 1, host: `n${index + 1}`, port: 7000 };
}

/** Four of the five. */
const acceptors = [0, 1, 2, 3].map(addressAt);

/** Asks for decisions. */
abstract class Asker extends Component {
  /** Whether it can begin. */
  ready = true;
  onDone: (n: number, done: boolean) => void = () => undefined;
  /** Gets it ready; asked again until it is. */
  prepare(): void {
    this.ready = true;
  }
  abstract ask(n: number): void;
}

type AskerClass = ComponentClass & (new () => Asker);

function deciding(provider: ComponentClass & (new (init: DecideInit) => DecideHost)): AskerClass {
  return class extends Asker {
    readonly decisions = this.requires(Decisions);
    readonly child = this.create(
      provider,
      { acceptors, settings: { openMax: 100_000 } },
      { name: "decider" },
    );
    readonly #decide = this.decisions.onAnswer(Decide, (answer, { instance }) =>
      this.onDone(Number(instance), answer instanceof Decided),
    );

    constructor() {
      super();
      this.connect(this.child.ports.decisions, this.decisions);
    }
    override ask(n: number): void {
      this.#decide(new Decide({ instance: `${n}`, value: textBytes("value") }));
    }
  };
}

/** Three managers vote for each transaction; three acceptors. */
class Committing extends Asker {
  readonly commit = this.requires(AtomicCommit);
  readonly child = this.create(
    PaxosCommit,
    { acceptors: acceptors.slice(0, 3), settings: { openMax: 100_000 } },
    { name: "commit" },
  );
  readonly #begin = this.commit.onAnswer(Begin, (answer, _, { n }: { readonly n: number }) =>
    this.onDone(n, answer instanceof Ended && answer.committed),
  );

  constructor() {
    super();
    this.connect(this.child.ports.commit, this.commit);
    this.commit.on(VoteAsked, ({ transaction }) =>
      this.commit.trigger(new CastVote({ transaction, prepared: true })),
    );
    this.commit.on(OutcomeKnown, ({ transaction }) =>
      this.commit.trigger(new OutcomeTaken({ transaction })),
    );
  }
  override ask(n: number): void {
    const managers = acceptors.slice(0, 3);
    this.#begin(new Begin({ managers, body: textBytes("body") }), { context: { n } });
  }
}

/** Three replicas of the group, and five members. */
class Multicasting extends Asker {
  readonly consensus = this.requires(Consensus);
  readonly multicast = this.requires(Multicast);
  readonly groups = this.create(
    replicatedGroups(multicastSequence(10_000)),
    { announce: true },
    { name: "groups" },
  );
  readonly gate = this.create(GroupGate);
  readonly child = this.create(
    GroupMulticast,
    { gid: "g", members: acceptors.slice(0, 3), pendingMax: 10_000 },
    { name: "multicast" },
  );
  #isFounded = false;
  #isMember = false;
  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    this.#isFounded ||=
      answer instanceof Founded || ("reason" in answer && answer.reason !== "pending");
  });
  readonly #join = this.multicast.onAnswer(Join, (answer) => {
    this.#isMember ||= answer instanceof Joined;
    this.ready = this.#isMember;
  });
  readonly #send = this.multicast.onAnswer(Send, (answer, _, { n }: { readonly n: number }) =>
    this.onDone(n, answer instanceof Sequenced),
  );

  constructor() {
    super();
    this.ready = false;
    const { consensus } = this.groups.ports;
    this.connect(consensus, this.consensus);
    this.connect(consensus, this.gate.ports.consensus);
    this.connect(consensus, this.child.ports.consensus);
    this.connect(this.child.ports.multicast, this.multicast);
  }
  override prepare(): void {
    if (!this.#isFounded) this.#found(new Found({ gid: "g", peers: acceptors.slice(0, 3) }));
    else if (!this.#isMember) this.#join(new Join());
  }
  override ask(n: number): void {
    this.#send(new Send({ payload: textBytes("value") }), { context: { n } });
  }
}

/** Asks so many times, `open` at a time, and says when all are answered. */
function askAll(
  main: Asker,
  names: readonly number[],
  open: number,
  ask: (n: number) => void,
  done: (failed: number) => void,
): void {
  let next = 0;
  let left = names.length;
  let failed = 0;
  const more = (): void => {
    const n = names[next++];
    if (n !== undefined) ask(n);
  };
  main.onDone = (_, well) => {
    if (!well) failed++;
    if (--left === 0) done(failed);
    else more();
  };
  for (let i = 0; i < open; i++) more();
}

/** What each decision takes, counted in the simulator. */
function costs(asker: AskerClass, open: number): Record<string, number> {
  const world = simulate(asker, {
    seed: 1,
    nodes: count,
    latency: uniform(delayMs, delayMs),
  }).boot();
  world.runFor(500);
  for (let tries = 0; world.nodes.some(({ root }) => !root.ready); tries++) {
    if (tries > 100) throw new Error("they do not become ready");
    for (const { system, root } of world.nodes) system.enter(() => root.prepare());
    world.runFor(500);
  }
  let messages = 0;
  let flushes = 0;
  for (const { system, index } of world.nodes)
    system.inspect(({ kind, event }) => {
      if (kind !== "trigger") return;
      if (event instanceof Message && event.to.peerId !== index + 1) messages++;
      else if (event instanceof Write && event.flush !== false) flushes++;
    });
  const { system, root } = world.node(asking);
  const began = new Map<number, number>();
  let waited = 0;
  let ended = false;
  const ask = (n: number): void => {
    began.set(n, world.time);
    system.enter(() => root.ask(n));
  };
  const names = Array.from({ length: counted }, (_, n) => n);
  askAll(root, names, open, ask, (failed) => {
    if (failed > 0) throw new Error(`${failed} have failed`);
    ended = true;
  });
  const { onDone } = root;
  root.onDone = (n, well) => {
    waited += world.time - (began.get(n) ?? 0);
    onDone(n, well);
  };
  world.until(() => ended);
  world.runFor(200);
  const each = (sum: number): number => Math.round((sum / counted) * 10) / 10;
  return {
    "message delays": each(waited / delayMs),
    messages: each(messages),
    "flushed writes": each(flushes),
  };
}

interface Lab {
  readonly main: Asker;
  readonly ask: (n: number) => void;
  readonly stop: () => void;
}

/** Five systems of this process; the main component of the last one, and their end. */
async function systems(asker: AskerClass): Promise<Lab> {
  const hub = new LoopbackHub();
  const network = loopback(hub);
  const scheduler = new RealScheduler();
  const all = Array.from({ length: count }, (_, index) => {
    const peer = { ...addressAt(index), incarnation: 1 };
    const world: World = {
      scheduler,
      node: peer.host,
      settings: [self.of(formatPeer(peer))],
      install: (root) => {
        root.offers(root.create(HostTimer, {}, { name: "Timer" }).ports.timer);
        root.offers(root.create(network, { self: peer }, { name: "Network" }).ports.network);
        root.offers(root.create(MemoryStorage, {}, { name: "Storage" }).ports.storage);
      },
    };
    return launch(asker, {}, world);
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  while (all.some(({ instance }) => !instance.ready)) {
    for (const system of all) system.enter(() => system.instance.prepare());
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const last = all[asking];
  if (last === undefined) throw new Error("there is no last system");
  return {
    main: last.instance,
    ask: (n) => last.enter(() => last.instance.ask(n)),
    stop: () => {
      for (const system of all) void system.stop();
    },
  };
}

function familyCase(asker: AskerClass, open: number, operations: number): Case {
  let lab: Lab | null = null;
  let asked = 0;
  let wallMs = 0;
  let runs = 0;
  return {
    unit: "decision",
    count: operations,
    rounds: 3,
    prepare: async () => {
      lab = await systems(asker);
    },
    run: (total) =>
      new Promise((resolve, reject) => {
        if (lab === null) return;
        const { main, ask } = lab;
        const begin = performance.now();
        const names = Array.from({ length: total }, () => asked++);
        askAll(main, names, open, ask, (failed) => {
          if (++runs > 2) wallMs += performance.now() - begin;
          if (failed > 0) reject(new Error(`${failed} have failed`));
          else resolve();
        });
      }),
    facts: () => {
      lab?.stop();
      return {
        "decisions/s": Math.round((((runs - 2) * operations) / wallMs) * 1000),
        ...costs(asker, open),
      };
    },
  };
}

const askers: readonly (readonly [string, AskerClass])[] = [
  ["single-decree Paxos", deciding(SinglePaxos)],
  ["Fast Paxos", deciding(FastPaxos)],
  ["Paxos Commit, 3 managers", Committing],
  ["multicast, 3 replicas, 5 members", Multicasting],
];

const cases: Record<string, Case> = {};
for (const [open, operations] of [
  [1, 300],
  [50, 1000],
] as const)
  for (const [name, asker] of askers)
    cases[`${name}, ${open} at a time`] = familyCase(asker, open, operations);

/** The suite of the Paxos family. */
export const familySuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "paxos-family": cases,
};
