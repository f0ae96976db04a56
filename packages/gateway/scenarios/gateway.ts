/**
 * Clients of Redis at simulated peers under all faults: what they say goes through the whole engine of the Redis port to a store of
 * several groups. What they see is linearizable and strictly serializable, each INCR counts once, commands in one piece are done
 * in their order, and EXEC answers nil only where something was watched.
 */

import { Component } from "@kith/core";
import {
  exponential,
  type HistoryEvent,
  isReport,
  type Operation,
  scenario,
  type Sometimes,
  type View,
} from "@kith/sim/scenario";
import {
  everything,
  Founding,
  FoundStore,
  type KnownGroup,
  positionOf,
  StoreMember,
} from "@kith/store";
import { checkAppends, checkCounter, checkRegisters, complaint } from "@kith/testing/history";
import { Aside, Counted, Met, Wrong } from "./facts.ts";
import { Person } from "./person.ts";
import { SimulatedPort } from "./port.ts";

const registers = ["r0", "r1", "r2", "r3"];
/** Of which many want to know. */
const crowded = "r0";
const lists = ["l0", "l1", "l2", "l3", "l4"];
const counters = ["n0", "n1"];
const piped = ["p0", "p1"];
const withinMs = 2500;
const groupCount = 3;
const replicas = 3;

// --- a node ----------------------------------------------------------------------------------------

interface NodeInit {
  readonly groups: readonly KnownGroup[];
}

/** A member of the store, with a Redis port and clients at it. */
export class Peer extends Component {
  readonly founding = this.requires(Founding);
  readonly member;
  readonly #found = this.founding.onAnswer(FoundStore, () => undefined);

  constructor({ groups }: NodeInit) {
    super();
    this.member = this.create(StoreMember, { groups }, { name: "member" });
    const redis = this.create(SimulatedPort, { limits: { withinMs } }, { name: "redis" });
    const person = this.create(Person, {}, { name: "person" });
    this.connect(this.member.ports.founding, this.founding);
    this.connect(this.member.ports.store, redis.ports.store);
    this.connect(redis.ports.wire, person.ports.wire);
    this.onStart(() => this.#found(new FoundStore({ groups, ordered: false })));
  }
}

interface Address {
  readonly peerId: number;
  readonly host: string;
  readonly port: number;
}

/** Groups between which the keys are divided, each at the next nodes. */
function groupsOf(peers: readonly Address[]): KnownGroup[] {
  const positions = [...registers, ...lists].map((key) => positionOf(key, false)).sort();
  const starts = Array.from(
    { length: groupCount },
    (_, i) =>
      (i === 0 ? everything.lo : positions[Math.floor((i * positions.length) / groupCount)]) ?? "",
  );
  return starts.map((lo, i) => ({
    descriptor: { gid: `g${i}`, epoch: 1, lo, hi: starts[i + 1] ?? null },
    members: Array.from({ length: replicas }, (_, j) => {
      const { peerId = 0, host = "", port = 0 } = peers[(i + j) % peers.length] ?? {};
      return { peerId, host, port };
    }),
  }));
}

// --- what clients do -------------------------------------------------------------------------------

/** The healed core has to do a good deal, of all that there is, one after the other. What is called again adds nothing twice. */
const closing: readonly Operation[] = Array.from({ length: 3 }, (): Operation[] => [
  ...registers.map((key) => ({ op: "read", key })),
  ...counters.map((key) => ({ op: "read", key })),
  ...piped.flatMap((key) => [
    { op: "pipe", key },
    { op: "read", key: `c${key}` },
  ]),
  // Watched and not: nobody is in the way any more.
  ...Array.from({ length: 4 }, () => ({ op: "own" })),
  ...Array.from({ length: 4 }, () => ({ op: "txn", value: lists.map((key) => ["r", key, null]) })),
]).flat();

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
    "Clients of Redis at every node of a store of three groups: GET, SET, DEL and INCR, MULTI with and without WATCH over lists, several commands in one piece, and keys of their own that get a time to live. Some hang up in the middle; messages are lost, nodes crash, disks fail, clocks lie, components are replaced. What they see is linearizable and strictly serializable, each INCR counts once, commands on one key are done in their order, and nil is answered only where a watched key has changed.",
  nodes: { min: 4, max: 5 },
  main: Peer,
  init: ({ peers }) => ({ groups: groupsOf(peers) }),
  transport: "either",
  keys: registers,
  duration: 6000,
  settle: 45_000,
  fault: "crash",
  tolerates: { down: () => 1 },
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
    {
      name: "list",
      count: 8,
      wait: exponential(150),
      timeout: 6000,
      next: ({ draw, unique }) => {
        const keys = Array.from({ length: draw.between(1, 4) }, () => draw.pick(lists));
        const value = keys.map((key) =>
          draw.chance(0.4) ? ["r", key, null] : ["append", key, unique()],
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
      next: () => ({ op: "own" }),
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
              (event) => ["read", "write", "cas"].includes(event.op) && isOf(registers)(event),
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
