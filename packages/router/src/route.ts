/**
 * Where a packet goes from here: a pure function of what the router knows.
 *
 * Forwards: to the owner where its range is known (one hop, in a system that the table holds), else to the closest
 * peer before the key; RT1: that one is closer to the key than this peer. Whoever is thought to be the owner gets
 * the packet marked `last`, and hands it *backwards* if it is not: to the closest peer behind the key, which is
 * closer to it than this one is. So no way goes round.
 */

import type { Draw } from "@kith/core";
import { distance, inHalfOpen } from "@kith/membership";
import { type PeerRef, samePeer } from "@kith/network";
import { routerError } from "./errors.ts";
import type { Packet } from "./messages.ts";
import { ahead, type Entry, indexOf, owns, type RouterState } from "./state.ts";
import type { Table } from "./table.ts";

/** One way on. */
export interface Step {
  readonly to: PeerRef;
  /** Whether it is thought to be the owner. */
  readonly last: boolean;
}

/** What to do with a packet. */
export type Decision =
  | { readonly kind: "deliver" }
  | { readonly kind: "forward"; readonly step: Step }
  /** Nobody is known who is closer. */
  | { readonly kind: "nobody" }
  /** This peer is of no ring. */
  | { readonly kind: "out" };

/** So many candidates are compared by their round trips. */
const alikeMax = 16;
/** How often one is tried whose round trip is not known. */
const tryChance = 0.1;

/** How many messages one packet may take: four times the usual, and room for branches and retries. */
export function ttlFor(peers: number): number {
  return Math.min(256, Math.ceil(4 * Math.log2(Math.max(16, peers))) + 16);
}

/**
 * Decides.
 *
 * @param table picks among equally good ways; null where round trips do not count
 * @throws KithError `KITH_ROUTER_PROGRESS` where the chosen step would not come closer (RT1)
 */
export function decide(
  state: RouterState,
  packet: Pick<Packet, "key" | "last" | "excluded" | "goal">,
  table: Table | null,
  draw: Draw,
): Decision {
  const { key, goal } = packet;
  // A peer is the receiver of what is for itself, whatever the ring says.
  if (goal.kind === "peer" && samePeer(goal.peer, state.self)) return { kind: "deliver" };
  if (owns(state, key)) return { kind: "deliver" };
  const leaves = state.former !== null;
  if (state.view.status !== "in" && !leaves) return { kind: "out" };
  const excluded = (peer: PeerRef): boolean => packet.excluded.some((one) => samePeer(one, peer));
  const step = leaves ? handOver(state, key, excluded) : undefined;
  const found =
    step ??
    (packet.last ? backward(state, key, excluded) : forward(state, key, excluded, table, draw)) ??
    // All have failed to answer: one of them may do so now.
    (packet.last
      ? backward(state, key, () => false)
      : forward(state, key, () => false, null, draw));
  if (found === undefined) return { kind: "nobody" };
  if (step === undefined) assertProgress(state, key, packet.last, found);
  return { kind: "forward", step: found };
}

/** Whoever leaves hands what was its own to its successors. */
function handOver(
  { former, self, size }: RouterState,
  key: number,
  excluded: (peer: PeerRef) => boolean,
): Step | undefined {
  if (former === null) return undefined;
  const { predecessor, successors } = former;
  const own = predecessor !== null && inHalfOpen(key, predecessor.peerId, self.peerId, size);
  if (!own && key !== self.peerId) return undefined;
  const heir = successors.find((peer) => peer.peerId !== self.peerId && !excluded(peer));
  return heir === undefined ? undefined : { to: heir, last: true };
}

/** Whether an entry's range, as it was told last, has the key. */
function ownsAsTold({ size }: RouterState, { peer, after }: Entry, key: number): boolean {
  return peer.peerId === key || (after !== null && inHalfOpen(key, after, peer.peerId, size));
}

function forward(
  state: RouterState,
  key: number,
  excluded: (peer: PeerRef) => boolean,
  table: Table | null,
  draw: Draw,
): Step | undefined {
  const { entries } = state;
  const at = indexOf(state, key);
  // The first one behind the key whose range is known: whoever stands before it is known from hearsay alone.
  const owner = entries.slice(at).find(({ peer, after }) => after !== null || peer.peerId === key);
  if (owner !== undefined && ownsAsTold(state, owner, key) && !excluded(owner.peer))
    return { to: owner.peer, last: true };
  for (let before = at - 1; before >= 0; before--) {
    const entry = entries[before];
    if (entry === undefined || excluded(entry.peer)) continue;
    const chosen =
      table === null ? entry : nearest(state, entry, before, key, excluded, table, draw);
    return { to: chosen.peer, last: false };
  }
  const behind = closestBehind(entries.slice(at), excluded);
  return behind === undefined ? undefined : { to: behind, last: true };
}

/** Of the entries that are as good as the closest one, the nearest in time; now and then one not measured yet. */
function nearest(
  state: RouterState,
  closest: Entry,
  at: number,
  key: number,
  excluded: (peer: PeerRef) => boolean,
  table: Table,
  draw: Draw,
): Entry {
  const [successor] = state.view.successors;
  if (successor !== undefined && samePeer(successor, closest.peer)) return closest;
  let best = closest;
  const first = Math.max(0, at - alikeMax + 1);
  const unknown: Entry[] = [];
  for (const other of state.entries.slice(first, at)) {
    if (excluded(other.peer) || !table.alike(state, closest, other, key)) continue;
    if (other.roundTrip === null) unknown.push(other);
    else if (best.roundTrip === null || other.roundTrip < best.roundTrip) best = other;
  }
  return unknown.length > 0 && draw.chance(tryChance) ? draw.pick(unknown) : best;
}

function backward(
  state: RouterState,
  key: number,
  excluded: (peer: PeerRef) => boolean,
): Step | undefined {
  const { entries, view, self } = state;
  const to = closestBehind(entries.slice(indexOf(state, key)), excluded);
  if (to !== undefined) return { to, last: true };
  // The ring may name one that the table has given up.
  const { predecessor } = view;
  if (predecessor === null || excluded(predecessor) || predecessor.peerId === self.peerId)
    return undefined;
  return ahead(state, predecessor.peerId) < ahead(state, key)
    ? undefined
    : { to: predecessor, last: true };
}

/** The first of these: one that has spoken, where there is any. */
function closestBehind(
  entries: readonly Entry[],
  excluded: (peer: PeerRef) => boolean,
): PeerRef | undefined {
  const left = entries.filter(({ peer }) => !excluded(peer));
  return (left.find(({ heard }) => heard) ?? left[0])?.peer;
}

/** RT1. */
function assertProgress(
  state: RouterState,
  key: number,
  wasLast: boolean,
  { to, last }: Step,
): void {
  const { self, size } = state;
  // Marked last, a hop may first pass the key; from then on it comes back towards it.
  const closer = last
    ? !wasLast || distance(key, to.peerId, size) < distance(key, self.peerId, size)
    : distance(to.peerId, key, size) < (distance(self.peerId, key, size) || size);
  if (closer && to.peerId !== self.peerId) return;
  throw routerError(
    "KITH_ROUTER_PROGRESS",
    `Peer ${self.peerId} would send what is for ${key} to ${to.peerId}.`,
  );
}
