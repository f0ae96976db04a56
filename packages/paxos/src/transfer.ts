/**
 * Handing over the leadership (Ongaro's thesis §3.10): the leader takes no more proposals, brings its
 * successor up to date, and tells it to campaign at once. If it has not gone after an election timeout,
 * it stays and goes on, but for leases.
 */

import { isVoter, memberOf, type ReplicaId, votersOf } from "./config.ts";
import { sendAfter } from "./durability.ts";
import { lastIndex } from "./log.ts";
import type { Refusal } from "./reads.ts";
import { configOf, type GroupState, type Leadership } from "./state.ts";

/** Hands the leadership over to a voter. @returns why not, else null */
export function transferTo(state: GroupState, to: ReplicaId): Refusal | "invalid" | null {
  if (state.halted !== null) return "halted";
  const led = state.leadership;
  if (led === null) return "not-leader";
  if (to === state.self || !isVoter(configOf(state), to)) return "invalid";
  led.transfer = { to, until: state.now + state.settings.electionMin, told: false };
  proceedTransfer(state, led);
  return null;
}

/** Tells the successor to campaign once it has everything; gives the transfer up when it takes too long. */
export function proceedTransfer(state: GroupState, led: Leadership): void {
  const { transfer } = led;
  if (transfer === null) return;
  const successor = memberOf(configOf(state), transfer.to);
  if (successor === undefined || state.now >= transfer.until) {
    led.transfer = null;
    return;
  }
  if (transfer.told || (led.progress.get(transfer.to)?.match ?? 0) < lastIndex(state.log)) return;
  transfer.told = true;
  // From now on others may vote without being loyal.
  led.invited = true;
  sendAfter(state, 0, successor, { kind: "timeout-now", term: state.term });
}

/** The voter that has most of the log; undefined where the leader is alone. */
export function bestSuccessor(state: GroupState, led: Leadership): ReplicaId | undefined {
  const match = (id: ReplicaId): number => led.progress.get(id)?.match ?? 0;
  return votersOf(configOf(state))
    .map(({ replicaId }) => replicaId)
    .filter((id) => id !== state.self)
    .sort((a, b) => match(b) - match(a) || a - b)[0];
}
