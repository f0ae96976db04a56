/**
 * The rules of SWIM (Das, Gupta, Motivala 2002) with Lifeguard (Dadgar, Phillips, Currey 2018) that need
 * neither time nor network: which news beats which, how long a suspicion lasts, what is told how often.
 *
 * Invariants: the number of a member is raised by that member alone (FD5): nothing here makes a number
 * that was not heard, but `refutation`, for oneself. An accuser counts once. A later incarnation of a
 * process ends those before it; the two are never one member.
 */

import type { Millis } from "@kith/core";
import { addressOf, type PeerRef, processOf } from "@kith/network";

/** What is believed of a member. */
export type MemberStatus = "alive" | "suspect" | "dead" | "left";

/** What one process tells another about a member. */
export interface News {
  readonly peer: PeerRef;
  readonly status: MemberStatus;
  /** The member's own number, which it raises to contradict. */
  readonly number: number;
  /** With `suspect`: the process that accuses. */
  readonly from?: string;
}

/** A member as it is known here. */
export interface Member {
  readonly peer: PeerRef;
  status: MemberStatus;
  number: number;
  /** When its status changed, in monotonic milliseconds. */
  since: Millis;
  /** Who has accused it; none twice. */
  accusers: string[];
  /** How often the last news about it was told. */
  told: number;
}

/** All that is known. */
export interface SwimState {
  /** By process. Oneself is none of them. */
  members: Map<string, Member>;
  /** The own number. */
  number: number;
  /** Lifeguard's doubt in oneself, from 0 to 7: all waits are multiplied by one more. */
  health: number;
  /** Whom to probe next, in a fresh order for each round. */
  order: string[];
  entered: boolean;
  left: boolean;
}

/** The doubt stays below it. */
export const healthMax = 8;

/** A process that knows nobody. */
export function emptySwim(): SwimState {
  return { members: new Map(), number: 0, health: 0, order: [], entered: false, left: false };
}

/** Moves the doubt in oneself. */
export function doubt(state: SwimState, by: number): void {
  state.health = Math.min(healthMax - 1, Math.max(0, state.health + by));
}

/** Whether news beat what is known. */
export function beats(
  { status, number }: Pick<News, "status" | "number">,
  known: Pick<Member, "status" | "number">,
): boolean {
  const over = known.status === "dead" || known.status === "left";
  switch (status) {
    case "alive":
      return number > known.number;
    case "suspect":
      return !over && (known.status === "alive" ? number >= known.number : number > known.number);
    case "dead":
    case "left":
      return number >= known.number && !over;
  }
}

/** How many take part, oneself included. */
export function population({ members }: SwimState): number {
  let count = 1;
  for (const { status } of members.values())
    if (status === "alive" || status === "suspect") count++;
  return count;
}

/** What became of news. */
export type Outcome =
  /** It was known, or is outdated. */
  | "old"
  /** Another accuser of one who is suspected already. */
  | "confirmed"
  /** The status has changed. */
  | "changed"
  /** Only the number has. */
  | "renewed";

/** Takes news about another process in. Those about oneself are `refutation`'s. */
export function learn(state: SwimState, news: News, now: Millis): Outcome {
  const { peer, status, number, from } = news;
  const key = processOf(peer);
  const known = state.members.get(key);
  if (known === undefined) {
    // One who was over before anybody told of him is none.
    if (status === "dead" || status === "left" || outlived(state, peer)) return "old";
    const accusers = status === "suspect" && from !== undefined ? [from] : [];
    state.members.set(key, { peer, status, number, since: now, accusers, told: 0 });
    return "changed";
  }
  if (!beats(news, known)) {
    const another =
      status === "suspect" &&
      known.status === "suspect" &&
      number === known.number &&
      from !== undefined &&
      !known.accusers.includes(from);
    if (!another) return "old";
    known.accusers.push(from);
    known.told = 0;
    return "confirmed";
  }
  if (status === "alive" && outlived(state, peer)) return "old";
  const same = known.status === status;
  known.status = status;
  known.number = number;
  known.told = 0;
  known.accusers = status === "suspect" && from !== undefined ? [from] : [];
  if (same) return "renewed";
  known.since = now;
  return "changed";
}

/** Whether a later incarnation of this process is known. */
function outlived({ members }: SwimState, peer: PeerRef): boolean {
  const address = addressOf(peer);
  for (const { peer: other } of members.values())
    if (other.incarnation > peer.incarnation && addressOf(other) === address) return true;
  return false;
}

/** The members that a process's new incarnation has put an end to. */
export function predecessors({ members }: SwimState, peer: PeerRef): Member[] {
  const address = addressOf(peer);
  return [...members.values()].filter(
    ({ peer: other, status }) =>
      (status === "alive" || status === "suspect") &&
      other.incarnation < peer.incarnation &&
      addressOf(other) === address,
  );
}

/** Contradicts what others say of oneself; null where it needs no contradiction. */
export function refutation(state: SwimState, { status, number }: News): number | null {
  if (status === "alive" || state.left) return null;
  if (number < state.number) return null;
  state.number = number + 1;
  doubt(state, 1);
  return state.number;
}

/**
 * How long a suspicion lasts from its beginning, in milliseconds: six times longer while one alone
 * accuses, at once down to the minimum when two others confirm.
 *
 * @param confirmations distinct accusers beside the first
 */
export function suspicionMillis(count: number, period: Millis, confirmations: number): Millis {
  const min = 4 * Math.max(1, Math.log10(count)) * period;
  const max = 6 * min;
  const expected = count < 4 ? 0 : 2;
  if (expected === 0) return Math.round(min);
  const share = Math.log(confirmations + 1) / Math.log(expected + 1);
  return Math.round(Math.max(min, max - (max - min) * share));
}

/** How often a piece of news is passed on. */
export function tellings(count: number): number {
  return 4 * Math.ceil(Math.log10(count + 1));
}

/** How many pieces of news go with a message. */
const newsPerMessage = 8;

/**
 * What goes along with a message: the least told first. Marks it as told.
 *
 * @param to who gets it; one who is suspected always hears that, so that it can contradict
 */
export function piggyback(state: SwimState, to: PeerRef): News[] {
  const limit = tellings(population(state));
  const target = state.members.get(processOf(to));
  const about = target !== undefined && target.status !== "alive" ? [target] : [];
  const fresh = [...state.members.values()]
    .filter((one) => one.told < limit && one !== target)
    .toSorted((a, b) => a.told - b.told)
    .slice(0, newsPerMessage - about.length);
  for (const one of fresh) one.told++;
  return [...about, ...fresh].map(newsOf);
}

/** All that is known, for one who asks for it. */
export function fullView({ members }: SwimState): News[] {
  return [...members.values()].map(newsOf);
}

function newsOf({ peer, status, number, accusers }: Member): News {
  const [from] = accusers;
  return from === undefined ? { peer, status, number } : { peer, status, number, from };
}

/** The next process to probe: through all of them, in an order that `shuffle` draws for each round. */
export function nextProbe(
  state: SwimState,
  shuffle: (keys: readonly string[]) => string[],
): Member | null {
  for (let round = 0; round < 2; round++) {
    for (let key = state.order.pop(); key !== undefined; key = state.order.pop()) {
      const member = state.members.get(key);
      if (member !== undefined && (member.status === "alive" || member.status === "suspect"))
        return member;
    }
    state.order = shuffle([...state.members.keys()]);
  }
  return null;
}
