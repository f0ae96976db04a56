/** What detectors say to each other. One ping is for a whole process, whichever peer it is addressed to. */

import { message } from "@kith/network";

/** Asks whether the process lives. */
export class Ping extends message("fd/Ping")<{
  /** Numbers the pings to one incarnation of a process, from 1; the pong repeats it. */
  readonly seq: number;
  /** The version of the list of peers that the asker has from this process; -1 for none. */
  readonly known: number;
}> {}

/** The process lives. */
export class Pong extends message("fd/Pong")<{
  readonly seq: number;
  /** The version of the list; it grows with each change, and begins anywhere in each life. */
  readonly version: number;
  /** The peers that live here by their ids; null where nobody tells. Left out where the asker has this version. */
  readonly peers?: readonly number[] | null;
  /** How often they have begun anew there, of those who have; left out where none has. */
  readonly rebirths?: ReadonlyMap<number, number>;
}> {}
