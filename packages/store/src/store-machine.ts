/**
 * The store's machine as a replicated group wants it: bytes in, bytes out.
 *
 * What comes from outside may be anything. What no client of this code would say is answered and changes nothing: stopping
 * the group is for what cannot be, and nobody shall be able to ask for that.
 */

import type { Machine } from "@kith/paxos";
import { answer } from "./answer.ts";
import { type Command, decodeCommand } from "./command.ts";
import { applyCommand } from "./machine.ts";
import { keyBytesMax, type Position, valueBytesMax } from "./position.ts";
import { decodeQuery, encodeAnswer, type Query } from "./query.ts";
import { encodeResult, type Result } from "./result.ts";
import { isClient, rowKeys } from "./rows.ts";

/** How many bytes a command may have: what it leaves in the table has to fit into rows. */
export const commandBytesMax = 12 * 1024 * 1024;

/** How many bytes of a position may stand before the key. */
const hashBytesMax = 6;

/** The machine of a group of the store: `create(replicatedGroups(storeMachine), {}, { name: "groups" })`. */
export const storeMachine: Machine = {
  versions: [1],
  apply({ command: bytes, table, index, time, spawn }) {
    const command = bytes.length > commandBytesMax ? undefined : readCommand(bytes);
    const result =
      command === undefined
        ? mismatch
        : (refusal(command) ??
          (command.kind !== "found" && table.get(rowKeys.meta) === undefined
            ? nowhere
            : applyCommand({ table, index, time }, command, spawn)));
    return encodeResult(result);
  },
  query({ query: bytes, table, index, time }) {
    const query = readQuery(bytes);
    return encodeAnswer(
      query === undefined ? { kind: "none" } : answer(table, query, { time, index }),
    );
  },
};

const mismatch: Result = { kind: "mismatch" };
/** Nothing was founded here yet: whoever asks, asks again. */
const nowhere: Result = { kind: "wrong-range", descriptors: [] };

function readCommand(bytes: Uint8Array): Command | undefined {
  try {
    return decodeCommand(bytes);
  } catch {
    return undefined;
  }
}

function readQuery(bytes: Uint8Array): Query | undefined {
  try {
    return decodeQuery(bytes);
  } catch {
    return undefined;
  }
}

/** Why a command is not even tried: a client looks at that too, and says so earlier. */
function refusal(command: Command): Result | undefined {
  switch (command.kind) {
    case "execute": {
      const { operations, reads } = command;
      const at = operations.findIndex(
        (one) => !fits(one.position) || ("value" in one && one.value.length > valueBytesMax),
      );
      if (at >= 0) return { kind: "refused", at, reason: "too-large", version: 0, value: null };
      return reads.every(({ position }) => fits(position)) ? undefined : mismatch;
    }
    case "prepare": {
      const fit = command.parts.every(
        ({ position, write }) =>
          fits(position) && (write?.kind !== "put" || write.value.length <= valueBytesMax),
      );
      const once = new Set(command.parts.map(({ position }) => position)).size;
      return fit &&
        once === command.parts.length &&
        command.participants.every(({ position }) => fits(position))
        ? undefined
        : mismatch;
    }
    case "cancel":
    case "force-abort":
    case "finish":
      return command.keys.every(fits) ? undefined : mismatch;
    case "open":
      return isClient(command.client) ? undefined : mismatch;
    case "found":
    case "forget":
    case "expire":
    case "expire-session":
    case "split":
      return undefined;
  }
}

function fits(position: Position): boolean {
  return position.length <= keyBytesMax + hashBytesMax;
}
