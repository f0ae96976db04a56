/**
 * Changes of the membership, one voter at a time (Ongaro's thesis §4).
 *
 * L5: a configuration holds from when it is in the log. A change is proposed only where the one before
 * it and the leader's own first entry are committed (Ongaro's erratum of 2015: else two changes of different
 * leaders may have majorities without a common voter).
 * L6: a leader that removes itself does not count itself for that entry, hands over, and goes.
 */

import { type Change, changed, type Config, ensureFollows, isVoter } from "./config.ts";
import { appendOwn } from "./office.ts";
import { advanceCommit } from "./replication.ts";
import { ownTermCommitted, type Refusal } from "./reads.ts";
import { committedConfig, configOf, type GroupState } from "./state.ts";
import type { Index } from "./entry.ts";

/** What became of a wish to change the membership. */
export type ChangeOutcome =
  | { readonly accepted: true; readonly index: Index; readonly config: Config }
  | {
      readonly accepted: false;
      /** Pending: another change is under way, or the leader is new. Lagging: the learner is behind. */
      readonly reason: Refusal | "pending" | "lagging" | "invalid" | "epoch";
      readonly detail: string;
    };

/** Proposes a change of the membership; `expectedEpoch` guards against changing what one has not seen. */
export function changeMembers(
  state: GroupState,
  change: Change,
  expectedEpoch?: number,
): ChangeOutcome {
  const refuse = (
    reason: (ChangeOutcome & { accepted: false })["reason"],
    detail = "",
  ): ChangeOutcome => ({
    accepted: false,
    reason,
    detail,
  });
  if (state.halted !== null) return refuse("halted", state.halted);
  const led = state.leadership;
  if (led === null) return refuse("not-leader");
  if (led.transfer !== null) return refuse("pending", "the leadership is being handed over");
  const config = configOf(state);
  if (expectedEpoch !== undefined && expectedEpoch !== config.epoch)
    return refuse("epoch", `the epoch is ${config.epoch}`);
  if ((state.configs.at(-1)?.index ?? 0) > state.commit)
    return refuse("pending", "the change before it is not committed");
  if (!ownTermCommitted(state, led)) return refuse("pending", "the leader has just taken office");
  const next = changed(config, change);
  if (typeof next === "string") return refuse("invalid", next);
  if (change.kind === "promote") {
    const progress = led.progress.get(change.replicaId);
    const match = progress?.match ?? 0;
    // A voter that has nothing on its disk can vote for nobody: it has to have the membership that made it a learner.
    if (match < (state.configs.at(-1)?.index ?? 0))
      return refuse("lagging", "it has not confirmed that it is a member");
    const behind = state.commit - match;
    if (behind > state.settings.promoteLagMax) return refuse("lagging", `${behind} entries behind`);
    if (state.now - (progress?.contact ?? 0) > state.settings.electionMin)
      return refuse("lagging", "not heard of lately");
  }
  ensureFollows(config, next);
  const { index } = appendOwn(state, led, { kind: "config", config: next });
  for (const id of led.progress.keys())
    if (!next.members.some(({ replicaId }) => replicaId === id)) led.progress.delete(id);
  // With fewer voters, what was short of a majority may have one.
  advanceCommit(state, led);
  return { accepted: true, index, config: next };
}

/** Whether the committed membership says that this replica is no voter while it leads. */
export function hasRemovedItself(state: GroupState): boolean {
  return (
    (state.configs.at(-1)?.index ?? 0) <= state.commit &&
    !isVoter(committedConfig(state), state.self)
  );
}

/** Whether the committed membership says that a replica was a member once, and never will be again. */
export function isGone(config: Config, replicaId: number): boolean {
  return (
    config.epoch > 0 &&
    replicaId < config.nextReplicaId &&
    !config.members.some((member) => member.replicaId === replicaId)
  );
}
