/**
 * What may be told to one watcher: FD3 as a machine. Tests and invariants feed it all that a watcher asks
 * and hears, and it complains about the first thing that must not be.
 */

import { addressOf, formatLife, isLater, type PeerRef } from "@kith/network";
import { Absent, Restore, Returned, RoundTrip, Suspect, Unwatched, type Verdict } from "./port.ts";

/** What a watcher believes about one peer in one incarnation. */
export type Standing = "alive" | "suspected" | "absent";

/** The verdicts that one watcher has been given. */
export class Verdicts {
  readonly #standing = new Map<string, Standing>();
  /** The first thing that must not be; null while all is well. */
  complaint: string | null = null;

  /** The watcher has asked. */
  watch(peer: PeerRef): void {
    const key = keyOf(peer);
    if (!this.#standing.has(key)) this.#standing.set(key, "alive");
  }

  /** Something was told. */
  hear(verdict: Verdict): void {
    const key = keyOf(verdict.peer);
    const was = this.#standing.get(key);
    if (verdict instanceof Unwatched) {
      this.#standing.delete(key);
      return;
    }
    const told = `${verdict.constructor.name} of ${key}`;
    if (was === undefined) this.#complain(`${told} came to one who does not watch it`);
    else if (verdict instanceof Suspect) this.#step(told, was, ["alive"], key, "suspected");
    else if (verdict instanceof Restore)
      this.#step(told, was, ["suspected", "absent"], key, "alive");
    else if (verdict instanceof Absent) this.#step(told, was, ["suspected"], key, "absent");
    else if (verdict instanceof Returned) {
      const { peer, successor } = verdict;
      if (!isLater(successor, peer)) this.#complain(`${told} names life ${formatLife(successor)}`);
    } else if (verdict instanceof RoundTrip && !(verdict.millis >= 0))
      this.#complain(`${told} is ${verdict.millis} ms`);
  }

  /** What was told of a peer last; undefined where it is not watched. */
  of(peer: PeerRef): Standing | undefined {
    return this.#standing.get(keyOf(peer));
  }

  #step(told: string, was: Standing, from: readonly Standing[], key: string, to: Standing): void {
    if (!from.includes(was)) this.#complain(`${told} came, which was ${was}`);
    this.#standing.set(key, to);
  }

  #complain(what: string): void {
    this.complaint ??= what;
  }
}

function keyOf(peer: PeerRef): string {
  return `${peer.peerId}@${addressOf(peer)}#${formatLife(peer)}`;
}
