/** What clients, the lock server and the journals say to each other. */

import { message } from "@kith/network";

/** Names one try of a client to get a lock; never used twice, as the life is drawn at random. */
export interface Try {
  /** The name of the client's life. */
  readonly life: number;
  readonly number: number;
}

/** Whether two tries are the same one; those of different clients are told apart by the sender. */
export function sameTry(a: Try, b: Try): boolean {
  return a.life === b.life && a.number === b.number;
}

/** What a grant is known by. Tokens are ordered, and no two grants have the same. */
export interface Token {
  /** Grows from grant to grant, as far as the server knows. */
  readonly number: number;
  /** The name of the server's life, drawn at random: one that has forgotten may come to the same number again. */
  readonly life: number;
}

/** Smaller than every token that is given. */
export const NO_TOKEN: Token = { number: 0, life: 0 };

/** Whether the one token is larger than the other. */
export function isLarger(a: Token, b: Token): boolean {
  return a.number === b.number ? a.life > b.life : a.number > b.number;
}

/** The names of lives are drawn from 1 to this. */
export const LIVES = 2 ** 48;

/** Somebody is there in a new life. */
export class Hello extends message("lock/Hello") {}
/** So is the one who was greeted. */
export class Welcome extends message("lock/Welcome") {}

/** Give me the lock, with a number above this one: a journal has seen it. */
export class Acquire extends message("lock/Acquire")<{
  readonly lock: string;
  readonly attempt: Try;
  readonly above: number;
}> {}
/** You have it, for `LEASE_MS` from when you asked; show this token with all that you do. */
export class Granted extends message("lock/Granted")<{
  readonly attempt: Try;
  readonly token: Token;
}> {}
/** I do not need it any more. */
export class Release extends message("lock/Release")<{
  readonly lock: string;
  readonly attempt: Try;
}> {}

/** What is in the journal? From here on, no smaller token counts. */
export class Fetch extends message("lock/Fetch")<{
  readonly lock: string;
  readonly attempt: Try;
  readonly token: Token;
}> {}
/** This, put there under that token. */
export class Fetched extends message("lock/Fetched")<{
  readonly attempt: Try;
  readonly entries: readonly number[];
  readonly under: Token;
}> {}
/** Put this in its place. */
export class Replace extends message("lock/Replace")<{
  readonly lock: string;
  readonly attempt: Try;
  readonly token: Token;
  readonly entries: readonly number[];
}> {}
/** It is there, durably. */
export class Replaced extends message("lock/Replaced")<{ readonly attempt: Try }> {}
/** A larger token has been here. */
export class Refused extends message("lock/Refused")<{
  readonly attempt: Try;
  readonly fence: Token;
}> {}

/** How long a grant lasts: by the server's clock from when it was given, by the client's from when it asked. */
export const LEASE_MS = 1000;
/** After how long a message is sent again. */
export const RETRY_MS = 200;
