/** What clients, the lock server and the resource say to each other. */

import { message } from "@kith/network";

/** Names one try of a client to get the lock; never used twice, as a client counts its lives on its disk. */
export interface Try {
  readonly life: number;
  readonly number: number;
}

/** Whether two tries are the same one; those of different clients are told apart by the sender. */
export function sameTry(a: Try, b: Try): boolean {
  return a.life === b.life && a.number === b.number;
}

/** Somebody is there in a new life. */
export class Hello extends message("lock/Hello") {}
/** So is the one who was greeted. */
export class Welcome extends message("lock/Welcome") {}

/** Give me the lock. */
export class Acquire extends message("lock/Acquire")<{ readonly attempt: Try }> {}
/** You have it, for `LEASE_MS` from when you asked; show this token with all that you do. */
export class Granted extends message("lock/Granted")<{
  readonly attempt: Try;
  readonly token: number;
}> {}
/** I do not need it any more. */
export class Release extends message("lock/Release")<{ readonly attempt: Try }> {}

/** What is in the journal? From here on, no smaller token counts. */
export class Fetch extends message("lock/Fetch")<{
  readonly attempt: Try;
  readonly token: number;
}> {}
/** This. */
export class Fetched extends message("lock/Fetched")<{
  readonly attempt: Try;
  readonly entries: readonly number[];
}> {}
/** Put this in its place. */
export class Replace extends message("lock/Replace")<{
  readonly attempt: Try;
  readonly token: number;
  readonly entries: readonly number[];
}> {}
/** It is there, durably. */
export class Replaced extends message("lock/Replaced")<{ readonly attempt: Try }> {}
/** A larger token has been here. */
export class Refused extends message("lock/Refused")<{ readonly attempt: Try }> {}

/** How long a grant lasts: by the server's clock from when it was given, by the client's from when it asked. */
export const LEASE_MS = 1000;
/** After how long a message is sent again. */
export const RETRY_MS = 200;
