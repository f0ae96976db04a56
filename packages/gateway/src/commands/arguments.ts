/** Arguments of commands: keys, values, numbers, times; what is wrong with one is a `Reply` that is thrown. */

import type { Key } from "@kith/store";
import type { Request } from "../resp/parser.ts";
import { err, type Reply } from "../resp/reply.ts";
import { int64 } from "./numbers.ts";

/** What is wrong with the arguments of a command. */
export class WrongArguments extends Error {
  readonly reply: Reply;

  constructor(reply: Reply) {
    super();
    this.reply = reply;
  }
}

/** Gives up a command. */
export function wrong(message: string): never {
  throw new WrongArguments(err(message));
}

/** The text of an argument, one character for each byte. */
export function octetsAt(request: Request, at: number): string {
  return request[at]?.toString("latin1") ?? "";
}

/** What a client has sent, as it may stand in the line of an error: up to a zero, as in Redis, and without line ends. */
export function quoted(octets: string): string {
  const end = octets.indexOf("\0");
  return (end < 0 ? octets : octets.slice(0, end)).replace(/[\r\n]/g, " ");
}

/** An argument as a key. */
export function keyAt(request: Request, at: number): Key {
  return octetsAt(request, at);
}

/** Arguments as keys. */
export function keysFrom(request: Request, from: number, step = 1): Key[] {
  const keys: Key[] = [];
  for (let at = from; at < request.length; at += step) keys.push(keyAt(request, at));
  return keys;
}

/** An argument as a value: a copy, since what was received is not kept. */
export function valueAt(request: Request, at: number): Uint8Array {
  const bytes = request[at];
  return bytes === undefined ? new Uint8Array(0) : new Uint8Array(bytes);
}

/** An option: capital letters, whatever the client has typed. */
export function optionAt(request: Request, at: number): string {
  return octetsAt(request, at).toUpperCase();
}

/** An integer of 64 bits. */
export function int64At(request: Request, at: number): bigint {
  return int64(octetsAt(request, at)) ?? wrong("value is not an integer or out of range");
}

/** An integer, rounded where it is beyond what a number holds. */
export function integerAt(request: Request, at: number): number {
  return Number(int64At(request, at));
}

/** The unit of a time that is given, and from when it counts. */
export interface TimeForm {
  readonly unit: "seconds" | "milliseconds";
  /** Whether it is an instant of the calendar. */
  readonly absolute: boolean;
}

/** The forms of the options of SET and GETEX. */
export const timeForms: Readonly<Record<string, TimeForm>> = {
  EX: { unit: "seconds", absolute: false },
  PX: { unit: "milliseconds", absolute: false },
  EXAT: { unit: "seconds", absolute: true },
  PXAT: { unit: "milliseconds", absolute: true },
};

const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);
/** Later than anybody waits for; the store counts in whole milliseconds. */
const expiryMax = 2 ** 50;

/**
 * How long a key is to live, in milliseconds from now; 0 or less where its time has passed.
 *
 * @param now the time of the calendar, in milliseconds
 * @param command the name by which an error calls it
 * @param positive whether the number itself has to be above 0
 */
export function lifeOf(
  value: bigint,
  { unit, absolute }: TimeForm,
  now: number,
  command: string,
  positive: boolean,
): number {
  const invalid = (): never => wrong(`invalid expire time in '${command}' command`);
  if (positive && value <= 0n) return invalid();
  let at = value;
  if (unit === "seconds") {
    if (at > int64Max / 1000n || at < int64Min / 1000n) return invalid();
    at *= 1000n;
  }
  const base = BigInt(Math.trunc(now));
  if (!absolute) {
    if (at > int64Max - base) return invalid();
    return Math.min(Number(at), expiryMax);
  }
  return Math.min(Number(at - base), expiryMax);
}
