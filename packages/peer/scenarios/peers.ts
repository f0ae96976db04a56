/**
 * Whole peers under all faults: processes found a cluster on the ring that they form, place its groups, and serve registers from
 * every peer, those without replicas too. What clients see is linearizable; in the end there is one closed ring, and all are ready.
 *
 * The same manager runs here and on sockets. `kith sim peers --peers 64` takes so many processes instead of those that a seed draws.
 */

import { eachFact, exponential, isReport, scenario, someFact, type View } from "@kith/sim/scenario";
import { checkRegisters, complaint } from "@kith/testing/history";
import {
  Begins,
  Belongs,
  Doubled,
  Fails,
  faultsBorne,
  Hosts,
  idSpace,
  isForStore,
  Looked,
  Process,
  Sees,
  Served,
  within,
} from "./process.ts";

/** So many processes have two peers each; more have one. */
const twinsMax = 8;
const replicas = 3;
/** So long a part that has failed takes to begin anew, the longest pause and what faults of the world add to it, in milliseconds. */
const anewWithin = 20_000;
/** So often somebody looks at the cluster, at one process after the other, in milliseconds. */
const looksEvery = 500;

// --- the cluster -----------------------------------------------------------------------------------

/** The peers of a process: one, or two with halves of the ring between them. */
export function peersOf(index: number, nodes: number): number[] {
  const each = nodes <= twinsMax ? 2 : 1;
  const share = idSpace / (nodes * each);
  return Array.from({ length: each }, (_, i) => Math.floor((i * nodes + index + 0.5) * share));
}

/** Where a peer lies that is added: somewhere else than all others. */
function placeOf(unique: number): number {
  return Math.floor(((unique * 0.618_033_988_749) % 1) * idSpace);
}

/** More than half found it, so that it is founded while some are gone, and some have no replicas. */
function foundersOf(nodes: number): number {
  return Math.max(3, Math.ceil(nodes * 0.6)) * peersOf(0, nodes).length;
}

// --- what has to hold ------------------------------------------------------------------------------

/** What is at the nodes as they live now. */
interface Now {
  /** The peers that are hosted or will be again soon, and those that were given up, with their nodes. */
  readonly hosted: ReadonlyMap<number, string>;
  readonly failed: ReadonlySet<number>;
}

function nowOf({ nodes, ...view }: View): Now {
  const hosted = new Map<number, string>();
  const failed = new Set<number>();
  const lives = new Map(nodes.map(({ name, life }) => [name, life]));
  for (const { name, core, index } of nodes)
    if (core) for (const peerId of peersOf(index, nodes.length)) hosted.set(peerId, name);
  for (const { node, life, fact } of view.facts(Hosts)) {
    if (lives.get(node) !== life) continue;
    if (fact.hosted) hosted.set(fact.peerId, node);
    else if (!fact.returns) hosted.delete(fact.peerId);
    if (fact.reason !== "") failed.add(fact.peerId);
  }
  return { hosted, failed };
}

/** What is missing to one cluster on one closed ring. */
function unsettled(view: View): string | undefined {
  const { nodes } = view;
  const clusters = new Set<string>();
  const belongs = view.last(Belongs);
  const seen = new Map<number, Sees>();
  const lives = new Map(nodes.map(({ name, life }) => [name, life]));
  for (const { node, life, fact } of view.facts(Sees))
    if (lives.get(node) === life) seen.set(fact.peerId, fact);
  for (const { name, life, core } of nodes) {
    if (!core) continue;
    const one = belongs.get(name);
    if (one?.life !== life || one.fact.phase !== "ready")
      return `${name} is ${one?.life === life ? one.fact.phase : "silent"}`;
    clusters.add(one.fact.clusterId);
  }
  if (clusters.size !== 1) return `there are ${clusters.size} clusters`;
  const ids = [...nowOf(view).hosted.keys()].toSorted((a, b) => a - b);
  for (const [i, id] of ids.entries()) {
    const one = seen.get(id);
    const next = ids[(i + 1) % ids.length];
    if (one?.status !== "in") return `${id} is ${one?.status ?? "silent"}`;
    if (one.successor !== next) return `behind ${id} is ${one.successor}, not ${next}`;
  }
  return undefined;
}

/** The faults of each peer in its node's present life, and how often its part has begun. */
function faultsOf({ nodes, ...view }: View): Map<number, { fails: number; begins: number }> {
  const lives = new Map(nodes.map(({ name, life, core }) => [name, core ? life : 0]));
  const faults = new Map<number, { fails: number; begins: number }>();
  const of = (peerId: number): { fails: number; begins: number } => {
    const one = faults.get(peerId) ?? { fails: 0, begins: 0 };
    faults.set(peerId, one);
    return one;
  };
  for (const { node, life, fact } of view.facts(Fails))
    if (lives.get(node) === life) of(fact.peerId).fails++;
  for (const { node, life, fact } of view.facts(Begins))
    if (lives.get(node) === life) of(fact.peerId).begins++;
  return faults;
}

/** Whose part has failed and neither began anew nor took its peer down. */
function unsupervised(view: View): string | undefined {
  const { hosted, failed } = nowOf(view);
  for (const [peerId, { fails, begins }] of faultsOf(view)) {
    if (fails > faultsBorne && !failed.has(peerId))
      return `a part of ${peerId} has failed ${fails} times, and it goes on`;
    if (fails <= faultsBorne && hosted.has(peerId) && begins <= fails)
      return `the part of ${peerId} that has failed ${fails} times has begun ${begins} times`;
  }
  return undefined;
}

/** What is wrong with where replicas are placed. */
function misplaced({ groups }: Belongs): string | undefined {
  for (const { gid, members } of groups) {
    const processes = new Set(members.map(({ process }) => process));
    if (members.length !== replicas || processes.size < replicas)
      return `${gid} has ${members.length} replicas in ${processes.size} processes`;
  }
  return undefined;
}

/** What is wrong with what was seen last by somebody who looked at the cluster. */
function misshown(view: View): string | undefined {
  const { hosted, failed } = nowOf(view);
  const looks = view.facts(Looked).filter(({ fact }) => fact.missing === null);
  if (looks.length === 0) return "nobody has seen all";
  const changed = Math.max(
    view.facts(Hosts).at(-1)?.time ?? 0,
    view.facts(Belongs).at(-1)?.time ?? 0,
    view.facts(Sees).at(-1)?.time ?? 0,
  );
  const last = looks.findLast(({ time }) => time > changed);
  if (last === undefined) return "nobody has seen all since a peer came or went";
  const shown = new Map(last.fact.peers.map((one) => [one.peerId, one]));
  if (shown.size < last.fact.peers.length) return "a peer is shown twice";
  for (const [peerId, node] of hosted)
    if (shown.get(peerId)?.state !== "up") return `${peerId} of ${node} is not shown`;
  for (const [peerId, { state }] of shown)
    if (!hosted.has(peerId) && !(state === "failed" && failed.has(peerId)))
      return `${peerId} is shown as ${state}, and is not there`;
  for (const { gid, members } of [...view.last(Belongs).values()][0]?.fact.groups ?? [])
    for (const { peerId } of members)
      if (!Object.hasOwn(shown.get(peerId)?.groups ?? {}, gid))
        return `${peerId} has no replica of ${gid}`;
  return undefined;
}

/** What is missing to a cluster that is settled and shown as it is. */
function unshown(view: View): string | undefined {
  return unsettled(view) ?? unsupervised(view) ?? misshown(view);
}

/** A peer that has done something, and whether it has replicas; null while that is not known. */
function served(
  holds: (
    of: Pick<Served, "peerId" | "early" | "rebirth"> & {
      readonly isMember: boolean | null;
      readonly life: number;
    },
  ) => boolean,
): () => (view: View) => boolean {
  return () => (view) => {
    const { news } = view;
    if (!isReport(news, Served)) return false;
    const belongs = view.last(Belongs).get(news.node)?.fact;
    if (belongs === undefined) return false;
    const { peerId, early, rebirth } = news.fact;
    const members = belongs.groups.flatMap((group) => group.members.map((one) => one.peerId));
    const isMember = members.length === 0 ? null : members.includes(peerId);
    return holds({ peerId, early, rebirth, isMember, life: news.life });
  };
}

const notTwice = "a peer whose life has ended would live it again: others do not believe that";

const renewed = {
  name: "a peer with replicas serves in a later life within one of its process",
  inputs: [Served],
  begin: served(({ isMember, rebirth }) => isMember === true && rebirth > 0),
};

/**
 * The scenario of whole peers.
 *
 * @param renews whether peers with replicas are removed and taken back, too
 */
function wholePeers(renews: boolean) {
  return scenario({
    name: renews ? "peer-renewal" : "peers",
    about:
      "Processes of one or two peers form a ring, found a cluster on it and place the groups of its store. Clients read, write and compare registers at every peer, those without replicas too, before it is founded and after, while processes crash and come back, and links fail. Meanwhile peers are added and removed, parts of peers fail, and people look at the cluster. What clients see is linearizable; in the end there is one cluster on one closed ring, every process is ready, and the monitor shows what there is." +
      (renews ? " Peers with replicas are removed, and come back in a life of their own." : ""),
    nodes: { min: 4, max: 12 },
    main: Process,
    init: ({ index, peers: lives }) => ({
      peers: peersOf(index, lives.length),
      looks: { first: (index + 1) * looksEvery, every: lives.length * looksEvery },
      ...(index === 0
        ? { create: { peers: foundersOf(lives.length), groups: 4, replicas }, resume: true }
        : { join: ["n1:7000", "n2:7000"].filter((one) => one !== `n${index + 1}:7000`) }),
    }),
    transport: "stream",
    keys: ["x", "a", "b", "c", "d", "e"],
    duration: 15_000,
    settle: 90_000,
    fault: "crash",
    // The founder has to be there until it has founded, and majorities of all groups.
    tolerates: { down: () => 0 },
    ...(renews ? { faults: { without: { "reused identity": notTwice } } } : {}),
    processes: [
      {
        name: "client",
        count: 6,
        wait: exponential(200),
        timeout: within + 14_000,
        next: ({ draw, key, unique, last }) => {
          const chance = draw.float();
          if (chance < 0.5) return { op: "read", key: key() };
          if (chance < 0.8 || typeof last !== "number")
            return { op: "write", key: key(), value: unique() };
          return { op: "cas", key: key(), value: [last, unique()] };
        },
      },
      {
        name: "operator",
        count: 3,
        wait: exponential(300),
        timeout: within + 14_000,
        next: ({ draw, unique }) => {
          const chance = draw.float();
          if (chance < 0.25) return { op: "look" };
          if (chance < 0.5) return { op: "add", value: placeOf(unique()) };
          if (chance < 0.6) return { op: "add again" };
          if (chance < 0.7) return { op: "remove" };
          if (renews && chance < 0.8) return { op: "renew", value: unique() };
          return { op: "break" };
        },
      },
    ],
    closing: ({ keys, nodes }) => [
      ...Array.from({ length: Math.max(2 * keys.length, nodes) }, (_, i) => ({
        op: "read",
        key: keys[i % keys.length] ?? "x",
      })),
      ...Array.from({ length: nodes }, () => ({ op: "look" })),
    ],
    succeed: { each: 12, mean: 60 },
    invariants: [
      {
        name: "there is one cluster",
        inputs: [Belongs],
        begin: () => {
          let first = "";
          return ({ news }) => {
            if (!isReport(news, Belongs) || news.fact.clusterId === "") return undefined;
            first = first === "" ? news.fact.clusterId : first;
            return first === news.fact.clusterId ? undefined : `${news.node} belongs to another`;
          };
        },
      },
      {
        name: "nobody is refused",
        ...eachFact(
          Belongs,
          () =>
            ({ node, fact }) =>
              fact.phase === "failed" ? `${node} is refused` : undefined,
        ),
      },
      {
        name: "no two replicas of a group are in one process",
        ...eachFact(
          Belongs,
          () =>
            ({ fact }) =>
              misplaced(fact),
        ),
      },
      {
        name: "two peers of one identity are refused",
        ...eachFact(
          Doubled,
          () =>
            ({ node, fact }) =>
              `${fact.peerId} is twice at ${node}`,
        ),
      },
      {
        name: "no peer is given up before a part of it has failed too often",
        ...eachFact(Hosts, () => ({ node, life, fact }, view) => {
          const { peerId, reason } = fact;
          if (reason === "") return undefined;
          const fails = view
            .facts(Fails)
            .filter((one) => one.node === node && one.life === life && one.fact.peerId === peerId);
          return fails.length > faultsBorne
            ? undefined
            : `${peerId} is given up after ${fails.length} faults: ${reason}`;
        }),
      },
    ],
    eventually: [
      {
        name: "one cluster, one ring, and all ready",
        within: 80_000,
        holds: (view) => unsettled(view) === undefined,
        why: unsettled,
      },
      {
        name: "what has failed begins anew, or ends",
        within: anewWithin,
        holds: (view) => unsupervised(view) === undefined,
        why: unsupervised,
      },
      {
        // A look from before the ring was closed shows what there was: somebody looks again and again.
        name: "the monitor shows what there is",
        within: 85_000,
        holds: (view) => unshown(view) === undefined,
        why: unshown,
      },
    ],
    sometimes: [
      {
        name: "a peer without replicas serves",
        inputs: [Served],
        begin: served(({ isMember }) => isMember === false),
      },
      {
        name: "a peer with replicas serves in a later life",
        inputs: [Served],
        begin: served(({ isMember, life }) => isMember === true && life > 1),
      },
      ...(renews ? [renewed] : []),
      {
        name: "what was asked before the founding is done after it",
        inputs: [Served],
        begin: served(({ early }) => early),
      },
      {
        name: "founding goes on in a later life",
        inputs: [Belongs],
        begin:
          () =>
          ({ news }) =>
            isReport(news, Belongs) && news.life > 1 && news.fact.phase === "placing",
      },
      { name: "a peer is given up", ...someFact(Hosts, ({ fact }) => fact.reason !== "") },
      {
        name: "a peer that was added is removed",
        ...someFact(Hosts, ({ fact }) => !fact.hosted && !fact.returns && fact.reason === ""),
      },
      { name: "a part begins anew", ...someFact(Fails, () => true) },
    ],
    finally: [
      {
        name: "linearizable",
        check: ({ history }) =>
          complaint(checkRegisters(history.filter(({ op }) => isForStore(op)))),
      },
      {
        name: "who looks sees something",
        check: ({ history }) =>
          history.some(({ op, error }) => op === "look" && error === "timeout")
            ? "somebody has looked in vain"
            : undefined,
      },
    ],
  });
}

/** Processes found a cluster, and whole peers serve in it, under all faults. */
export const peers = wholePeers(false);

/** The same, while peers with replicas come and go. */
export const peerRenewal = wholePeers(true);
