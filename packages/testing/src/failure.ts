/** How a failed script reads: which statement, what was expected, what came, and the last events. */

import type { KithError } from "@kith/core";
import { type TestErrorCode, testError } from "./errors.ts";
import type { Statement } from "./node.ts";
import { describe, type Observed } from "./observed.ts";
import type { Miss } from "./search.ts";
import { excerpt, type Line } from "./transcript.ts";

const linesBefore = 11;
const linesAfter = 4;

/** What a failure is told with. */
export interface Scene {
  /** The name of the component's class. */
  readonly subject: string;
  readonly lines: readonly Line[];
  readonly observed: readonly Observed[];
}

/** Nothing that came at `at` fits what the script accepts there. */
export function mismatch(scene: Scene, at: number, misses: readonly Miss[]): KithError {
  const came = scene.observed[at];
  const first = misses[0];
  if (first === undefined)
    return testError("KITH_TEST_EXPECTED", `${scene.subject}: nothing fits.`);
  const nobody = misses.every(({ node }) => node.kind === "nothing");
  const details: string[] = [];
  if (misses.length === 1) {
    details.push(`expected  ${wanted(first)}`);
    details.push(`came      ${cameText(came)}${because(first)}`);
  } else {
    details.push("expected one of");
    for (const miss of misses) {
      details.push(`  ${miss.node.place.padEnd(7)} ${wanted(miss)}${because(miss)}`);
    }
    details.push(`came      ${cameText(came)}`);
  }
  const code = nobody ? "KITH_TEST_UNEXPECTED" : "KITH_TEST_EXPECTED";
  const cause = came?.kind === "fault" ? came.fault.cause : undefined;
  return failure(scene, code, first.node, details, came, cause);
}

/** An event came that a rule forbids. */
export function forbidden(
  scene: Scene,
  rule: Statement,
  came: Observed,
  during: Statement | null,
): KithError {
  const when = during === null ? "when it started" : `in statement ${during.place}: ${during.text}`;
  const details = [`came      ${describe(came)}`, `          ${when}`];
  return failure(scene, "KITH_TEST_FORBIDDEN", rule, details, came, undefined);
}

/** A statement could not be carried out. */
export function broken(
  scene: Scene,
  code: TestErrorCode,
  statement: Statement,
  what: string,
  cause: unknown,
): KithError {
  return failure(scene, code, statement, [what], undefined, cause);
}

function failure(
  scene: Scene,
  code: TestErrorCode,
  statement: Statement,
  details: readonly string[],
  marked: Observed | undefined,
  cause: unknown,
): KithError {
  const { subject, lines } = scene;
  const where =
    statement.place === "" ? statement.text : `statement ${statement.place}: ${statement.text}`;
  const events =
    lines.length === 0
      ? ["no events so far"]
      : ["the last events:", ...excerpt(lines, marked?.line ?? -1, linesBefore, linesAfter)];
  const text = [`${subject}, ${where}`, ...[...details, ...events].map((line) => `  ${line}`), ""];
  const error = testError(code, text.join("\n"), cause);
  // The statement's place in the test says more than the place where the script was run.
  const frames = statement.trace.stack?.split("\n").filter((line) => /^\s+at /.test(line)) ?? [];
  if (frames.length > 0) error.stack = [`${error.name}: ${error.message}`, ...frames].join("\n");
  return error;
}

function wanted({ node }: Miss): string {
  return node.kind === "nothing" ? "nothing more" : node.wanted;
}

function because({ reason }: Miss): string {
  return reason === "" ? "" : ` (${reason})`;
}

function cameText(came: Observed | undefined): string {
  return came === undefined ? "nothing" : describe(came);
}
