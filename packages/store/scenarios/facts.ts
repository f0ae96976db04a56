/** What the nodes of `store-chaos` tell its invariants. */

import { event } from "@kith/core";
import { Fact } from "@kith/sim/scenario";

/** How a key was left by a change: its version, and its value as text; null where it is gone. */
export interface Left {
  readonly key: string;
  readonly version: number;
  readonly value: string | null;
}

/** A replica has applied a command. */
export class Step extends event("store-chaos/Step", Fact)<{
  readonly gid: string;
  readonly index: number;
  readonly command: Uint8Array;
  readonly result: Uint8Array;
  /** What it has done to keys that are watched. */
  readonly left: readonly Left[];
}> {}

/** Somebody who watches keys was told of them. */
export class Told extends event("store-chaos/Told", Fact)<{
  /** Whether it was told what is there, of each key that this is about, and not what has changed. */
  readonly anew: boolean;
  /** Of a key that is not there, the version is 0 where it was told anew. */
  readonly left: readonly Left[];
}> {}

/** A node has done all that it does by itself. */
export class Rested extends event("store-chaos/Rested", Fact) {}

/** How a replica stands. */
export class Standing extends event("store-chaos/Standing", Fact)<{
  readonly gid: string;
  readonly applied: number;
  /** Over all that was applied. */
  readonly hash: number;
  readonly leads: boolean;
  /** How many keys are locked, and how many transactions have registers. */
  readonly locks: number;
  readonly registers: number;
  /** Whether a snapshot has come, with how many locks in it. */
  readonly installed: number | null;
}> {}

/** A replica leads a group. */
export class Leads extends event("store-chaos/Leads", Fact)<{
  readonly gid: string;
  readonly term: number;
}> {}

/** What the transaction manager of a node has to tell. */
export class Managed extends event("store-chaos/Managed", Fact)<{
  /** Pieces of work that are under way. */
  readonly jobs: number;
  /** Transactions of others that it has brought to their end. */
  readonly recovered: number;
  /** Reads of several groups whose rounds differed. */
  readonly reread: number;
}> {}

/** A line of the history of what is done beside the registers and lists; its `time` is the report's. */
export class Aside extends event("store-chaos/Aside", Fact)<{
  readonly process: number;
  readonly type: "invoke" | "ok" | "fail" | "info";
  readonly op: string;
  readonly key?: string;
  readonly value: unknown;
}> {}

/** A group was split. */
export class Divided extends event("store-chaos/Divided", Fact)<{ readonly gid: string }> {}

/** A group has stopped, or a component has failed for no fault of the storage. */
export class Broken extends event("store-chaos/Broken", Fact)<{ readonly reason: string }> {}
