/**
 * Every error that this package raises: a stable code, and what to do next. Codes are part of the
 * public contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_NODE_ADDRESS:
    "Give `listen` as host:port with a port of its own (`await bindAddress()` finds a free one), and `advertise` where others call by another address, as they must where it listens on all.",
  KITH_NODE_DATA:
    "Give `data` a directory of this process alone, in which it may write, and leave its files alone.",
  KITH_NODE_IDENTITY:
    "A data directory keeps the identity of its peer: use the directory that belongs to it, or leave `peerId` out.",
  KITH_NODE_WORLD_USED: "Call real() again: each system that runs is a new life of its peer.",
} as const;

/** The codes of the errors that `@kith/node` raises. */
export type NodeErrorCode = keyof typeof nextSteps;

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function nodeError(code: NodeErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}
