/**
 * Version 2 of the register: a read is over after one phase where a quorum has the same value and has it flushed, as then
 * everybody who comes later finds it anyway. A replica says so with a field of its report that version 1 does not know:
 * version 1 does not look at it, and where it is missing, version 2 reads in two phases. So peers of both versions may be
 * in one group, and one after the other may be swapped while it runs.
 *
 * What holds is what holds of version 1.
 */

import type { Group, PeerRef } from "@kith/network";
import { Abd, type AbdState, type Open, type PhaseId, Report } from "./register.ts";
import { isHigher, NO_TAG, type Tag, type Versioned } from "./tag.ts";

/** One peer of the group, of version 2. */
export class QuickAbd extends Abd {
  readonly stateVersion: number = 2;

  /** Of what version 1 has flushed it has not taken note. */
  migrate(state: AbdState): AbdState {
    return { ...state, durable: new Map() };
  }

  protected override begin(group: Group): AbdState {
    return { ...super.begin(group), durable: new Map() };
  }

  protected override flushed(key: string, tag: Tag): void {
    const { durable } = this.state;
    // Batches are flushed in their order, but what is written in a batch need not be the newest.
    if (isHigher(tag, durable?.get(key) ?? NO_TAG)) durable?.set(key, tag);
  }

  protected override report(to: PeerRef, phase: PhaseId, key: string, has: Versioned): Report {
    const isDurable = !isHigher(has.tag, this.state.durable?.get(key) ?? NO_TAG);
    return new Report({ to, phase, has, isDurable });
  }

  protected override found(open: Open): void {
    if (open.durable.size < this.quorum) super.found(open);
    else this.done(open, open.highest);
  }
}
