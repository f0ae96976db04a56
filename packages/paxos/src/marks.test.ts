/** What may happen in a random run: each of these has to happen in some. */

export interface Marks {
  proposed: number;
  accepted: number;
  committed: number;
  leaderChanges: number;
  snapshots: number;
  truncations: number;
  promoted: number;
  promotedUnderCut: number;
  removed: number;
  leaderRemoved: number;
  torn: number;
  leaderLostReads: number;
  leased: number;
}

export function noOutcome(): Marks {
  return {
    proposed: 0,
    accepted: 0,
    committed: 0,
    leaderChanges: 0,
    snapshots: 0,
    truncations: 0,
    promoted: 0,
    promotedUnderCut: 0,
    removed: 0,
    leaderRemoved: 0,
    torn: 0,
    leaderLostReads: 0,
    leased: 0,
  };
}
