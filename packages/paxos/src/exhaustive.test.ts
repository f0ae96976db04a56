/** Everything that can happen in small cases of the pure group, not a sample of it. */

import { expect } from "chai";
import { describe as describeMessage, describeEntry, Lab, type Machine } from "./lab.test.ts";

type Step = (lab: Lab) => void;

/** What tells two states apart, as text: what the replicas and disks hold, and what is on its way. */
function fingerprint(lab: Lab): string {
  const of = ({ state, disk }: Machine): string => {
    const entries = (list: readonly Parameters<typeof describeEntry>[0][]): string =>
      list.map(describeEntry).join(" ");
    const saved = `${disk.term} ${disk.vote} ${entries(disk.entries)} ${disk.pending.length}`;
    if (state === null) return `down ${saved}`;
    const { role, term, vote, log, commit, stable, written, flushed, granted, held } = state;
    const matches = [...(state.leadership?.progress ?? [])].map(
      ([id, { match, next, mode, probing }]) => `${id}:${match},${next},${mode},${probing}`,
    );
    return [
      `${role} ${term} ${vote} ${commit} ${stable} ${written} ${flushed}`,
      [...granted].sort((a, b) => a - b).join(),
      entries(log.entries),
      held.map(({ after, message }) => `${after} ${describeMessage(message)}`).join(),
      matches.join(" "),
      saved,
    ].join("|");
  };
  const messages = lab.network
    .map((message) => `${message.fromPeer}>${message.toPeer} ${describeMessage(message)}`)
    .sort();
  return [...[...lab.machines.values()].map(of), ...messages].join("\n");
}

/** What can happen next. */
function choices(lab: Lab, crashes: boolean): Step[] {
  const steps: Step[] = [];
  for (const { peerId, disk, state } of lab.machines.values()) {
    if (disk.pending.length > 0 && state !== null) steps.push((at) => void at.flush(peerId));
    if (crashes && state !== null && disk.pending.length > 0)
      steps.push((at) => {
        at.crash(peerId);
        at.restart(peerId);
      });
  }
  const seen = new Set<string>();
  lab.network.forEach((message, i) => {
    const key = `${message.fromPeer}>${message.toPeer} ${describeMessage(message)}`;
    if (seen.has(key)) return;
    seen.add(key);
    steps.push((at) => {
      const same = at.network[i];
      if (same !== undefined) at.deliver(same);
    });
  });
  return steps;
}

/** Lets replicas campaign as if their leader had asked them to. */
function invite(lab: Lab, ...peers: readonly number[]): void {
  for (const peerId of peers) {
    const { self } = lab.machine(peerId);
    const route = { gid: "g", from: 3, fromPeer: 3, to: self, toPeer: peerId };
    lab.hand({ ...route, kind: "timeout-now", term: lab.state(peerId).term });
  }
}

/** Walks through all interleavings to a depth. @returns how many states there are, and how many leaders came */
function explore(
  begin: () => Lab,
  depthMax: number,
  crashes: boolean,
): { readonly states: number; readonly led: number; readonly complete: boolean } {
  const seen = new Set<string>();
  let led = 0;
  let complete = true;
  // Each way is a list of choices, done again from the beginning: cheaper than copying a state.
  // Breadth first, so that a state is met first on the shortest way to it.
  const ways: number[][] = [[]];
  for (let at = 0; at < ways.length; at++) {
    const way = ways[at] ?? [];
    ways[at] = [];
    const lab = begin();
    for (const choice of way) choices(lab, crashes)[choice]?.(lab);
    const key = fingerprint(lab);
    if (seen.has(key)) continue;
    seen.add(key);
    const leaders = lab.up.filter(({ state }) => state?.role === "leader");
    if (leaders.length > 0) led++;
    const next = choices(lab, crashes).length;
    if (way.length === depthMax) {
      if (next > 0) complete = false;
      continue;
    }
    for (let choice = 0; choice < next; choice++) ways.push([...way, choice]);
  }
  return { states: seen.size, led, complete };
}

describe("exhaustively", function () {
  this.timeout(120_000);
  const deep = process.env["KITH_PAXOS_DEEP"] !== undefined;

  it("two elections of three voters compete in every order of messages and flushes", () => {
    const begin = (): Lab => {
      const lab = new Lab();
      lab.found([1, 2, 3]);
      invite(lab, 1, 2);
      return lab;
    };
    const { states, led } = explore(begin, deep ? 18 : 11, false);
    if (process.env["KITH_PAXOS_MARKS"] !== undefined) console.log({ states, led });
    expect(led).greaterThan(0);
  });

  it("the same, where each replica may lose what it has not flushed, at any moment", () => {
    const begin = (): Lab => {
      const lab = new Lab();
      lab.found([1, 2, 3]);
      invite(lab, 1, 2);
      return lab;
    };
    const { states, led } = explore(begin, deep ? 14 : 9, true);
    if (process.env["KITH_PAXOS_MARKS"] !== undefined) console.log({ states, led });
    expect(led).greaterThan(0);
  });

  it("a replica crashes at each of its flushes in a run of three commands, and nothing is lost", () => {
    let runs = 0;
    for (const peerId of [1, 2, 3]) {
      for (let at = 1; at < 50; at++) {
        for (const kept of [0, 1, 2]) {
          runs++;
          if (!crashing(peerId, at, kept)) {
            expect(at).greaterThan(3);
            at = 50;
            break;
          }
        }
      }
    }
    expect(runs).greaterThan(40);
  });
});

/** A run in which a replica crashes at its flush of that number. @returns false where it has fewer */
function crashing(peerId: number, at: number, kept: number): boolean {
  const lab = new Lab({ tableEvery: 2, settings: { keepEntries: 1, cutEntries: 2 } });
  lab.found([1, 2, 3]);
  let flushes = 0;
  let crashed = false;
  const settle = (): void => {
    for (let round = 0; round < 20; round++) {
      for (const message of [...lab.network]) lab.deliver(message);
      for (const machine of lab.up) {
        while (machine.disk.pending.length > 0 && machine.state !== null) {
          if (machine.peerId === peerId && ++flushes === at) {
            lab.crash(peerId, kept);
            crashed = true;
            break;
          }
          lab.flush(machine.peerId);
        }
      }
    }
  };
  const acknowledged: string[] = [];
  const propose = (line: string): void => {
    for (let tries = 0; tries < 60; tries++) {
      const leader = lab.leader();
      const done = leader && lab.propose(leader.peerId, line);
      settle();
      if (
        leader?.state &&
        done?.accepted &&
        leader.state.applied >= done.index &&
        leader.table.lines.includes(line)
      ) {
        acknowledged.push(line);
        return;
      }
      for (const machine of lab.machines.values())
        if (machine.state === null) lab.restart(machine.peerId);
      lab.wait(500);
      settle();
    }
    throw new Error(`${line} was never acknowledged`);
  };
  lab.timeout(1);
  settle();
  for (const line of ["a", "b", "c"]) propose(line);
  const before = crashed;
  for (const machine of lab.machines.values())
    if (machine.state === null) lab.restart(machine.peerId);
  propose("d");
  for (let i = 0; i < 40; i++) {
    for (const machine of lab.machines.values())
      if (machine.state === null) lab.restart(machine.peerId);
    lab.wait(200);
    settle();
  }
  for (const { table, state } of lab.machines.values())
    for (const line of acknowledged)
      if (state === null || !table.lines.includes(line)) throw new Error(`${line} was lost`);
  return before;
}
