/**
 * What a checkpoint holds of a simulation. Lives, connections and messages on their way are numbered,
 * components and nodes are named, so that nothing here changes when the simulation goes on. Shared by
 * reference is what never changes: messages, tokens, rules, references to peers, and the actions of
 * the test's script.
 */

import type { ComponentClass } from "@kith/core";
import type { SystemCheckpoint } from "@kith/core/checkpoint";
import type { DropReason, Message, PeerRef, UnknownTag } from "@kith/network";
import type { ClockSkew } from "./clock.ts";
import type { DeedOf } from "./deed.ts";
import type { SavedDisk } from "./disk.ts";
import type { Asked } from "./place.ts";
import type { Installed } from "./rules.ts";
import type { Progress, SimulationOptions } from "./simulation.ts";

/** From one node to another, by name. */
export type SavedRoute = readonly [from: string, to: string];

/** Something to be done. */
export type SavedAction =
  | { readonly kind: "deed"; readonly deed: DeedOf<number, number, number, SavedRoute> }
  | {
      readonly kind: "errand";
      readonly name: string;
      readonly id: number;
      readonly cancelled: boolean;
    }
  | { readonly kind: "script"; readonly number: number }
  | { readonly kind: "turn"; readonly who: SavedRunnable }
  /** What belongs to a life that has ended: it counts as a step, and nothing else. */
  | { readonly kind: "nothing" };

/** Who has a turn; one that is gone takes it without doing anything. */
export interface SavedRunnable {
  readonly path: string;
  readonly gone: boolean;
  /** Whether one that is gone counts its turns together with the one that stands in its place. */
  readonly shared: boolean;
  readonly turns: readonly [key: number, turns: number] | null;
}

/** An entry of the engine, with the number of the life that owns it; -1 is the simulation. */
export interface SavedDue {
  readonly owner: number;
  readonly micros: number;
  readonly tie: number;
  readonly action: SavedAction;
}

/** A turn that is due. */
export interface SavedTurn {
  readonly owner: number;
  readonly tie: number;
  readonly who: SavedRunnable;
}

/** A life of a node, with its end of the network; those that have ended are there while something names them. */
export interface SavedLife {
  readonly node: number;
  readonly number: number;
  readonly alive: boolean;
  readonly stopping: boolean;
  readonly clock: readonly number[];
  readonly lanes: readonly number[];
  readonly ends: readonly (readonly [string, number])[];
}

/** One end of a connection. */
export interface SavedLane {
  readonly end: number;
  readonly to: PeerRef;
  readonly route: SavedRoute;
  readonly dialled: boolean;
  readonly before: number;
  readonly other: number | null;
  readonly up: boolean;
  readonly closed: boolean;
  readonly blocked: boolean;
  readonly full: boolean;
  readonly messages: number;
  readonly notices: number;
  readonly outbox: readonly number[] | null;
  readonly flying: number;
  readonly unacknowledged: readonly number[] | null;
  readonly lastArrival: number;
}

/** A message on its way. */
export interface SavedItem {
  readonly message: Message | UnknownTag;
  readonly tag: string;
  readonly to: PeerRef;
  readonly from: PeerRef;
  readonly bytes: number;
  readonly digest: number;
  readonly number: number;
  readonly asked: Asked | null;
  readonly attempts: number;
  readonly refused: DropReason | null;
}

/** A node as the network sees it. */
export interface SavedPlace {
  readonly name: string;
  readonly within: number;
  /** The instant of its last datagram, and how many it has sent at that. */
  readonly sent: readonly [instant: number, nth: number];
}

/** A node, with its present life where it has one. */
export interface SavedNode {
  readonly skew: ClockSkew;
  readonly lives: number;
  readonly incarnation: number;
  readonly sinceMicros: number;
  readonly disk: SavedDisk;
  readonly life: number | null;
  readonly parked: readonly SavedAction[] | null;
  readonly system: SystemCheckpoint | null;
  readonly turns: readonly (readonly [
    path: string,
    turns: readonly [key: number, turns: number] | null,
  ])[];
}

/** The counters of the network. */
export interface SavedCounts {
  readonly rules: number;
  readonly broken: number;
  readonly full: number;
}

/** A whole simulation between two steps. Made by `simulation.checkpoint()`, taken by `resume`. */
export interface Checkpoint<K extends ComponentClass = ComponentClass> {
  /** When it was taken: simulated milliseconds, steps, and the hash until then. */
  readonly time: number;
  readonly steps: number;
  readonly hash: string;
  /** @internal */
  readonly made: { readonly main: K; readonly options: SimulationOptions<K> };
  /** @internal */
  readonly progress: Progress<K>;
  /** @internal */
  readonly engine: readonly number[];
  /** @internal */
  readonly rules: readonly Installed[];
  /** @internal */
  readonly counts: SavedCounts;
  /** @internal */
  readonly waitingMax: number;
  /** @internal */
  readonly places: readonly SavedPlace[];
  /** @internal */
  readonly nodes: readonly SavedNode[];
  /** @internal */
  readonly lives: readonly SavedLife[];
  /** @internal */
  readonly lanes: readonly SavedLane[];
  /** @internal */
  readonly items: readonly SavedItem[];
  /** @internal */
  readonly due: readonly SavedDue[];
  /** @internal */
  readonly ready: readonly SavedTurn[];
}
