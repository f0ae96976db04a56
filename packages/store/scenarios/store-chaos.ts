/**
 * The store under all faults: registers and transactions over lists in one history, a bank, a counter and keys that are written
 * once beside it, while groups split, sessions expire, clients die with their transactions half done, and everything breaks.
 */

import { mix, streamKey } from "@kith/core";
import {
  exponential,
  isReport,
  type Operation,
  type OperationTurn,
  type ProcessPlan,
  scenario,
  type Sometimes,
  type View,
} from "@kith/sim/scenario";
import { everything, type KnownGroup, positionOf } from "../src/index.ts";
import { Broken, Leads, Managed, Rested, Standing, Step, Told } from "./facts.ts";
import { allKeys, lists, registers } from "./keys.ts";
import { ledgerOf, marks, nameOfLife } from "./ledger.ts";
import { verdicts } from "./judges.ts";
import { type ChaosInit, type Layout, Peer } from "./peer.ts";

// --- the cluster -----------------------------------------------------------------------------------

/** How many replicas each group has, in a cluster of so many nodes. */
export function replicasOf(nodes: number): number {
  return nodes >= 6 ? 5 : 3;
}

/** The groups of a run: one to four, each on the next nodes, with keys that are ordered in half of the runs. */
function layoutOf(peers: ChaosInit["peers"], seed: number | string): Layout {
  const draw = streamKey(seed, "layout").low;
  const ordered = draw % 2 === 0;
  const count = [1, 2, 3, 4][(draw >>> 3) % 4] ?? 1;
  const positions = allKeys.map((key) => positionOf(key, ordered)).sort();
  const starts = Array.from(
    { length: count },
    (_, i) =>
      (i === 0 ? everything.lo : positions[Math.floor((i * positions.length) / count)]) ?? "",
  );
  const groups = starts.map((lo, i): KnownGroup => ({
    descriptor: { gid: `g${i}`, epoch: 1, lo, hi: starts[i + 1] ?? null },
    members: Array.from({ length: replicasOf(peers.length) }, (_, j) => {
      const { peerId = 0, host = "", port = 0 } = peers[(i + j) % peers.length] ?? {};
      return { peerId, host, port };
    }),
  }));
  return { ordered, leases: (draw >>> 1) % 2 === 0, groups };
}

// --- those who call --------------------------------------------------------------------------------

/** A client stays at a node for a while, and leaves one that does not answer: then it is a new process. */
const at = ({ process, number, nodes }: OperationTurn): number =>
  mix(process, Math.floor(number / 4)) % nodes;

/** Reads, writes and compares registers. */
export const registerUser: Omit<ProcessPlan, "name"> = {
  timeout: 6000,
  at,
  next: ({ draw, key, unique, last }) => {
    const chance = draw.float();
    if (chance < 0.4) return { op: "read", key: key() };
    if (chance < 0.5) return { op: "write", key: key(), value: null };
    if (chance < 0.85 || typeof last !== "number")
      return { op: "write", key: key(), value: unique() };
    return { op: "cas", key: key(), value: [last, unique()] };
  },
};

/** Reads lists, and appends to them. */
export const listUser: Omit<ProcessPlan, "name"> = {
  timeout: 6000,
  at,
  next: ({ draw, unique }) => {
    const chance = draw.float();
    if (chance < 0.1) return { op: "txn", value: lists.map((key) => ["r", key, null]) };
    const many = draw.between(1, 4);
    const keys = Array.from({ length: many }, () => draw.pick(lists));
    const reads = chance < 0.35;
    const value = keys.map((key) =>
      reads || draw.chance(0.3) ? ["r", key, null] : ["append", key, unique()],
    );
    return { op: "txn", value };
  },
};

/** When so much is done, those that rush stop. */
const rushes = { operations: 340, transactions: 200 };

/** How many operations are done, as far as that was looked at. */
interface Done {
  lines: number;
  operations: number;
  transactions: number;
}

const dones = new WeakMap<View["history"], Done>();

function doneIn({ history }: View): Done {
  let done = dones.get(history);
  if (done === undefined) dones.set(history, (done = { lines: 0, operations: 0, transactions: 0 }));
  for (; done.lines < history.length; done.lines++) {
    const { type, op } = history[done.lines] ?? {};
    if (type === "ok") done[op === "txn" ? "transactions" : "operations"]++;
  }
  return done;
}

/** Beyond all values that processes write. */
const closingValues = 1_000_000_000;

/** The healed core has to do a good deal, one after the other; at the end every key is read once more. */
const closing: readonly Operation[] = [
  ...Array.from({ length: 720 }, (_, i): Operation => {
    const key = registers[Math.floor(i / 2) % registers.length] ?? "";
    const other = lists[i % lists.length] ?? "";
    const value = closingValues + i;
    // It may have to be called again, and nothing is appended twice: these only read.
    if (i % 2 === 1) return { op: "txn", value: [["r", other, null]] };
    return i % 4 === 0 ? { op: "write", key, value } : { op: "read", key };
  }),
  ...registers.map((key) => ({ op: "read", key })),
  { op: "txn", value: lists.map((key) => ["r", key, null]) },
];

// --- what has to hold ------------------------------------------------------------------------------

/** What is left that somebody would have to end. */
export function leftOver(view: View): string | undefined {
  for (const [gid, { locks, registers: open }] of ledgerOf(view).furthest)
    if (locks > 0 || open > 0) return `${gid} has ${locks} locks and ${open} transactions`;
  const managed = view.last(Managed);
  for (const { name, life, core } of view.nodes) {
    if (!core) continue;
    const one = managed.get(name);
    if (one?.life === life && one.fact.jobs > 0)
      return `${name} has ${one.fact.jobs} pieces of work`;
  }
  return undefined;
}

/** The same, or what nodes have still to do by themselves, or to hear. */
function unfinished(view: View): string | undefined {
  const left = leftOver(view);
  if (left !== undefined) return left;
  for (const { name, life, core } of view.nodes) {
    const missing = core && ledgerOf(view).missing(nameOfLife({ node: name, life }));
    if (typeof missing === "string") return missing;
  }
  return undefined;
}

const sometimes: readonly Sometimes[] = marks.map((mark) => ({
  name: mark,
  inputs: [Step, Leads, Standing, Managed, Told, Rested],
  begin: () => (view) => ledgerOf(view).reached.has(mark),
}));

// --- the scenario ----------------------------------------------------------------------------------

/** The scenario of the store. */
export const storeChaos = scenario({
  name: "store-chaos",
  about:
    "The store with groups of three or five replicas on four to six nodes, one group at first or several, up to eight in the end. Clients at every node read, write and compare registers and run transactions over lists, move money, count, write keys one after the other and keys that go after a while, and watch some of them; groups split; messages are lost, nodes crash, disks fail, clocks lie, sessions expire, components are replaced. In half of the runs the leaders have leases. What clients see is linearizable and strictly serializable, and in the end nothing is locked.",
  nodes: { min: 4, max: 6 },
  main: Peer,
  init: ({ peers, index, seed, time }) => ({ peers, index, time, layout: layoutOf(peers, seed) }),
  transport: "either",
  keys: registers,
  duration: 10_000,
  settle: 45_000,
  swaps: [
    "/Peer-1/groups",
    "/Peer-1/gate",
    "/Peer-1/guest",
    "/Peer-1/client",
    "/Peer-1/caretaker",
    "/Peer-1/operator",
  ],
  fault: "crash",
  // A majority of every group is left.
  tolerates: { down: (nodes) => (nodes >= 6 ? 2 : 1) },
  processes: [
    // Many, who go on until enough is done: what cannot be done for a while takes a small part of what they ask for.
    {
      ...registerUser,
      name: "rush",
      count: 80,
      wait: exponential(1000),
      until: { when: (view) => doneIn(view).operations >= rushes.operations },
    },
    {
      ...listUser,
      name: "rush of lists",
      count: 48,
      wait: exponential(1000),
      until: { when: (view) => doneIn(view).transactions >= rushes.transactions },
    },
    { ...registerUser, name: "register", count: 2, wait: exponential(250) },
    { ...listUser, name: "list", count: 2, wait: exponential(300) },
  ],
  closing: () => closing,
  // Beside what closes a run; `enough` asks for the shares of each run. In the worst seeds known, with which the tests begin,
  // hardly anything can be done while faults last.
  succeed: { each: 150, mean: 350 },
  invariants: [
    {
      name: "G4, T2: all replicas apply the same, and a transaction has one outcome",
      inputs: [Step, Standing, Told, Rested],
      begin: () => (view) => ledgerOf(view).complaint,
    },
    {
      name: "no group halts",
      inputs: [Broken],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Broken) ? `${news.node}: ${news.fact.reason}` : undefined,
    },
  ],
  eventually: [
    {
      name: "everything ends, nothing is locked, and who watches has heard of all",
      within: 40_000,
      holds: (view) => unfinished(view) === undefined,
      why: unfinished,
    },
  ],
  sometimes,
  finally: verdicts,
});
