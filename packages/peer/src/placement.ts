/**
 * Where the replicas of a group are placed (algorithms.md §6.5.10, rulings 1 to 3 of §6.5.0): from the end of the group's range
 * in each slot of the ring clockwise to the next peer that fails independently of those chosen before.
 *
 * Which slot is the first depends on the end of the range, so that the right half of a split stays where the whole was.
 *
 * A pure function of the ring and the range: wherever the ring is seen alike the answer is the same, and a wrong one costs moves,
 * never data.
 */

import { streamKey } from "@kith/core";
import { distance } from "@kith/membership";
import { addressOf, type PeerRef } from "@kith/network";
import { hintOf, type KnownGroup, type Range } from "@kith/store";

/** How many slots the ring has: what lies at one place of a slot lies there in each. */
export const slots = 4;

const positions = 2 ** 48;

/** What the setting `ring.size` is where nobody gave another one. */
const pointsOfRing = slots * positions;

/**
 * The peers that replicas of a range should be on, the first choice first.
 *
 * @param peers all peers on the ring
 * @param replicas how many at most; fewer where there are not as many peers
 * @param size the points of the ring
 */
export function desired(
  gid: string,
  { hi }: Range,
  peers: readonly PeerRef[],
  { replicas, ordered, size = pointsOfRing }: PlacementOptions,
): PeerRef[] {
  const level = levelOf(peers, replicas);
  const chosen: PeerRef[] = [];
  const domains = new Set<string>();
  const share = size / slots;
  // Ordered keys may be crowded anywhere: their groups lie where chance puts them.
  const place = ordered ? streamKey(gid).high / 2 ** 32 : hi === null ? 1 : hintOf(hi) / positions;
  // Else fewer replicas than slots would leave the peers of the last slots without any.
  const first = streamKey("slot", ordered ? gid : (hi ?? "")).high % slots;
  for (let i = 0; i < slots && chosen.length < replicas; i++) {
    const from = Math.floor((place + ((first + i) % slots)) * share) % size;
    const clockwise = peers.toSorted(
      (a, b) => distance(from, a.peerId, size) - distance(from, b.peerId, size),
    );
    const next =
      clockwise.find((peer) => !domains.has(level(peer))) ??
      clockwise.find((peer) => !chosen.includes(peer));
    if (next === undefined) break;
    chosen.push(next);
    domains.add(level(next));
  }
  return chosen;
}

/** What placement has to know. */
export interface PlacementOptions {
  readonly replicas: number;
  /** Whether positions are the keys themselves. */
  readonly ordered: boolean;
  /** How many points the ring has; default `ring.size`'s. */
  readonly size?: number;
}

/**
 * The groups of a new store: equal shares of all positions, each placed on the ring. The first member of each is the one that should lead
 * it: of those that it is placed on, the one that is first of the fewest groups before.
 */
export function groupsAtGenesis(
  count: number,
  peers: readonly PeerRef[],
  options: PlacementOptions,
): KnownGroup[] {
  const bound = (i: number): string => {
    const hint = Math.floor((i * 0x1_0000) / count);
    return String.fromCharCode(hint >> 8, hint & 255);
  };
  const firstOf = new Map<number, number>();
  return Array.from({ length: count }, (_, i) => {
    const gid = `g${i + 1}`;
    const lo = i === 0 ? "" : bound(i);
    const hi = i + 1 === count ? null : bound(i + 1);
    const placed = desired(gid, { lo, hi }, peers, options).map(({ peerId, host, port }) => ({
      peerId,
      host,
      port,
    }));
    const leads = ({ peerId }: { readonly peerId: number }): number => firstOf.get(peerId) ?? 0;
    const [first] = placed.toSorted((a, b) => leads(a) - leads(b));
    if (first !== undefined) firstOf.set(first.peerId, leads(first) + 1);
    const members = placed.toSorted((a, b) => Number(b === first) - Number(a === first));
    return { descriptor: { gid, epoch: 1, lo, hi }, members };
  });
}

/** Identities spread evenly over the ring, the first as given: for the virtual peers of one process. */
export function spreadIds(first: number, count: number, size: number = pointsOfRing): number[] {
  return Array.from({ length: count }, (_, i) => (first + Math.floor((i * size) / count)) % size);
}

/**
 * What must not be shared by two replicas: the coarsest of failure domain, host, process and peer of which there are enough.
 *
 * Where nobody has said what fails together, a host does.
 */
function levelOf(peers: readonly PeerRef[], wanted: number): (peer: PeerRef) => string {
  const levels: ((peer: PeerRef) => string)[] = [
    (peer) => peer.failureDomain ?? peer.host,
    (peer) => peer.host,
    addressOf,
  ];
  return (
    levels.find((level) => new Set(peers.map(level)).size >= wanted) ??
    ((peer) => String(peer.peerId))
  );
}
