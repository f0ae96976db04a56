/** Every error that the test kit raises, in one place: a stable code, and what to do next. */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_HISTORY_LINE: "Write one event a line, as `formatHistory` does.",
  KITH_HISTORY_OPEN: "Give each operation that runs beside another one a process of its own.",
  KITH_HISTORY_RETIRED: "Go on with a process number that has not been used yet.",
  KITH_HISTORY_RETURN: "Record the call before its return, with the same op, key and steps.",
  KITH_HISTORY_UNIQUE: "Write each value at most once for each key.",
  KITH_HISTORY_VALUE: "Look at the table of operations and their values at `HistoryEvent`.",
  KITH_TEST_ACTION: "Look at the cause: the statement itself could not be carried out.",
  KITH_TEST_BLOCK: "Return from the block what its last statement returned.",
  KITH_TEST_CONSTRUCTED:
    "Expect the fault of the constructor, and nothing after it: there is no component to drive.",
  KITH_TEST_ENDLESS:
    "Look for events that cause each other for ever; bound the block, or advance in smaller steps.",
  KITH_TEST_EXPECTED:
    "Correct the component or the script: the events above show what it did instead.",
  KITH_TEST_FORBIDDEN: "Correct the component, or forbid less.",
  KITH_TEST_MISSED:
    "Where the bug is not found, look whether it still is one; where sources fail without it, mend them.",
  KITH_TEST_PLANT: "Plant the same mistake in the present text, which must occur once in its file.",
  KITH_TEST_PORT:
    "Name a port that the component declares in a field of its own, or one that was offered.",
  KITH_TEST_UNEXPECTED: "Expect these events, or allow them.",
} as const;

/** The codes of the errors that `@kith/testing` raises. */
export type TestErrorCode = keyof typeof nextSteps;

/** Builds the kit's error of the given code; `what` says which statement failed, and how. */
export function testError(code: TestErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}
