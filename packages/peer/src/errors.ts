/**
 * Every error that this package raises: a stable code, and what to do next. Codes are part of the
 * public contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_PEER_DUPLICATE: "Give each peer of the cluster an identity of its own.",
  KITH_PEER_UNKNOWN: "Name a peer that this process hosts.",
  KITH_PEER_ARGUMENT: "Correct the option that is named.",
  KITH_PEER_FOUNDED:
    "Start without `create` to go on with what is there, or found the cluster on an empty directory.",
  KITH_PEER_EXISTS: "Start without `create` to join the cluster that is there.",
  KITH_PEER_SILENT:
    "Check the addresses, and that those processes run with the same cluster name and secret; then start again.",
  KITH_PEER_FOREIGN:
    "Join addresses of the cluster that the directory belongs to, or start on an empty directory.",
  KITH_PEER_ALONE: "Name addresses to join, or found a cluster with `create`.",
  KITH_PEER_RECORD:
    "Keep the data and report it: what it says about the cluster cannot be understood.",
  KITH_PEER_STORAGE:
    "See to the disk and start the process again: only a new start knows what is on it.",
} as const;

/** The codes of the errors that `@kith/peer` raises. */
export type PeerErrorCode = keyof typeof nextSteps;

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function peerError(code: PeerErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}

/** What to do about an error of that code. */
export function nextStepOf(code: PeerErrorCode): string {
  return nextSteps[code];
}
