/**
 * What one peer can tell of itself: its place on the ring, the groups of which it has replicas, its counters. It gathers that when
 * somebody asks, from what its own components say; nothing is sent anywhere for it.
 */

import { AskTimeout, Component, event, port } from "@kith/core";
import { parsePeer, type PeerRef, self } from "@kith/network";
import {
  AskStatus,
  Consensus,
  Done,
  GroupHalted,
  GroupLeft,
  GroupSpawned,
  LeaderChanged,
  Peek,
  Status,
} from "@kith/paxos";
import { Ring, type RingStatus, RingView } from "@kith/ring";
import { decodeAnswer, type Descriptor, encodeQuery } from "@kith/store";
import type { GroupReport, PeerReport } from "./monitor.ts";
import { AskCounters, Front, type FrontCounters } from "./store-front.ts";

/** Each peer of the process is to tell how it is. */
export class TellNow extends event("peer/TellNow")<{ readonly round: number }> {}

/** This is how one is. */
export class PeerTold extends event("peer/Told")<{
  readonly round: number;
  readonly report: PeerReport;
}> {}

/** Between the monitor of a process and its peers. Provider: `MonitorServer`. */
export const Reports = port("Reports", { requests: [PeerTold], indications: [TellNow] });

/** Something about this peer that only its parent knows. */
export class PeerNote extends event("peer/Note")<{
  /** Groups of which replicas are here to begin with. */
  readonly gids?: readonly string[];
  /** A part has failed and begins anew. */
  readonly restarted?: boolean;
}> {}

/** Takes notes. Provider: `PeerMonitor`. */
export const Notes = port("Notes", { requests: [PeerNote] });

/** A report that is being gathered. */
interface Gathering {
  open: number;
  counters: PeerReport["counters"];
  readonly statuses: Map<string, Status>;
  readonly descriptors: Map<string, Descriptor>;
}

const hello = encodeQuery({ kind: "hello" });

/** Tells how its peer is. */
export class PeerMonitor extends Component {
  readonly reports = this.requires(Reports);
  readonly ring = this.requires(Ring);
  readonly consensus = this.requires(Consensus);
  readonly front = this.requires(Front);
  readonly notes = this.provides(Notes);
  readonly #self: PeerRef = parsePeer(this.setting(self));
  readonly #gids = new Set<string>();
  readonly #rounds = new Map<number, Gathering>();
  #ring: Pick<RingView, "status" | "predecessor" | "successors"> = noRing;
  #restarts = 0;
  readonly #status = this.consensus.onAnswer(AskStatus, (answer, { gid }, round: number) => {
    const one = this.#rounds.get(round);
    if (one === undefined) return;
    if (answer instanceof Status) one.statuses.set(gid, answer);
    this.#proceed(round, one);
  });
  readonly #peek = this.consensus.onAnswer(Peek, (answer, { gid }, round: number) => {
    const one = this.#rounds.get(round);
    if (one === undefined) return;
    const found = answer instanceof Done ? decodeAnswer(answer.result) : null;
    if (found?.kind === "here") one.descriptors.set(gid, found.descriptor);
    this.#proceed(round, one);
  });
  readonly #count = this.front.onAnswer(AskCounters, (answer, _, round: number) => {
    const one = this.#rounds.get(round);
    if (one === undefined || answer instanceof AskTimeout) return;
    one.counters = countersOf(answer, this.#restarts);
    this.#proceed(round, one);
  });

  constructor() {
    super();
    this.ring.on(RingView, ({ status, predecessor, successors }) => {
      this.#ring = { status, predecessor, successors };
    });
    this.consensus.on(LeaderChanged, ({ gid }) => void this.#gids.add(gid));
    this.consensus.on(GroupSpawned, ({ gid }) => void this.#gids.add(gid));
    this.consensus.on(GroupHalted, ({ gid }) => void this.#gids.add(gid));
    this.consensus.on(GroupLeft, ({ gid }) => void this.#gids.delete(gid));
    this.notes.on(PeerNote, ({ gids = [], restarted = false }) => {
      for (const gid of gids) this.#gids.add(gid);
      if (restarted) this.#restarts++;
    });
    this.reports.on(TellNow, ({ round }) => this.#begin(round));
  }

  #begin(round: number): void {
    // What an earlier round still waits for comes too late for it.
    this.#rounds.clear();
    const gids = [...this.#gids];
    this.#rounds.set(round, {
      open: 1 + 2 * gids.length,
      counters: countersOf({ done: 0, notDone: 0, unknown: 0, open: 0 }, this.#restarts),
      statuses: new Map(),
      descriptors: new Map(),
    });
    this.#count(new AskCounters(), { context: round });
    for (const gid of gids) {
      this.#status(new AskStatus({ gid }), { context: round });
      this.#peek(new Peek({ gid, query: hello }), { context: round });
    }
  }

  #proceed(round: number, one: Gathering): void {
    if (--one.open > 0) return;
    this.#rounds.delete(round);
    const { status: ring, predecessor, successors } = this.#ring;
    const groups = [...one.statuses].map(([gid, status]) =>
      reportOf(gid, status, one.descriptors.get(gid)),
    );
    const { counters } = one;
    const report: PeerReport = {
      peer: this.#self,
      state: "up",
      reason: "",
      ring,
      predecessor,
      successors,
      groups,
      counters,
    };
    this.reports.trigger(new PeerTold({ round, report }));
  }
}

const noRing: { status: RingStatus; predecessor: null; successors: readonly PeerRef[] } = {
  status: "out",
  predecessor: null,
  successors: [],
};

/** Counters, with what only the peer's parent counts. */
export function countersOf(
  { done, notDone, unknown, open }: Pick<FrontCounters, "done" | "notDone" | "unknown" | "open">,
  restarts: number,
): PeerReport["counters"] {
  return { done, notDone, unknown, open, restarts };
}

function reportOf(gid: string, status: Status, known: Descriptor | undefined): GroupReport {
  const { role, term, leader, config, applied, commit, halted } = status;
  return {
    gid,
    lo: known?.lo ?? "",
    hi: known?.hi ?? null,
    epoch: known?.epoch ?? 0,
    role,
    term,
    leader: leader?.peerId ?? null,
    members: config.members.map(({ peerId }) => peerId),
    applied,
    commit,
    halted,
  };
}
