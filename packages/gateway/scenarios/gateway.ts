/**
 * Clients of Redis at simulated processes under all faults: peer managers as `kith up` runs them, which found a cluster and place the
 * groups of its store; beside each peer the whole engine of the Redis port. What clients see is linearizable and strictly
 * serializable, each INCR counts once, commands in one piece are done in their order, and EXEC answers nil only where something
 * watched has changed.
 */

import {
  exponential,
  type HistoryEvent,
  isReport,
  type Operation,
  type ProcessPlan,
  scenario,
  type Sometimes,
  type View,
} from "@kith/sim/scenario";
import { checkAppends, checkCounter, checkRegisters, complaint } from "@kith/testing/history";
import { Aside, Counted, Met, Wrong } from "./facts.ts";
import { pair } from "./person.ts";
import { limitsFor, Process } from "./process.ts";

const registers = ["r0", "r1", "r2", "r3"];
/** Each written by one client alone, which reads after each write: what was lost is not hidden by what others write. */
const solos = ["s0", "s1", "s3"];
/** Of which many want to know. */
const crowded = "r0";
const lists = ["l0", "l1", "l2", "l3", "l4"];
const counters = ["n0", "n1"];
const piped = ["p0", "p1"];
const fleeting = ["f0", "f1", "f2"];
const groups = 3;
const replicas = 3;
/** So many peers found the cluster; others have no replicas. */
const founders = 3;
const idSpace = 2 ** 50;

// --- what clients do -------------------------------------------------------------------------------

/** The healed core has to do a good deal, of all that there is, one after the other. What is called again adds nothing twice. */
const closing: readonly Operation[] = Array.from({ length: 3 }, (): Operation[] => [
  ...fleeting.map((key) => ({ op: "fleeting", key })),
  ...[...registers, ...solos, pair].map((key) => ({ op: "read", key })),
  ...counters.map((key) => ({ op: "read", key })),
  ...piped.flatMap((key) => [
    { op: "pipe", key },
    { op: "read", key: `c${key}` },
  ]),
  // Watched and not: nobody is in the way any more.
  ...Array.from({ length: 4 }, () => ({ op: "own" })),
  ...Array.from({ length: 2 }, () => ({ op: "find" })),
  ...Array.from({ length: 4 }, () => ({ op: "txn", value: lists.map((key) => ["r", key, null]) })),
  ...fleeting.map((key) => ({ op: "gone", key })),
]).flat();

/** Writes, and reads until it knows what was written. */
function solo(key: string): ProcessPlan {
  return {
    name: `solo ${key}`,
    wait: exponential(100),
    timeout: 6000,
    next: ({ unique, last }) =>
      last === undefined ? { op: "read", key } : { op: "write", key, value: unique() },
  };
}

// --- what has to hold ------------------------------------------------------------------------------

function isOf(keys: readonly string[]): (event: HistoryEvent) => boolean {
  return ({ key }) => keys.includes(key ?? "");
}

/** No two INCRs of a key have answered the same. */
function countedTwice(view: View): string | undefined {
  const seen = new Set<string>();
  for (const { fact } of view.facts(Counted)) {
    const answer = `${fact.key} ${fact.value}`;
    if (seen.has(answer)) return `Two INCRs of ${fact.key} have answered ${fact.value}.`;
    seen.add(answer);
  }
  return undefined;
}

function aside(view: View): HistoryEvent[] {
  return view.facts(Aside).map(({ fact: { process, type, op, key, value }, time }) => ({
    ...{ process, type, op, key, value },
    time: Math.round(time * 1e6),
  }));
}

const sometimes: readonly Sometimes[] = [
  "an outcome is unknown",
  "a reply is UNKNOWN",
  "a watched key has changed",
  "all of one piece is done",
  "a client hangs up in the middle",
].map((what) => ({
  name: what,
  inputs: [Met],
  begin:
    () =>
    ({ news }) =>
      isReport(news, Met) && news.fact.what === what,
}));

// --- the scenario ----------------------------------------------------------------------------------

/** The scenario of the Redis port. */
export const gateway = scenario({
  name: "gateway",
  about:
    "Clients of Redis at every peer of a cluster that is founded meanwhile: GET, SET, DEL and INCR, MULTI with and without WATCH over lists, several keys at once, several commands in one piece, walks through all keys, and keys of their own that get a time to live. Some hang up in the middle; Redis ports fail and begin anew, messages are lost, nodes crash, disks fail, clocks lie, components are replaced. What they see is linearizable and strictly serializable, each INCR counts once, commands on one key are done in their order, and nil is answered only where a watched key has changed.",
  nodes: { min: 4, max: 5 },
  main: Process,
  init: ({ index, peers, seed }) => ({
    peers: [Math.floor(((index + 0.5) * idSpace) / peers.length)],
    limits: limitsFor(seed),
    ...(index === 0
      ? { create: { peers: founders, groups, replicas }, resume: true }
      : { join: ["n1:7000", "n2:7000"].filter((one) => one !== `n${index + 1}:7000`) }),
  }),
  transport: "either",
  keys: registers,
  duration: 9000,
  // Until then it is founded; `peers` has faults from the beginning.
  faults: { after: 3600 },
  settle: 45_000,
  fault: "crash",
  // The founder has to be there until it has founded, and majorities of all groups.
  tolerates: { down: () => 0 },
  processes: [
    {
      name: "register",
      count: 6,
      wait: exponential(120),
      timeout: 6000,
      next: ({ draw, key, unique, last }) => {
        const chance = draw.float();
        if (chance < 0.4) return { op: "read", key: key() };
        if (chance < 0.5) return { op: "write", key: key(), value: null };
        if (chance < 0.8 || typeof last !== "number")
          return { op: "write", key: key(), value: unique() };
        return { op: "cas", key: key(), value: [last, unique()] };
      },
    },
    {
      name: "counter",
      count: 4,
      wait: exponential(120),
      timeout: 6000,
      next: ({ draw }) => {
        const key = draw.pick(counters);
        return draw.chance(0.8) ? { op: "add", key, value: 1 } : { op: "read", key };
      },
    },
    {
      // Many readers of one key at one port.
      name: "crowd",
      count: 8,
      wait: exponential(40),
      timeout: 6000,
      at: ({ number, nodes }) => Math.floor(number / 16) % nodes,
      next: ({ draw, unique }) =>
        draw.chance(0.9)
          ? { op: "read", key: crowded }
          : { op: "write", key: crowded, value: unique() },
    },
    ...solos.map(solo),
    {
      name: "pair",
      count: 3,
      wait: exponential(100),
      timeout: 6000,
      next: ({ draw, unique }) =>
        draw.chance(0.5) ? { op: "read", key: pair } : { op: "write", key: pair, value: unique() },
    },
    {
      name: "list",
      count: 8,
      wait: exponential(150),
      timeout: 6000,
      next: ({ draw, unique }) => {
        const keys = Array.from({ length: draw.between(1, 4) }, () => draw.pick(lists));
        const reads = draw.chance(0.2) ? 1 : 0.3;
        const value = keys.map((key) =>
          draw.chance(reads) ? ["r", key, null] : ["append", key, unique()],
        );
        return { op: "txn", value };
      },
    },
    {
      name: "pipeline",
      count: 3,
      wait: exponential(300),
      timeout: 6000,
      next: ({ draw }) => ({ op: "pipe", key: draw.pick(piped) }),
    },
    {
      name: "owner",
      count: 2,
      wait: exponential(300),
      timeout: 10_000,
      next: ({ draw }) => ({ op: draw.chance(0.7) ? "own" : "find" }),
    },
    {
      name: "saboteur",
      wait: exponential(2500),
      next: () => ({ op: "break" }),
    },
  ],
  closing: () => closing,
  // In the worst seeds hardly anything can be done while faults last.
  succeed: { each: closing.length, mean: 150 },
  invariants: [
    {
      name: "replies are those that Redis would give",
      inputs: [Wrong],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Wrong) ? `${news.node}: ${news.fact.what}` : undefined,
    },
  ],
  sometimes,
  finally: [
    {
      name: "registers are linearizable",
      check: ({ history }) =>
        complaint(
          checkRegisters(
            history.filter(
              (event) =>
                ["read", "write", "cas"].includes(event.op) &&
                isOf([...registers, ...solos, pair])(event),
            ),
          ),
        ),
    },
    {
      name: "lists are strictly serializable",
      check: ({ history }) => complaint(checkAppends(history.filter(({ op }) => op === "txn"))),
    },
    {
      name: "each INCR counts once",
      check: ({ history, view }) =>
        countedTwice(view) ?? complaint(checkCounter(history.filter(isOf(counters)))),
    },
    {
      name: "what is sent in one piece is linearizable",
      check: ({ view }) => complaint(checkRegisters(aside(view))),
    },
  ],
});
