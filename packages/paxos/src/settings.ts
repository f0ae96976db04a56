/** The settings of a group, each with what raising it costs. All replicas of a group have the same. */

import type { Millis } from "@kith/core";

/** What a lease takes for granted. */
export interface LeaseSettings {
  /**
   * How much faster the monotonic clock of one member may run than that of another, as a part of its rate, from 0 to below
   * 1. Clocks of good machines differ by less than 0.001; that of a suspended one stands still, which no drift
   * allows. Raising it makes leases shorter.
   */
  readonly drift: number;
  /** What a lease is shorter beyond that, for clocks that err otherwise. Raising it makes leases shorter. */
  readonly margin: Millis;
}

/** The settings of a group. Plain data. */
export interface GroupSettings {
  /** Between two heartbeats of a leader. Raising it saves messages and CPU, and delays reads whose round was lost. */
  readonly heartbeat: Millis;
  /** Between two heartbeats of a group in which nothing happens; election timers are scaled alike. */
  readonly quietHeartbeat: Millis;
  /** How long nothing has to happen before a group is quiet. */
  readonly quietAfter: Millis;
  /**
   * The shortest time without a leader after which a replica campaigns, and for which a voter stays loyal.
   * Raising it makes fail-over slower, lowering it makes needless elections likelier. At least 5 heartbeats.
   */
  readonly electionMin: Millis;
  /** The longest such time, also the time after which a leader without a majority gives up. Twice the other one. */
  readonly electionMax: Millis;
  /** How many bytes of entries one message carries at most, if it has more than one. */
  readonly batchBytesMax: number;
  /** How many messages with entries may be on their way to one follower. */
  readonly inflightMax: number;
  /**
   * So many bytes of entries have to wait for a follower so that they are sent while others are on their way to it; fewer go with
   * the next answer, or after `gatherMax`. Raising it saves messages and CPU where much is written, 0 sends all at once.
   */
  readonly gatherBytes: number;
  /** How long entries wait for others at most. */
  readonly gatherMax: Millis;
  /** How many entries may wait for their commit before a proposal is answered `busy`. */
  readonly pendingMax: number;
  /** The same in bytes. */
  readonly pendingBytesMax: number;
  /** How many reads may wait before one is answered `busy`. */
  readonly readsMax: number;
  /** How far a learner may be behind the commit when it is promoted, in entries. */
  readonly promoteLagMax: number;
  /** How many applied entries the log keeps for followers that are behind; others get a snapshot. */
  readonly keepEntries: number;
  /** How many entries more have to be there before the log is cut. Lower means more, smaller cuts. */
  readonly cutEntries: number;
  /**
   * How many bytes of entries the log has at most, about, whatever their number: where it has more, the older half of so many
   * goes, as far as it is applied. It is in memory, and read anew at each start. Raising it costs memory, lowering it makes more
   * followers need a snapshot that are behind where values are large. At least twice `pendingBytesMax`.
   */
  readonly keepBytes: number;
  /** How many bytes of a snapshot one message carries at most, if it has more than one row. One is on its way at a time. */
  readonly partBytesMax: number;
  /**
   * Whether a leader answers reads without asking anybody, for a little less than `electionMin` after a round that a majority
   * has confirmed. False, the default: each batch of reads costs a round of heartbeats, and no clock is trusted. With
   * leases reads cost no message; in return they are linearizable only as long as the clocks keep to `drift`. A leader
   * that finds a follower's clock beyond that goes without leases until its process starts again.
   */
  readonly lease: LeaseSettings | false;
}

/** What holds where nothing else is said. */
export const defaultSettings: GroupSettings = {
  heartbeat: 150,
  quietHeartbeat: 1000,
  quietAfter: 3000,
  electionMin: 1500,
  electionMax: 3000,
  batchBytesMax: 64 * 1024,
  inflightMax: 256,
  gatherBytes: 16 * 1024,
  gatherMax: 20,
  pendingMax: 4096,
  pendingBytesMax: 16 * 1024 * 1024,
  readsMax: 16_384,
  promoteLagMax: 64,
  keepEntries: 1024,
  cutEntries: 4096,
  keepBytes: 64 * 1024 * 1024,
  partBytesMax: 256 * 1024,
  lease: false,
};

/** Says what is wrong with settings; null where nothing is. */
export function settingsProblem({ lease = false }: Partial<GroupSettings>): string | null {
  if (lease === false) return null;
  const { drift, margin } = lease;
  // A lease that is longer than loyalty would break what it promises.
  return drift >= 0 && drift < 1 && margin >= 0
    ? null
    : `A lease with a drift of ${drift} and a margin of ${margin} ms is none.`;
}
