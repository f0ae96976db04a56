/**
 * What a detector knows, as plain data that a swap carries, and the questions that are asked of it.
 *
 * A *place* is an address; it has one *target* for each incarnation of its process that somebody watches.
 * Only the target of the newest incarnation is probed. A target has the *watched* peers of that life of
 * the process, each with the names of its watchers.
 */

import type { Millis } from "@kith/core";
import { addressOf, type PeerRef, sameProcess } from "@kith/network";
import type { Estimate } from "./estimate.ts";
import type { SuspectReason } from "./port.ts";

/** A ping on its way, or one whose pong is late. */
export interface Outstanding {
  readonly seq: number;
  /** Monotonic milliseconds. */
  readonly sent: Millis;
  /** Whether it has counted as a miss already; its pong is still a sign of life. */
  missed: boolean;
  /** Whether it has a timer. */
  timed: boolean;
}

/** A peer that somebody watches. */
export interface Watched {
  readonly peer: PeerRef;
  /** Names under which it is watched, none twice. */
  watchers: string[];
  /** Why it is suspected, and since when; null while it is not. */
  suspected: { readonly reason: SuspectReason; readonly since: Millis } | null;
  /** Whether the slow verdict was given too. */
  absent: boolean;
  /** The ping after which a list that lacks it counts: an older one may be from before its arrival. */
  readonly listedFrom: number;
  /** The latest rebirth of it that its watchers know of, its own at first. */
  rebirth: number;
}

/** One life of a process. */
export interface Target<E extends Estimate = Estimate> {
  /** One of its peers: pings are addressed to it. */
  readonly peer: PeerRef;
  /** The number of the last ping. */
  seq: number;
  outstanding: Outstanding[];
  /** When it is looked at next, in monotonic milliseconds; Infinity where it is not probed. */
  beat: Millis;
  estimate: E;
  /** Pings without a pong in a row. */
  misses: number;
  /** When it was last heard of, in monotonic milliseconds; when probing began, before that. */
  heard: Millis;
  /** The same for pongs alone. */
  ponged: Millis;
  silent: boolean;
  /** The version of its list of peers; -1 before the first. */
  version: number;
  /** Who lives there; null where it does not tell. */
  peers: readonly number[] | null;
  /** How often they have begun anew, of those who have. */
  rebirths: ReadonlyMap<number, number>;
  /** Ping to which the list was the answer. */
  listed: number;
  /** The round trip that was told last. */
  told: Millis;
  /** By their `peerKey`. */
  watched: Map<number | string, Watched>;
}

/** An address. */
export interface Place<E extends Estimate = Estimate> {
  /** The newest incarnation that was heard of, or is watched. */
  newest: number;
  /** By incarnation. */
  targets: Map<number, Target<E>>;
}

/** All that a detector knows. */
export interface DetectorState<E extends Estimate = Estimate> {
  places: Map<string, Place<E>>;
  /** Who lives in the detector's own process; null before anybody was announced. */
  residents: { version: number; peers: number[] | null; rebirths: ReadonlyMap<number, number> };
  /** When the last stall of this process was noticed, in monotonic milliseconds. */
  stalled: Millis;
  /** For when the timer of the next beat is set, in monotonic milliseconds; Infinity where none is. */
  wake: Millis;
}

/** Of a process in which no peer has begun anew: nearly all. */
export const neverReborn: ReadonlyMap<number, number> = new Map();

/** A detector that knows nothing. */
export function emptyState<E extends Estimate>(): DetectorState<E> {
  return {
    places: new Map(),
    residents: { version: 0, peers: null, rebirths: neverReborn },
    stalled: Number.NEGATIVE_INFINITY,
    wake: Number.POSITIVE_INFINITY,
  };
}

/** The target that a reference is about. */
export function targetOf<E extends Estimate>(
  { places }: DetectorState<E>,
  peer: PeerRef,
): Target<E> | undefined {
  return places.get(addressOf(peer))?.targets.get(peer.incarnation);
}

/** Why a watched peer has to be suspected by what is known now; null where nothing speaks against it. */
export function accusation<E extends Estimate>(
  place: Place<E>,
  target: Target<E>,
  { peer, listedFrom }: Watched,
): SuspectReason | null {
  if (target.peer.incarnation < place.newest) return "restarted";
  if (target.silent) return "silent";
  if (target.peers === null || target.listed < listedFrom) return null;
  if (!target.peers.includes(peer.peerId)) return "gone";
  const { rebirth = 0 } = peer;
  const now = target.rebirths.get(peer.peerId) ?? 0;
  if (now === rebirth) return null;
  return now > rebirth ? "restarted" : "gone";
}

/** How often a watched peer has begun anew in this life of its process, as far as that was said. */
export function latestRebirth({ rebirths }: Target, { peer }: Watched): number {
  return rebirths.get(peer.peerId) ?? 0;
}

/**
 * Complains where the state contradicts itself; undefined where it does not. Checked by tests after every
 * step, and by the detector wherever it takes over a state.
 */
export function contradiction<E extends Estimate>(
  { places }: DetectorState<E>,
  self: PeerRef,
): string | undefined {
  for (const [address, place] of places) {
    if (place.targets.size === 0) return `${address} is kept though nobody watches it.`;
    for (const [incarnation, target] of place.targets) {
      const name = `${address}#${incarnation}`;
      if (incarnation > place.newest) return `${name} is later than the newest, ${place.newest}.`;
      if (target.watched.size === 0) return `${name} is kept though nobody watches it.`;
      if (sameProcess(target.peer, self) && target.seq > 0) return `${name} pings itself.`;
      for (const watched of target.watched.values()) {
        const why = accusation(place, target, watched);
        const told = watched.suspected?.reason ?? null;
        if ((why === null) !== (told === null))
          return `${name} peer ${watched.peer.peerId} is ${String(why)}, but ${String(told)} was told.`;
        if (watched.absent && told === null) return `${name} is absent without being suspected.`;
        if (new Set(watched.watchers).size < watched.watchers.length)
          return `${name} has a watcher twice.`;
        if (watched.peer.incarnation !== incarnation)
          return `${name} has a watched peer of life ${watched.peer.incarnation}.`;
      }
    }
  }
  return undefined;
}
