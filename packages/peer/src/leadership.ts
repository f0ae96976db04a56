/**
 * Who leads the groups of a peer: leadership is spread over the peers, and handed over by one that is about to stop.
 *
 * - **Spread.** The first member of a group in the order of its placement should lead it, and genesis gives each peer about as many
 *   groups to be first of. Who leads in its stead watches it, and hands over when it has been heard of and has had all entries for a
 *   while without a break. One group at a time.
 * - **No to and fro.** Leadership goes towards the first member only. Each time that it is lost there against the will of its leader, the while
 *   until it is given back is twice as long, up to a bound.
 * - **Handed over.** Before a peer stops, each group that it leads goes to the member that has most of it, which is told to campaign at
 *   once; whoever stops waits for that, up to a deadline. A transfer that fails is tried once more.
 *
 * All of it only saves time: a group whose leader is gone elects another one. A transfer ends the lease of a leader in its term, as
 * `lease.ts` has it, so that nothing is read under one that its successor does not know of.
 */

import {
  Component,
  event,
  type Millis,
  port,
  type ReplyToken,
  request,
  SchedulePeriodic,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import {
  AskStatus,
  Consensus,
  GroupHalted,
  GroupLeft,
  LeaderChanged,
  type Member,
  MembersChanged,
  Status,
  TransferLeadership,
} from "@kith/paxos";

/** Nothing is led here any more, or the time was over. */
export class HandedOver extends event("peer/HandedOver")<{
  /** How many groups are led elsewhere now. */
  readonly groups: number;
  /** Those that are still led here. */
  readonly left: readonly string[];
}> {}

/** Hands over all that is led here, and balances no more. */
export class HandOver extends request("peer/HandOver", HandedOver)<{
  /** How long to try, in milliseconds. */
  readonly within: Millis;
}> {}

/** Hands over what a peer leads. Provider: `Leadership`. */
export const Leading = port("Leading", { requests: [HandOver] });

/** When leadership is given to whom it belongs. Plain data. */
export interface BalanceRule {
  /** How long the first member of a group has to be there and up to date before it is given the leadership; default 10 s. */
  readonly steady?: Millis;
  /** Between two looks at the groups; default 1 s. At most one of them is given away each time. */
  readonly period?: Millis;
}

class Look extends timeout("peer/LeadershipLook") {}
class Again extends timeout("peer/HandOverAgain") {}

/** A group of which this peer has a replica. Plain data. */
interface Known {
  here: boolean;
  /** Whether it is known that anybody leads. */
  led: boolean;
  /** The members in the order of their placement, as far as that is known. */
  members: readonly Member[];
  /** Who led last, as a replica id; 0 for nobody yet. */
  leader: number;
  /** Who is watched, and since when without a break; 0 for nobody. */
  candidate: number;
  since: Millis;
  /** How often leadership was lost by a member before the one that had it next, and when last. */
  lost: number;
  lostAt: Millis;
  /** How often it was tried to hand it over before the stop. */
  tries: number;
  triedAt: Millis;
}

interface LeadershipState {
  readonly groups: Map<string, Known>;
  leaving: {
    readonly token: ReplyToken<HandedOver>;
    readonly until: Millis;
    /** Those that were led when it began. */
    readonly gids: ReadonlySet<string>;
  } | null;
}

const steadyMs: Millis = 10_000;
const periodMs: Millis = 1000;
/** Who was not heard of for longer is not there: a quiet group beats once a second. */
const silentMax: Millis = 2500;
/** So many entries may be on their way to who is up to date. */
const lagMax = 64;
/** The while until leadership is given back is at most 2 to the power of this times as long. */
const doublingsMax = 6;
/** After so long what was lost is forgotten. */
const lostFor: Millis = 600_000;
const againMs: Millis = 20;
const triesMax = 2;
/** A leader gives a transfer up by itself after its election timeout. */
const tryMs: Millis = 1600;

/** Balances and hands over the leadership of the groups of one peer. */
export class Leadership extends Component {
  readonly leading = this.provides(Leading);
  readonly consensus = this.requires(Consensus);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState<LeadershipState>({ groups: new Map(), leaving: null });
  readonly #steady: Millis;
  readonly #status = this.consensus.onAnswer(AskStatus, (answer, { gid }) => {
    if (answer instanceof Status) this.#look(gid, answer);
  });
  readonly #transfer = this.consensus.onAnswer(TransferLeadership, () => undefined);
  /** Whether one was given away since the last look. */
  #given = false;

  constructor({ steady = steadyMs, period = periodMs }: BalanceRule = {}) {
    super();
    this.#steady = steady;
    this.consensus.on(LeaderChanged, ({ gid, leader, here }) => this.#led(gid, leader, here));
    this.consensus.on(MembersChanged, ({ gid, config }) => {
      this.#groupOf(gid).members = config.members;
    });
    this.consensus.on(GroupHalted, ({ gid }) => this.#gone(gid));
    this.consensus.on(GroupLeft, ({ gid }) => this.#gone(gid));
    this.leading.on(HandOver, ({ within }, token) => this.#leave(token, within));
    this.timer.on(Look, () => this.#lookAround());
    this.timer.on(Again, () => this.#handOver());
    this.onStart(() => {
      this.timer.trigger(new SchedulePeriodic({ period, timeout: new Look() }));
      if (this.state.leaving !== null) this.#handOver();
    });
  }

  #groupOf(gid: string): Known {
    const { groups } = this.state;
    let one = groups.get(gid);
    if (one === undefined) {
      const nothing = { candidate: 0, since: 0, lost: 0, lostAt: 0 };
      one = {
        here: false,
        led: false,
        members: [],
        leader: 0,
        ...nothing,
        tries: 0,
        triedAt: -Infinity,
      };
      groups.set(gid, one);
    }
    return one;
  }

  #gone(gid: string): void {
    this.state.groups.delete(gid);
    this.#close();
  }

  #led(gid: string, leader: Member | null, here: boolean): void {
    const one = this.#groupOf(gid);
    one.here = here;
    one.led = leader !== null;
    one.candidate = 0;
    if (one.members.length === 0) this.#status(new AskStatus({ gid }));
    if (leader !== null && leader.replicaId !== one.leader) {
      const before = one.members.findIndex(({ replicaId }) => replicaId === one.leader);
      const after = one.members.findIndex(({ replicaId }) => replicaId === leader.replicaId);
      // One that has handed over knows why; to the others it is a loss, which makes them wait a little longer.
      if (before >= 0 && before < after) {
        const now = this.clock.monotonic;
        one.lost = now - one.lostAt > lostFor ? 1 : Math.min(doublingsMax, one.lost + 1);
        one.lostAt = now;
      }
      one.leader = leader.replicaId;
    }
    if (this.state.leaving !== null) this.#handOver();
  }

  // --- balance -------------------------------------------------------------------------------------

  #lookAround(): void {
    this.#given = false;
    if (this.state.leaving !== null) return;
    for (const [gid, one] of this.state.groups) {
      // Who leads as it should has nothing to ask.
      const [first] = one.members;
      if (one.here && (first === undefined || first.replicaId !== one.leader))
        this.#status(new AskStatus({ gid }));
    }
  }

  #look(gid: string, status: Status): void {
    const one = this.#groupOf(gid);
    one.members = status.config.members;
    if (this.state.leaving !== null) this.#hand(gid, one, status);
    else this.#balance(gid, one, status);
  }

  /** The first member before this one that is there and has everything. */
  #balance(gid: string, one: Known, status: Status): void {
    const now = this.clock.monotonic;
    if (status.role !== "leader") return;
    const ready = readyMembers(status);
    const first = one.members.find(
      ({ replicaId }) => replicaId === status.self || ready.includes(replicaId),
    );
    const candidate = first === undefined || first.replicaId === status.self ? 0 : first.replicaId;
    if (candidate !== one.candidate) {
      one.candidate = candidate;
      one.since = now;
    }
    if (candidate === 0 || this.#given) return;
    const lost = now - one.lostAt > lostFor ? 0 : one.lost;
    if (now - one.since < this.#steady * 2 ** lost) return;
    this.#given = true;
    // Where it does not take over, this begins anew.
    one.candidate = 0;
    this.#transfer(new TransferLeadership({ gid, to: candidate }));
  }

  // --- before a stop -------------------------------------------------------------------------------

  #leave(token: ReplyToken<HandedOver>, within: Millis): void {
    const { state } = this;
    if (state.leaving !== null)
      this.leading.reply(token, new HandedOver({ groups: 0, left: this.#ledHere() }));
    else {
      const gids = new Set(this.#ledHere());
      state.leaving = { token, until: this.clock.monotonic + within, gids };
      this.#handOver();
    }
  }

  #ledHere(): string[] {
    return [...this.state.groups].filter(([, { here }]) => here).map(([gid]) => gid);
  }

  #handOver(): void {
    if (this.#close()) return;
    const now = this.clock.monotonic;
    for (const [gid, one] of this.state.groups)
      if (one.here && one.tries < triesMax && now - one.triedAt >= tryMs)
        this.#status(new AskStatus({ gid }));
    this.timer.trigger(
      new ScheduleTimeout({ delay: againMs, timeout: new Again(), id: "hand over" }),
    );
  }

  #hand(gid: string, one: Known, status: Status): void {
    const now = this.clock.monotonic;
    if (status.role !== "leader" || one.tries >= triesMax || now - one.triedAt < tryMs) return;
    one.tries++;
    one.triedAt = now;
    const ready = readyMembers(status);
    const [best] = status.others
      .filter(({ replicaId, silent }) => silent <= silentMax && isVoter(status, replicaId))
      .toSorted((a, b) => b.match - a.match);
    const first = one.members.find(({ replicaId }) => ready.includes(replicaId));
    const to = first?.replicaId ?? best?.replicaId;
    if (to !== undefined) return this.#transfer(new TransferLeadership({ gid, to }));
    // Nobody is there to lead.
    one.tries = triesMax;
    one.triedAt = -Infinity;
  }

  /** Whether nobody waits, or now nobody does any more. */
  #close(): boolean {
    const { leaving, groups } = this.state;
    if (leaving === null) return true;
    const now = this.clock.monotonic;
    const left: string[] = [];
    for (const gid of leaving.gids) {
      const one = groups.get(gid);
      if (one === undefined) continue;
      const isOver = one.tries >= triesMax && now - one.triedAt >= tryMs;
      // The vote of this peer may be needed until somebody leads.
      if (one.here && !isOver) left.push(gid);
      else if (!one.here && !one.led) left.push(gid);
    }
    if (left.length > 0 && now < leaving.until) return false;
    this.leading.reply(leaving.token, new HandedOver({ groups: leaving.gids.size, left }));
    this.state.leaving = null;
    return true;
  }
}

/** The voters that are there and have everything, but for what is on its way. */
function readyMembers(status: Status): number[] {
  const { others, lastIndex } = status;
  return others
    .filter(
      ({ replicaId, match, silent }) =>
        isVoter(status, replicaId) && silent <= silentMax && match >= lastIndex - lagMax,
    )
    .map(({ replicaId }) => replicaId);
}

function isVoter({ config }: Status, id: number): boolean {
  return config.members.some(({ replicaId, voter }) => replicaId === id && voter);
}
