/**
 * The replicated group under all faults: clients read and write registers at any node, an operator changes the
 * members, and everything breaks. What the clients saw must be linearizable; beside that, the invariants of
 * the group (G1 to G8, D1) are asked of what the replicas say of themselves.
 */

import { mix, streamKey } from "@kith/core";
import {
  exponential,
  isReport,
  type ProcessPlan,
  scenario,
  type Sometimes,
  type Verdict,
  type View,
} from "@kith/sim/scenario";
import { checkRegisters, complaint } from "@kith/testing/history";
import type { Config } from "../src/index.ts";
import {
  Broken,
  ChangeDone,
  CommandApplied,
  Leased,
  Membership,
  Office,
  Parts,
  Peer,
  ReadLost,
  Standing,
  Voted,
  votersOf,
} from "./peer.ts";

type Check = (view: View) => string | undefined;

// --- invariants --------------------------------------------------------------------------------

/** G1: a term has one leader. */
function oneLeader(): Check {
  const leaders = new Map<number, string>();
  return ({ news }) => {
    if (!isReport(news, Office) || !news.fact.here) return undefined;
    const { term } = news.fact;
    const other = leaders.get(term);
    leaders.set(term, news.node);
    return other === undefined || other === news.node
      ? undefined
      : `${other} and ${news.node} led term ${term}.`;
  };
}

/**
 * G1: a voter has one vote in a term, over all its lives. A voter is a peer and its replica: where a membership that was not
 * committed is cut off a log, another peer may be given the id, and the first one still has the learner that it made.
 */
function oneVote(): Check {
  const given = new Map<string, number>();
  const durable = new Map<string, number>();
  return ({ news }) => {
    if (isReport(news, Voted)) {
      const { voter, term, candidate } = news.fact;
      const name = `${news.node} ${voter} ${term}`;
      const other = given.get(name);
      given.set(name, candidate);
      return other === undefined || other === candidate
        ? undefined
        : `Replica ${voter} voted for ${other} and for ${candidate} in term ${term}.`;
    }
    if (!isReport(news, Standing)) return undefined;
    const { replica, term, vote } = news.fact;
    if (vote === null) return undefined;
    const name = `${news.node} ${replica} ${term}`;
    const other = durable.get(name) ?? 0;
    durable.set(name, vote);
    return other === 0 || other === vote
      ? undefined
      : `Replica ${replica} had voted for ${other} in term ${term}, and now for ${vote}.`;
  };
}

/** G2: an index and a term name one entry, and the one before it. */
function logsMatch(): Check {
  const entries = new Map<string, string>();
  return ({ news }) => {
    if (!isReport(news, Standing)) return undefined;
    for (const { index, term, before, digest } of news.fact.entries) {
      const name = `${index}.${term}`;
      const known = entries.get(name);
      // What stands before it may be cut off already: -1.
      const [text, link] = [`${digest}`, `<${name}`];
      if (known !== undefined && known !== text)
        return `At ${news.node} entry ${name} is another one than elsewhere.`;
      entries.set(name, text);
      if (before < 0) continue;
      const linked = entries.get(link);
      if (linked !== undefined && linked !== `${before}`)
        return `At ${news.node} entry ${name} follows term ${before}, and elsewhere ${linked}.`;
      entries.set(link, `${before}`);
    }
    return undefined;
  };
}

/** G3 and G4: an index holds one command for ever, with one result; and all tables there are the same. */
function appliedAlike(): Check {
  const commands = new Map<number, string>();
  const hashes = new Map<number, number>();
  return ({ news }) => {
    if (isReport(news, CommandApplied)) {
      const { index, command, result } = news.fact;
      const text = `${command} = ${result}`;
      const known = commands.get(index);
      commands.set(index, text);
      return known === undefined || known === text
        ? undefined
        : `${news.node} applied at ${index} what elsewhere was different.`;
    }
    if (!isReport(news, Standing)) return undefined;
    const { applied, hash, replica } = news.fact;
    if (replica === 0 || applied === 0) return undefined;
    const known = hashes.get(applied);
    hashes.set(applied, hash);
    return known === undefined || known === hash
      ? undefined
      : `The table of ${news.node} at ${applied} is another one than elsewhere.`;
  };
}

/** G5, G7, G8: memberships follow each other by one voter, under growing epochs, and ids are given out once. */
function membersFollow(): Check {
  const byEpoch = new Map<number, Config>();
  const holders = new Map<number, number>();
  const votersIn = ({ members }: Config): number[] =>
    members.filter(({ voter }) => voter).map(({ replicaId }) => replicaId);
  const text = ({ members, nextReplicaId }: Config): string =>
    `${nextReplicaId} ${members.map((one) => `${one.replicaId} ${one.peerId} ${one.voter}`).join()}`;
  const differ = (one: Config, other: Config): string | undefined => {
    const [a, b] = [votersIn(one), votersIn(other)];
    const moved =
      a.filter((id) => !b.includes(id)).length + b.filter((id) => !a.includes(id)).length;
    return moved <= 1
      ? undefined
      : `G5: ${moved} voters changed between epochs ${one.epoch} and ${other.epoch}.`;
  };
  return ({ news }) => {
    if (!isReport(news, Membership)) return undefined;
    const { config } = news.fact;
    const { epoch, members } = config;
    const known = byEpoch.get(epoch);
    if (known !== undefined)
      return text(known) === text(config) ? undefined : `G7: epoch ${epoch} has two memberships.`;
    byEpoch.set(epoch, config);
    for (const { replicaId, peerId } of members) {
      const holder = holders.get(replicaId);
      holders.set(replicaId, peerId);
      if (holder !== undefined && holder !== peerId)
        return `G8: replica ${replicaId} is of peers ${holder} and ${peerId}.`;
    }
    const [before, after] = [byEpoch.get(epoch - 1), byEpoch.get(epoch + 1)];
    return (
      (before === undefined ? undefined : differ(before, config)) ??
      (after === undefined ? undefined : differ(config, after))
    );
  };
}

/** A replica's commit and the table that it has applied never go back, but where it is read anew. */
function neverBack(): Check {
  const before = new Map<string, { readonly name: string; commit: number; applied: number }>();
  return ({ news }) => {
    if (!isReport(news, Standing)) return undefined;
    const { replica, commit, applied } = news.fact;
    // Without a replica for a while: what comes then was read from the disk.
    const name = `${news.life} ${replica}`;
    const known = before.get(news.node);
    before.set(news.node, { name, commit, applied });
    if (known?.name !== name || (commit >= known.commit && applied >= known.applied))
      return undefined;
    return `${news.node} was at commit ${known.commit}, applied ${known.applied}, and is at ${commit}, ${applied}.`;
  };
}

/** No group stops, and no component fails but for its storage. D1 and the invariants in the code show here. */
const nothingHalts: Check = ({ news }) =>
  isReport(news, Broken) ? `${news.node}: ${news.fact.reason}` : undefined;

// --- the end -------------------------------------------------------------------------------------

const commandsMin = 500;
const shareMin = 0.6;
const registerOps = new Set(["read", "write", "cas"]);

/** Enough was asked, and most of it acknowledged: nothing passes by refusing to work. */
const enough: Verdict["check"] = ({ history }) => {
  let invoked = 0;
  let asked = 0;
  let done = 0;
  for (const { type, op, error = "" } of history) {
    if (!registerOps.has(op)) continue;
    if (type === "invoke") {
      invoked++;
      asked++;
    }
    // Of such a call the group has never heard.
    else if (error === "the node is down") asked--;
    // A comparison that is answered with another value was done, too.
    else if (type === "ok" || error.startsWith("refused ")) done++;
  }
  if (invoked >= commandsMin && done >= shareMin * asked) return undefined;
  return `${done} of ${asked} commands were acknowledged.`;
};

/** All members that were healed have applied the same, as far as anybody has. */
function allAgree(view: View): boolean {
  const last = view.last(Standing);
  let newest: Config | undefined;
  for (const { fact } of view.last(Membership).values())
    if (newest === undefined || fact.config.epoch > newest.epoch) newest = fact.config;
  const furthest = Math.max(0, ...[...last.values()].map(({ fact }) => fact.commit));
  // Where nothing was changed, the founders are the members.
  const members =
    newest?.members ??
    Array.from({ length: votersOf(view.nodes.length) }, (_, i) => ({
      peerId: i + 1,
      replicaId: i + 1,
    }));
  return view.nodes.every(({ name, index, core, life }) => {
    const member = members.find(({ peerId }) => peerId === index + 1);
    if (!core || member === undefined) return true;
    const at = last.get(name);
    return at?.life === life && at.fact.replica === member.replicaId && at.fact.applied >= furthest;
  });
}

// --- marks ---------------------------------------------------------------------------------------

const sometimes: readonly Sometimes[] = [
  {
    name: "a leader goes while reads wait for it",
    inputs: [ReadLost],
    begin:
      () =>
      ({ news }) =>
        isReport(news, ReadLost),
  },
  {
    name: "a leader has a lease",
    inputs: [Leased],
    begin:
      () =>
      ({ news }) =>
        isReport(news, Leased),
  },
  {
    name: "a snapshot is installed",
    inputs: [Standing],
    begin:
      () =>
      ({ news }) =>
        isReport(news, Standing) && news.fact.installed,
  },
  {
    name: "a snapshot comes in several parts",
    inputs: [Parts],
    begin:
      () =>
      ({ news }) =>
        isReport(news, Parts),
  },
  {
    name: "the leader is removed",
    inputs: [ChangeDone],
    begin:
      () =>
      ({ news }) =>
        isReport(news, ChangeDone) && news.fact.leader,
  },
  {
    name: "a learner is promoted while not all hear each other",
    inputs: [ChangeDone],
    begin: () => (view) => {
      const { news } = view;
      if (!isReport(news, ChangeDone) || news.fact.kind !== "promote") return false;
      // Somebody has heard nothing for long: it says another term, or is far behind.
      const last = view.last(Standing);
      const ahead = Math.max(0, ...[...last.values()].map(({ fact }) => fact.commit));
      return view.nodes.some(({ name, state }) => {
        const at = last.get(name);
        return state === "up" && at !== undefined && at.fact.replica > 0
          ? at.fact.commit + 20 < ahead
          : false;
      });
    },
  },
  {
    name: "a conflict is cut off a log",
    inputs: [Standing],
    begin:
      () =>
      ({ news }) =>
        isReport(news, Standing) && news.fact.truncated,
  },
  {
    name: "a replica comes back without the end of its log",
    inputs: [Standing],
    begin: () => {
      const before = new Map<string, { life: number; replica: number; last: number }>();
      return ({ news }) => {
        if (!isReport(news, Standing)) return false;
        const { replica, last } = news.fact;
        const known = before.get(news.node);
        before.set(news.node, { life: news.life, replica, last });
        return (
          known !== undefined &&
          known.life < news.life &&
          known.replica === replica &&
          replica > 0 &&
          last < known.last
        );
      };
    },
  },
];

// --- the scenario ----------------------------------------------------------------------------------

const closingCommands = 300;
/** Beyond all values that processes write. */
const closingValues = 1_000_000_000;

const client: Omit<ProcessPlan, "name"> = {
  timeout: 2000,
  // A client stays at a node for a while, and leaves one that does not answer: then it is a new process.
  at: ({ process, number, nodes }) => mix(process, Math.floor(number / 8)) % nodes,
  next: ({ draw, key, unique, last }) => {
    const chance = draw.float();
    if (chance < 0.35) return { op: "read", key: key() };
    if (chance < 0.9 || typeof last !== "number")
      return { op: "write", key: key(), value: unique() };
    return { op: "cas", key: key(), value: [last, unique()] };
  },
};

/** The scenario of the replicated group. */
export const groupChaos = scenario({
  name: "group-chaos",
  about:
    "A replicated group of three or five voters with learners to come, on four to six nodes. Clients read, write and compare-and-set registers at any node, an operator adds, promotes and removes members and hands over the leadership, while messages are lost, nodes crash, disks fail and clocks lie. In a third of the runs the leaders have leases. What clients see is linearizable.",
  nodes: { min: 4, max: 6 },
  main: Peer,
  init: ({ peers, index, seed }) => ({
    peers,
    index,
    leases: streamKey(seed, "leases").low % 3 === 0,
  }),
  transport: "either",
  keys: ["x", "a", "b", "c", "d", "e"],
  duration: 10_000,
  settle: 40_000,
  swaps: ["/Peer-1/groups", "/Peer-1/gate", "/Peer-1/client"],
  fault: "crash",
  // A majority of any membership that the operator makes is left.
  tolerates: { down: (nodes) => (nodes >= 6 ? 2 : 1) },
  processes: [
    // Many at once, so that what the rest of a run refuses is the smaller part of it.
    { ...client, name: "rush", count: 20, wait: exponential(10), until: { operations: 30 } },
    { ...client, name: "client", count: 6, wait: exponential(60) },
    {
      name: "operator",
      count: 1,
      // Most of the time it is somewhere else than the leader.
      wait: exponential(50),
      timeout: 5000,
      next: ({ draw }) => ({ op: "members", value: draw.below(1_000_000) }),
    },
  ],
  // The healed core has to do a good deal, one after the other.
  closing: ({ keys }) =>
    Array.from({ length: closingCommands }, (_, i) => {
      const key = keys[Math.floor(i / 2) % keys.length] ?? "";
      return i % 2 === 0 ? { op: "read", key } : { op: "write", key, value: closingValues + i };
    }),
  succeed: { each: 100, mean: 500 },
  invariants: [
    { name: "G1: a term has one leader", inputs: [Office], begin: oneLeader },
    { name: "G1: a voter has one vote", inputs: [Voted, Standing], begin: oneVote },
    { name: "G2: logs match", inputs: [Standing], begin: logsMatch },
    {
      name: "G3, G4: all apply the same",
      inputs: [CommandApplied, Standing],
      begin: appliedAlike,
    },
    { name: "G5, G7, G8: memberships follow", inputs: [Membership], begin: membersFollow },
    { name: "what is applied never goes back", inputs: [Standing], begin: neverBack },
    { name: "no group halts", inputs: [Broken], begin: () => nothingHalts },
  ],
  eventually: [{ name: "all members agree", within: 38_000, holds: allAgree }],
  sometimes,
  finally: [
    {
      name: "linearizable",
      check: ({ history }) =>
        complaint(checkRegisters(history.filter(({ op }) => registerOps.has(op)))),
    },
    { name: "most commands are acknowledged", check: enough },
  ],
});
