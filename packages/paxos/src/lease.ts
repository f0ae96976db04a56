/**
 * Leases, where the settings have them: reads that the leader answers without a round (Ongaro's thesis §6.4.1).
 *
 * A voter that has confirmed a round is loyal for `electionMin` from when the round reached it, and that is after the
 * leader sent it. So nobody can be elected before the send time of the last round that a majority has confirmed, plus
 * `electionMin` less what clocks may differ. Up to then the leader knows all that is committed.
 *
 * - The majority is one of the membership in force, and the leader is a voter in it.
 * - Who is asked to take over needs no loyalty: a leader that has asked has no lease any more in its term. The
 *   question, or a vote that is asked for because of it, may be on its way for ever.
 * - Where a follower's clock is seen to run faster than it may, this replica goes without leases in this life.
 */

import type { Millis } from "@kith/core";
import { isVoter, majorityReached } from "./config.ts";
import { configOf, type GroupState, type Leadership, type Progress } from "./state.ts";

/** Clocks are read in steps of up to so much. */
const readingMs = 1;
/** Over so many times `electionMin` two clocks are compared before it begins anew: drift may begin late. */
const windows = 16;
/** So many rounds may be unconfirmed; of older ones it is not known any more when they were sent. */
const sentMax = 64;

/** Takes note of when a round is sent. */
export function noteSent({ settings, now }: GroupState, { sent, round }: Leadership): void {
  if (settings.lease === false) return;
  sent.push({ round, at: now });
  while (sent.length > sentMax || (sent[0]?.at ?? now) < now - settings.electionMin) sent.shift();
}

/** Until when, on the leader's monotonic clock, nobody else can have been elected; `-Infinity` where that is not known. */
export function leaseEnd(state: GroupState): Millis {
  const { leadership: led, settings, halted, drifting } = state;
  const { lease, electionMin } = settings;
  if (lease === false || led === null || led.invited || drifting > 0 || halted !== null)
    return -Infinity;
  const config = configOf(state);
  if (!isVoter(config, state.self)) return -Infinity;
  const confirmed = majorityReached(config, (id) =>
    id === state.self ? led.round : (led.progress.get(id)?.round ?? 0),
  );
  const sent = led.sent.find(({ round }) => round === confirmed);
  if (sent === undefined) return -Infinity;
  return sent.at + electionMin * (1 - lease.drift) - lease.margin;
}

/** Whether the lease holds at a time. Read the table first, and ask then: the process may stand still in between. */
export function holdsLease(state: GroupState, now: Millis): boolean {
  return now < leaseEnd(state);
}

/** Compares a follower's clock, as it was when it confirmed a round, with the leader's own. */
export function compareClocks(
  state: GroupState,
  led: Leadership,
  progress: Progress,
  { from, round, clock }: { readonly from: number; readonly round: number; readonly clock: Millis },
): void {
  const { lease, electionMin } = state.settings;
  const at = led.sent.find((sent) => sent.round === round)?.at;
  if (lease === false || at === undefined) return;
  const { reading } = progress;
  // A clock that is behind its last reading is that of a new life.
  if (reading !== null && clock >= reading.clock) {
    // The first was taken after `at`, the second before now.
    const passedAtMost = state.now - reading.at;
    if ((clock - reading.clock - readingMs) * (1 - lease.drift) > passedAtMost) {
      if (state.drifting === 0) state.out.news.push({ kind: "drift", replica: from });
      state.drifting = from;
    }
    if (passedAtMost < windows * electionMin) return;
  }
  progress.reading = { at, clock };
}
