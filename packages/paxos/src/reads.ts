/**
 * Reads without a log entry (ReadIndex; Ongaro's thesis §6.4).
 *
 * L9: a read takes down the commit when it comes; it is answered once a round of heartbeats that *began after it came* is
 * confirmed by a majority in the leader's term, and the table is applied up to there. A leader whose own
 * first entry is not committed does not know yet what is committed, and lets reads wait. All reads that wait
 * share a round; one round is under way at a time, and each heartbeat begins another. Where the leader has a
 * lease, they need none (`lease.ts`).
 *
 * A round for reads alone asks no more voters than it takes, those who have confirmed the last one: the others would only
 * repeat it. Where one of them keeps silent for a moment, all are asked; and heartbeats go to all as ever.
 */

import { isMajority, isVoter, type ReplicaId, votersOf } from "./config.ts";
import { ensure } from "./errors.ts";
import { holdsLease, noteSent } from "./lease.ts";
import { termAt } from "./log.ts";
import { wake } from "./office.ts";
import { beat } from "./replication.ts";
import { configOf, type GroupState, type Leadership } from "./state.ts";

/** Why something was refused. */
export type Refusal = "not-leader" | "busy" | "halted";

/** Asks for a linearizable read. The outcome comes in the effects, by this id. @returns why not, else null */
export function read(state: GroupState, id: number): Refusal | null {
  if (state.halted !== null) return "halted";
  const led = state.leadership;
  if (led === null) return "not-leader";
  if (led.reads.length >= state.settings.readsMax) return "busy";
  led.reads.push({ id, index: state.commit, round: 0, after: led.round });
  wake(state, led);
  return null;
}

/** Begins a round where reads wait for one and none is under way. */
export function beginRounds(state: GroupState, led: Leadership): void {
  if (led.reads.length === 0 || !ownTermCommitted(state, led)) return;
  if (led.reads.some(({ round }) => round > 0) || holdsLease(state, state.now)) return;
  startRound(state, led, enough(state, led));
}

/** So many voters as make a majority with this leader, of those who have confirmed all rounds; null where there are fewer. */
function enough(state: GroupState, led: Leadership): ReadonlySet<ReplicaId> | null {
  const config = configOf(state);
  const voters = votersOf(config);
  const needed = (voters.length >> 1) + (isVoter(config, state.self) ? 0 : 1);
  const asked = new Set<ReplicaId>();
  for (const { replicaId } of voters) {
    if (asked.size === needed) break;
    const round = led.progress.get(replicaId)?.round ?? 0;
    if (replicaId !== state.self && round > 0 && round === led.round) asked.add(replicaId);
  }
  return asked.size === needed ? asked : null;
}

/** Begins a round: for all reads that wait, and as the heartbeat. @param asked who is asked; null: all */
export function startRound(
  state: GroupState,
  led: Leadership,
  asked: ReadonlySet<ReplicaId> | null = null,
): void {
  led.round++;
  noteSent(state, led);
  const known = ownTermCommitted(state, led);
  for (const read of led.reads) {
    if (read.round > 0 || !known) continue;
    // It came before this leader knew what is committed: that is what it has to see.
    if (read.index < led.noop) read.index = state.commit;
    read.round = led.round;
  }
  beat(state, led, asked);
}

/** Answers the reads whose round is confirmed and whose index is applied; under a lease all whose index is. */
export function finishReads(state: GroupState, led: Leadership): void {
  if (led.reads.length === 0) return;
  const config = configOf(state);
  const confirmed = (round: number): boolean =>
    isMajority(config, (id) => id === state.self || (led.progress.get(id)?.round ?? 0) >= round);
  const leased = ownTermCommitted(state, led) && holdsLease(state, state.now);
  let lastConfirmed = 0;
  led.reads = led.reads.filter(({ id, index, round, after }) => {
    if (leased && state.applied >= Math.max(index, led.noop)) {
      state.out.reads.push({ id, outcome: "leased" });
      return false;
    }
    if (round === 0 || state.applied < index) return true;
    if (round > lastConfirmed) {
      if (!confirmed(round)) return true;
      lastConfirmed = round;
    }
    ensure(
      round > after && confirmed(round) && index >= led.noop && state.commit >= led.noop,
      "L9",
      () => `a read of round ${round} at ${index}, after round ${after} and entry ${led.noop}`,
    );
    state.out.reads.push({ id, outcome: "ready" });
    return false;
  });
}

/** Whether an entry of the leader's own term is committed. */
export function ownTermCommitted(state: GroupState, led: Leadership): boolean {
  return state.commit >= led.noop && (termAt(state.log, state.commit) ?? state.term) === state.term;
}
