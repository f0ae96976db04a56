/**
 * A larger store: sixteen nodes with eight groups, two minutes, five thousand operations and all faults. It is not one of the scenarios
 * that are run for many seeds: it says what a seed of that size costs (`npm run bench store-simulated`).
 */

import { exponential, scenario } from "@kith/sim/scenario";
import { everything, type KnownGroup, positionOf } from "../src/index.ts";
import { verdicts } from "./judges.ts";
import { lists, registers } from "./keys.ts";
import { type ChaosInit, type Layout, Peer } from "./peer.ts";
import { leftOver, listUser, registerUser } from "./store-chaos.ts";

const nodes = 16;
const groups = 8;
const replicas = 3;
const seconds = 120;
/** Of both kinds of users together. */
const operations = 5000;
const users = 50;

/** The groups, each on the next nodes but one. */
function layoutOf(peers: ChaosInit["peers"]): Layout {
  const positions = [...registers, ...lists].map((key) => positionOf(key, false)).sort();
  const starts = Array.from(
    { length: groups },
    (_, i) =>
      (i === 0 ? everything.lo : positions[Math.floor((i * positions.length) / groups)]) ?? "",
  );
  const all = starts.map((lo, i): KnownGroup => ({
    descriptor: { gid: `g${i}`, epoch: 1, lo, hi: starts[i + 1] ?? null },
    members: Array.from({ length: replicas }, (_, j) => {
      const { peerId = 0, host = "", port = 0 } = peers[(2 * i + j) % peers.length] ?? {};
      return { peerId, host, port };
    }),
  }));
  return { ordered: false, leases: false, groups: all };
}

/** What is judged of what its clients saw: what is done beside is not done here. */
const clients: ReadonlySet<string> = new Set([
  "registers are linearizable",
  "lists are strictly serializable",
  "most of it is done",
]);

/** So long a user waits between two operations, on the average. */
const wait = exponential((seconds * 1000 * users) / operations);

/** The scenario of the larger store. */
export const storeLarge = scenario({
  name: "store-large",
  about:
    "The store with eight groups of three replicas on sixteen nodes, for two minutes under all faults: registers and transactions over lists.",
  nodes,
  main: Peer,
  init: ({ peers, index, time }) => ({
    peers,
    index,
    time,
    layout: layoutOf(peers),
    plain: true,
  }),
  keys: registers,
  duration: seconds * 1000,
  settle: 60_000,
  fault: "crash",
  tolerates: { down: () => 1 },
  processes: [
    { ...registerUser, name: "register", count: users / 2, wait },
    { ...listUser, name: "list", count: users / 2, wait },
  ],
  closing: () => [
    ...registers.map((key) => ({ op: "read", key })),
    { op: "txn", value: lists.map((key) => ["r", key, null]) },
  ],
  succeed: { each: operations / 2 },
  eventually: [
    {
      name: "everything ends, and nothing is locked",
      within: 60_000,
      holds: (view) => leftOver(view) === undefined,
      why: leftOver,
    },
  ],
  finally: verdicts.filter(({ name }) => clients.has(name)),
});
