/**
 * Paxos Commit under faults of network, processes and disks: one run by its seed. Whatever anybody is ever told of a
 * transaction is the same; it commits only where all have voted so; and when everything is well again, all who have
 * voted are told, and nothing is kept of it.
 */

import { Component, mix } from "@kith/core";
import {
  delay,
  duplication,
  keptWrites,
  loss,
  lostWrites,
  partition,
  reordering,
  resets,
  simulate,
  slowFlush,
  swapNemesis,
  tornWrites,
} from "@kith/sim";
import { addressAt } from "../register.test.ts";
import { type CommitInit, PaxosCommit } from "./paxos-commit.ts";
import {
  AskOutcome,
  AtomicCommit,
  Begin,
  CastVote,
  Ended,
  OutcomeKnown,
  OutcomeTaken,
  VoteAsked,
} from "./port.ts";

/** What was met in a run. */
export interface CommitMarks {
  committed: number;
  aborted: number;
  /** Transactions whose manager was down when they ended. */
  orphaned: number;
  crashes: number;
}

/** A peer whose user votes as it is told, and keeps in `told` what it hears. */
export class Manager extends Component {
  readonly commit = this.requires(AtomicCommit);
  readonly child;
  /** How it votes; null for not at all. */
  votes: (transaction: string, managers: CommitInit["acceptors"]) => boolean | null = () => true;
  onVote: (transaction: string, prepared: boolean) => void = () => undefined;
  onTold: (transaction: string, committed: boolean) => void = () => undefined;
  readonly #begin = this.commit.onAnswer(Begin, (answer) => this.#ended(answer));
  readonly #ask = this.commit.onAnswer(AskOutcome, (answer) => this.#ended(answer));

  constructor(init: CommitInit) {
    super();
    this.child = this.create(PaxosCommit, init, { name: "commit" });
    this.connect(this.child.ports.commit, this.commit);
    this.commit.on(VoteAsked, ({ transaction, managers }) => {
      const prepared = this.votes(transaction, managers);
      if (prepared === null) return;
      this.onVote(transaction, prepared);
      this.commit.trigger(new CastVote({ transaction, prepared }));
    });
    this.commit.on(OutcomeKnown, ({ transaction, committed }) => {
      this.onTold(transaction, committed);
      this.commit.trigger(new OutcomeTaken({ transaction }));
    });
  }
  begin(managers: CommitInit["acceptors"]): void {
    this.enter(() => this.#begin(new Begin({ managers, body: new Uint8Array() })));
  }
  ask(transaction: string, managers: CommitInit["acceptors"]): void {
    this.enter(() => this.#ask(new AskOutcome({ transaction, managers, within: 5000 })));
  }
  /** White box: what is kept of transactions. */
  kept(): { readonly accepting: string[]; readonly managing: string[] } {
    const { core } = this.child as unknown as { core: { instance: PaxosCommit } };
    const { machine: committer } = core.instance.state;
    return {
      accepting: [...(committer?.accepting.keys() ?? [])],
      managing: [...(committer?.managing.keys() ?? [])],
    };
  }
  #ended(answer: object): void {
    if (answer instanceof Ended) this.onTold(answer.transaction, answer.committed);
  }
}

/** Runs a seed. @throws what it finds wrong */
export function commitChaos(seed: number): CommitMarks {
  let count = 0;
  const draw = (bound: number): number => mix(mix(seed, 193), count++) % bound;
  const has = (): boolean => draw(2) === 0;
  const nodes = 5;
  const acceptors = Array.from({ length: has() ? 3 : 5 }, (_, index) => addressAt(index));
  const faults = { crash: has(), cut: has(), copies: has(), swap: draw(3) === 0 };
  const world = simulate(Manager, {
    seed,
    nodes,
    transport: faults.copies ? "datagram" : "stream",
    init: { acceptors, settings: { retry: 60, patience: 300 } },
  }).boot();
  const undo: (() => void)[] = [];
  if (has()) undo.push(world.rule(loss(0.02 + draw(10) / 100)));
  if (has()) undo.push(world.rule(delay(0, 5 + draw(100), { from: `n${1 + draw(nodes)}` })));
  if (faults.copies) undo.push(world.rule(duplication(0.2)), world.rule(reordering(0.2, 500)));
  else if (has()) undo.push(world.rule(resets(0.01)));
  for (const { disk } of world.nodes) {
    const kind = draw(3);
    disk.faults.add(kind === 0 ? lostWrites(0.5) : kind === 1 ? tornWrites(0.5) : keptWrites(0.5));
    undo.push(disk.faults.add(slowFlush(0.3, 5, 20 + draw(100))));
  }
  const nemesis = faults.swap
    ? swapNemesis(world, { every: 300, paths: ["/Manager-1/commit"] })
    : null;

  const marks: CommitMarks = { committed: 0, aborted: 0, orphaned: 0, crashes: 0 };
  const outcomes = new Map<string, boolean>();
  /** By transaction and manager: the votes that were cast, in any life. */
  const votes = new Map<string, Set<boolean>>();
  const managersOf = new Map<string, CommitInit["acceptors"]>();
  const toldAt = new Map<string, Set<number>>();
  let calm = false;
  const watch = (index: number): void => {
    const { root } = world.node(index);
    root.votes = (transaction, managers) => {
      managersOf.set(transaction, managers);
      const kind = draw(8);
      return kind === 0 ? false : kind === 1 && !calm ? null : true;
    };
    root.onVote = (transaction, prepared) => {
      const key = `${transaction} ${index}`;
      votes.set(key, (votes.get(key) ?? new Set()).add(prepared));
    };
    root.onTold = (transaction, committed) => {
      const before = outcomes.get(transaction);
      if (before !== undefined && before !== committed)
        throw new Error(`PC1: ${transaction} is ${before}, and ${committed}`);
      toldAt.set(transaction, (toldAt.get(transaction) ?? new Set()).add(index));
      if (before !== undefined) return;
      outcomes.set(transaction, committed);
      marks[committed ? "committed" : "aborted"]++;
      const begun = world.node(Number(transaction.split(".")[0]) - 1);
      if (begun.state !== "up") marks.orphaned++;
      if (!committed) return;
      for (const { peerId } of managersOf.get(transaction) ?? [])
        if (votes.get(`${transaction} ${peerId - 1}`)?.has(true) !== true)
          throw new Error(`PC2: ${transaction} is committed, and ${peerId} has not voted so`);
    };
  };
  for (const { index } of world.nodes) watch(index);
  const begin = (): void => {
    const index = draw(nodes);
    const node = world.node(index);
    if (node.state !== "up") return;
    const managers = world.nodes.filter(() => draw(3) > 0).map((one) => addressAt(one.index));
    if (managers.length === 0) return;
    node.root.begin(managers);
  };
  let cut: (() => void) | null = null;
  while (world.time < 3000) {
    world.runFor(1 + draw(100));
    begin();
    const index = draw(nodes);
    const node = world.node(index);
    if (faults.crash && draw(6) === 0) {
      if (node.state === "up") {
        marks.crashes++;
        node.crash();
      } else {
        node.start();
        watch(index);
      }
    }
    if (faults.cut && draw(10) === 0) {
      cut?.();
      const some = world.nodes.filter(() => has()).map((one) => one.name);
      const rest = world.nodes.map((one) => one.name).filter((one) => !some.includes(one));
      cut = some.length > 0 && rest.length > 0 && has() ? world.rule(partition(some, rest)) : null;
    }
    if (draw(10) === 0 && node.state === "up") {
      const known = [...managersOf];
      const [transaction, managers] = known[draw(known.length)] ?? ["", []];
      if (transaction !== "") node.root.ask(transaction, managers);
    }
  }
  calm = true;
  nemesis?.stop();
  cut?.();
  for (const one of undo) one();
  for (const node of world.nodes)
    if (node.state === "down") {
      node.start();
      watch(node.index);
    }
  const left = (): string[] =>
    world.nodes.flatMap(({ name, root }) => {
      const { accepting, managing } = root.kept();
      return [...accepting, ...managing].map((transaction) => `${transaction} at ${name}`);
    });
  for (let waited = 0; waited < 60_000 && left().length > 0; waited += 500) world.runFor(500);
  if (left().length > 0) throw new Error(`after healing there is left: ${left().join(", ")}`);
  return marks;
}
