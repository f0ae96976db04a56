/** Which groups the store of this example has, and where their members are. */

import { type Descriptor, type KnownGroup, positionOf } from "@kith/store";
import type { PeerAddress } from "@kith/paxos";

/** So many groups divide the keys among them at the beginning. */
export const groupCount = 4;

/** The groups: all of them at all members, each with its share of the hashes of keys. */
export function groupsOf(members: readonly PeerAddress[]): readonly KnownGroup[] {
  const share = 256 / groupCount;
  const bound = (i: number): string => (i === 0 ? "" : String.fromCharCode(i * share));
  return Array.from({ length: groupCount }, (_, i) => {
    const hi = i + 1 === groupCount ? null : bound(i + 1);
    const descriptor: Descriptor = { gid: `store-${i}`, epoch: 1, lo: bound(i), hi };
    return { descriptor, members };
  });
}

/** A position in the middle of what a group has at the beginning: where it may be split. */
export function middleOf(group: number): string {
  return String.fromCharCode((group * 256 + 128) / groupCount);
}

/** Where a key of text lies. */
export function positionOfText(key: string): string {
  return positionOf(key, false);
}
