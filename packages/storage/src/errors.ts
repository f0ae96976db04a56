/**
 * Every error of this package: a stable code, and what to do next. The answer `StorageFailed` carries
 * the same codes. Codes are part of the public contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_STORAGE_ARGUMENT:
    "Pass what the operation's documentation asks for; nothing of the batch was applied.",
  KITH_STORAGE_BUSY: "Wait for answers to what was asked before, then ask again.",
  KITH_STORAGE_CLOSED: "Open the storage again: this provider answers nothing any more.",
  KITH_STORAGE_CORRUPT:
    "Restore the replica from its peers under a fresh identity; its own data cannot be trusted.",
  KITH_STORAGE_FLUSH:
    "Stop the peer: what was not flushed may be lost, and only a new start knows what is there.",
  KITH_STORAGE_FORMAT:
    "Name another directory, or open this one with the version of Kith that wrote it; nothing was changed.",
  KITH_STORAGE_FULL: "Make room on the device; nothing of the batch was applied.",
  KITH_STORAGE_INSTALL: "Begin the installation again: this one is unknown, ended or was replaced.",
  KITH_STORAGE_LOCKED:
    "Stop the other user of the directory, or name another directory: each peer has one of its own.",
  KITH_STORAGE_OPEN:
    "See to it that the directory can be made, read and written by this process, then start again.",
  KITH_STORAGE_READ: "Read again, or take the data from another replica if it goes on.",
  KITH_STORAGE_VIEW: "Open a new view: this one is closed or was lost in a restart.",
  KITH_STORAGE_VIEWS: "Close views that are not needed any more; their number is bounded.",
} as const;

/** The codes of the errors of `@kith/storage`. */
export type StorageErrorCode = keyof typeof nextSteps;

/** What to do about a failure, in a sentence. */
export function nextStep(code: StorageErrorCode): string {
  return nextSteps[code];
}

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function storageError(code: StorageErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}
