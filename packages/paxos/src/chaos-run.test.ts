/**
 * One run of a replicated register on simulated processes, with faults of network, processes and disks, changes of
 * the membership, and replacements of the component; judged by the order in which the commands were applied.
 */

import { mix } from "@kith/core";
import {
  delay,
  duplication,
  failingFlush,
  keptWrites,
  loss,
  lostWrites,
  oneWay,
  partition,
  reordering,
  resets,
  simulate,
  slowFlush,
  swapNemesis,
  tornWrites,
} from "@kith/sim";
import { votersOf } from "./config.ts";
import { lastIndex, lastTerm, termAt } from "./log.ts";
import { Busy, Done, NotLeader, Refused } from "./port.ts";
import { addressAt, type Operation, Peer, resultOf } from "./register.test.ts";
import { isSnapshotWanted } from "./snapshots.ts";

/** What happened in a run. */
export interface Happened {
  asked: number;
  writes: number;
  reads: number;
  leaderChanges: number;
  leaderChangesWithReads: number;
  snapshots: number;
  conflicts: number;
  promoted: number;
  promotedUnderPartition: number;
  removed: number;
  leaderRemoved: number;
  tornRestarts: number;
  swaps: number;
  storageLost: number;
}

export function nothing(): Happened {
  return {
    asked: 0,
    writes: 0,
    reads: 0,
    leaderChanges: 0,
    leaderChangesWithReads: 0,
    snapshots: 0,
    conflicts: 0,
    promoted: 0,
    promotedUnderPartition: 0,
    removed: 0,
    leaderRemoved: 0,
    tornRestarts: 0,
    swaps: 0,
    storageLost: 0,
  };
}

/** Runs a seed. @throws what it finds wrong */
export function chaos(seed: number, length = 30_000): Happened {
  let count = 0;
  const draw = (bound: number): number => mix(mix(seed, 4711), count++) % bound;
  const pick = <T>(list: readonly T[]): T | undefined => list[draw(list.length)];
  const voters = draw(3) === 0 ? 5 : 3;
  const nodes = voters + 2;
  const happened = nothing();
  const has = (): boolean => draw(2) === 0;
  const faults = {
    loss: has(),
    delay: has(),
    copies: has(),
    order: has(),
    resets: has(),
    partition: has(),
    crash: has(),
    disk: has(),
    members: has(),
    pause: has(),
    swap: has(),
    lostDisk: draw(4) === 0,
    clock: has(),
    transfer: has(),
  };
  const world = simulate(Peer, {
    seed,
    nodes,
    log: ({ node, text, data }) =>
      void (process.env["KITH_PAXOS_LOG"] !== undefined && console.log(node, text, data)),
    transport: faults.copies || faults.order ? "datagram" : "stream",
    init: { settings: { keepEntries: draw(40), cutEntries: 1 + draw(60) } },
    clock: (i) => (faults.clock ? { driftPpm: (i % 3) * 200 - 200, offset: i * 1000 } : {}),
  }).boot();
  world.runFor(50);
  const founders = Array.from({ length: voters }, (_, i) => addressAt(i));

  // --- what was asked and applied ---------------------------------------------------------------
  const operations: Operation[] = [];
  const log: string[] = [];
  const results: string[] = [];
  const terms = new Map<number, number>();
  const watch = (index: number): void => {
    const { root } = world.node(index);
    root.onApplied = ({ index: at, command, result }) => {
      const text = new TextDecoder().decode(command);
      const known = log[at];
      if (known !== undefined && known !== text)
        throw new Error(`G3: ${at} is ${known}, and n${index + 1} applies ${text}`);
      const outcome = new TextDecoder().decode(result);
      if (results[at] !== undefined && results[at] !== outcome)
        throw new Error(`G4: ${at} gave ${results[at]}, and at n${index + 1} ${outcome}`);
      log[at] = text;
      results[at] = outcome;
    };
    root.onEnd = (id, answer) => {
      const operation = operations[id];
      if (operation === undefined) return;
      operation.ended = world.time;
      operation.answer = answer instanceof Done ? resultOf(answer) : null;
      operation.index = answer instanceof Done ? answer.index : -1;
      if (answer instanceof Done) happened[operation.kind === "write" ? "writes" : "reads"]++;
      else if (answer instanceof NotLeader || answer instanceof Busy || answer instanceof Refused)
        refused.add(operation.value);
    };
  };
  const refused = new Set<string>();
  for (const { index, root } of world.nodes) {
    watch(index);
    if (index < voters) root.found("g", founders);
  }
  const groupsOf = (index: number) => {
    const node = world.node(index);
    return node.state === "up" && !node.root.lost ? node.root.replica("g") : undefined;
  };
  /** White box: invariants across the replicas. */
  const sweep = (): void => {
    const leaders = new Map<number, number>();
    for (const { index } of world.nodes) {
      const one = groupsOf(index);
      if (one === undefined) continue;
      const { state, table } = one;
      // What stood at the end of its log stands there no more: it was in conflict with the leader's.
      const before = ends.get(index);
      const now = before && termAt(state.log, before.index);
      if (now !== undefined && now !== before?.term) happened.conflicts++;
      ends.set(index, { index: lastIndex(state.log), term: lastTerm(state.log) });
      if (state.role === "leader") {
        const other = leaders.get(state.term) ?? terms.get(state.term);
        if (other !== undefined && other !== state.self)
          throw new Error(`G1: replicas ${other} and ${state.self} lead term ${state.term}`);
        if (!terms.has(state.term)) happened.leaderChanges++;
        leaders.set(state.term, state.self);
        terms.set(state.term, state.self);
        for (const { replicaId } of votersOf(
          state.configs.at(-1)?.config ?? { epoch: 0, members: [], nextReplicaId: 1 },
        ))
          if (isSnapshotWanted(state, replicaId)) happened.snapshots++;
      }
      const hash = hashes.get(table.applied);
      if (hash !== undefined && hash !== table.hash) throw new Error(`G4 at ${table.applied}`);
      hashes.set(table.applied, table.hash);
      if (state.halted !== null && !state.halted.includes("removed"))
        throw new Error(`n${index + 1} halted: ${state.halted}`);
    }
  };
  const hashes = new Map<number, number>();
  const ends = new Map<number, { index: number; term: number }>();

  // --- faults -------------------------------------------------------------------------------------
  const undo: (() => void)[] = [];
  if (faults.loss) undo.push(world.rule(loss(0.01 + draw(8) / 100)));
  if (faults.delay) undo.push(world.rule(delay(0, 5 + draw(60), { from: `n${1 + draw(nodes)}` })));
  if (faults.copies) undo.push(world.rule(duplication(0.05)));
  if (faults.order) undo.push(world.rule(reordering(0.1, 30)));
  if (faults.resets) undo.push(world.rule(resets(0.002)));
  for (const { disk, index } of world.nodes) {
    disk.faults.add(
      draw(2) === 0 ? lostWrites(0.5) : draw(2) === 0 ? tornWrites(0.5) : keptWrites(0.5),
    );
    if (faults.disk) undo.push(disk.faults.add(slowFlush(0.05, 5, 50 + draw(300))));
    if (faults.lostDisk && index === 0) undo.push(disk.faults.add(failingFlush(0.002)));
  }
  const nemesis = faults.swap
    ? swapNemesis(world, { every: 700, paths: ["/Peer-1/groups"] })
    : null;
  const cuts: (() => void)[] = [];
  const start = (index: number): void => {
    world.node(index).start();
    watch(index);
  };
  const fault = (): void => {
    const down = world.nodes.filter((node) => node.state !== "up");
    const node = pick(world.nodes);
    if (node === undefined) return;
    const kind = draw(7);
    if (kind < 2 && faults.crash) {
      const back = down.find((one) => one.state === "down");
      if (back !== undefined) start(back.index);
      else if (down.length < (voters - 1) / 2 && node.state === "up") {
        const reads = operations.some(
          (one) =>
            one.kind === "read" &&
            one.answer === null &&
            one.node === node.index &&
            one.began > world.time - 50,
        );
        if (node.root.leads.has("g") && reads) happened.leaderChangesWithReads++;
        happened.tornRestarts++;
        node.crash();
      }
    } else if (kind === 2 && faults.partition) {
      if (cuts.length > 0) cuts.pop()?.();
      else {
        const names = world.nodes.map(({ name }) => name);
        const shuffled = names
          .map((name) => [draw(1000), name] as const)
          .sort(([a], [b]) => a - b)
          .map(([, name]) => name);
        const size = 1 + draw(2);
        const [some, rest] = [shuffled.slice(0, size), shuffled.slice(size)];
        cuts.push(world.rule(draw(3) === 0 ? oneWay(some, rest) : partition(some, rest)));
      }
    } else if (kind === 3 && faults.pause) {
      if (node.state === "paused") node.resume();
      else if (node.state === "up" && down.length < (voters - 1) / 2) {
        node.pause();
        world.at(world.time + 100 + draw(4000), () => {
          if (node.state === "paused") node.resume();
        });
      }
    } else if (kind < 6 && faults.members) change();
    else if (faults.transfer) {
      const leader = leading();
      if (leader !== undefined) leader.root.transfer("g", 1 + draw(nodes));
    }
  };
  const leading = () =>
    pick(
      world.nodes.filter(
        (node) => node.state === "up" && !node.root.lost && node.root.leads.has("g"),
      ),
    );
  const change = (): void => {
    const leader = leading();
    const one = leader && groupsOf(leader.index);
    if (leader === undefined || one === undefined) return;
    const { members } = one.state.configs.at(-1)?.config ?? { members: [] };
    const outside = world.nodes.filter(
      ({ index }) => !members.some(({ peerId }) => peerId === index + 1),
    );
    const learner = members.find(({ voter }) => !voter);
    const kind = draw(3);
    if (learner !== undefined && kind < 2) {
      leader.root.change("g", { kind: "promote", replicaId: learner.replicaId });
      happened.promoted++;
      if (cuts.length > 0) happened.promotedUnderPartition++;
    } else if (kind === 0 && outside.length > 0) {
      const peer = pick(outside);
      if (peer !== undefined)
        leader.root.change("g", { kind: "add-learner", peer: addressAt(peer.index) });
    } else if (votersOf({ epoch: 1, members, nextReplicaId: 1 }).length > voters) {
      const member = pick(members);
      if (member === undefined) return;
      leader.root.change("g", { kind: "remove", replicaId: member.replicaId });
      if (member.replicaId === one.state.self) happened.leaderRemoved++;
      else happened.removed++;
    }
  };

  const describeReplica = (index: number): string => {
    const one = groupsOf(index);
    if (one === undefined) {
      const node = world.node(index);
      return `n${index + 1} has none: ${node.state} ${node.state === "up" ? node.root.describeHost() : ""}`;
    }
    const { state } = one;
    const members = (state.configs.at(-1)?.config.members ?? []).map(
      ({ replicaId, peerId, voter }) => `${voter ? "" : "~"}${peerId}#${replicaId}`,
    );
    const progress = [...(state.leadership?.progress ?? [])].map(
      ([id, p]) => `${id}:${p.match}/${p.next}/${p.mode}`,
    );
    return `n${index + 1} #${state.self} ${state.halted ?? state.role} t${state.term} log ${state.log.base}..${state.log.base + state.log.entries.length} commit ${state.commit} stable ${state.stable} written ${state.written} flushed ${state.flushed} held ${state.held.length} [${members.join(",")}] ${progress.join(" ")}`;
  };

  // --- the run ------------------------------------------------------------------------------------
  let number = 0;
  const ask = (): void => {
    const node = draw(10) === 0 ? pick(world.nodes) : leading();
    if (node === undefined || node.state !== "up" || node.root.lost) return;
    const id = operations.length;
    const kind = draw(3) === 0 ? "read" : "write";
    const value = `v${++number}`;
    operations.push({
      kind,
      value,
      node: node.index,
      began: world.time,
      ended: Infinity,
      answer: null,
      index: -1,
    });
    if (node.root.leads.has("g")) happened.asked++;
    if (kind === "write") node.root.write("g", value, id);
    else node.root.query("g", id);
  };
  while (world.time < length) {
    world.runFor(5 + draw(60));
    for (let burst = draw(4); burst > 0; burst--) ask();
    if (draw(12) === 0) fault();
    for (const node of world.nodes) {
      if (node.state !== "up" || !node.root.lost) continue;
      happened.storageLost++;
      node.crash();
      start(node.index);
    }
    sweep();
  }
  // --- healing ------------------------------------------------------------------------------------
  nemesis?.stop();
  happened.swaps += nemesis?.swapped ?? 0;
  if (nemesis !== null && nemesis.failed.length > 0)
    throw new Error(`swap: ${String(nemesis.failed[0])}`);
  for (const one of undo) one();
  for (const one of cuts) one();
  for (const node of world.nodes) {
    if (node.state === "paused") node.resume();
    if (node.state === "up" && node.root.lost) node.crash();
    if (node.state === "down") start(node.index);
  }
  const end = (): boolean => {
    const leader = leading();
    const one = leader && groupsOf(leader.index);
    if (leader === undefined || one === undefined) return false;
    const id = operations.length;
    operations.push({
      kind: "write",
      value: "end",
      node: leader.index,
      began: world.time,
      ended: Infinity,
      answer: null,
      index: -1,
    });
    leader.root.write("g", "end", id);
    try {
      world.until(() => operations[id]?.ended !== Infinity, { within: 3000 });
    } catch {
      return false;
    }
    world.runFor(3000);
    const { index } = operations[id] ?? { index: -1 };
    const { members } = one.state.configs.at(-1)?.config ?? { members: [] };
    return (
      index > 0 &&
      members.every(({ peerId, replicaId }) => {
        const other = groupsOf(peerId - 1);
        return other?.state.self === replicaId && other.table.applied >= index;
      })
    );
  };
  let ended = false;
  for (let tries = 0; tries < 30 && !ended; tries++) {
    world.runFor(500);
    sweep();
    ended = end();
  }
  if (!ended)
    throw new Error(
      `after healing nothing goes on: ${world.nodes.map(({ index }) => describeReplica(index)).join("; ")}`,
    );
  sweep();
  judge(operations, log, results, refused);
  return happened;
}

/** Linearizability, by the witness of the log: every answer is that of its place, and places respect real time. */
function judge(
  operations: readonly Operation[],
  log: readonly string[],
  results: readonly string[],
  refused: ReadonlySet<string>,
): void {
  const seen = new Set<string>();
  log.forEach((value, index) => {
    if (value === "end") return;
    if (seen.has(value)) throw new Error(`${value} was applied twice, again at ${index}`);
    if (refused.has(value)) throw new Error(`${value} was refused, and applied at ${index}`);
    seen.add(value);
  });
  let last = "0 -";
  const after = results.map(() => "");
  for (let index = 0; index < log.length; index++) {
    const result = results[index];
    if (result !== undefined) last = result;
    after[index] = last;
  }
  const done = operations.filter(({ answer }) => answer !== null);
  for (const { kind, value, answer, index } of done) {
    if (kind === "write" && log[index] !== value)
      throw new Error(`${value} was done at ${index}, where ${log[index]} is`);
    const expected = after[Math.min(index, after.length - 1)] ?? "0 -";
    if (answer !== expected)
      throw new Error(`a ${kind} at ${index} gave ${answer}, not ${expected}`);
  }
  // What has ended before another began comes before it, or is the same place for a read.
  const byEnd = [...done].sort((a, b) => a.ended - b.ended);
  const byBegin = [...done].sort((a, b) => a.began - b.began);
  let reached = -1;
  let i = 0;
  for (const operation of byBegin) {
    for (; (byEnd[i]?.ended ?? Infinity) < operation.began; i++)
      reached = Math.max(reached, byEnd[i]?.index ?? -1);
    if (operation.index < reached)
      throw new Error(
        `a ${operation.kind} that began at ${operation.began} is at ${operation.index}, after ${reached} had ended`,
      );
  }
}
