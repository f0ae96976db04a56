// What failed, in few lines: the reporter leaves it in the result file, and `bin/test.mjs` prints that of all
// packages just before its last line. It is bounded, as whoever reads the tail of a log sees little more than that.

import { inspect, stripVTControlCharacters } from "node:util";
import Mocha from "mocha";

/** How many lines of an error are told, how long each may be, and of how many tests. */
const LINES_MAX = 15;
const LINE_LENGTH_MAX = 400;
const TESTS_MAX = 20;

/** Of these lines some are for the place: the last ones. */
const FRAMES_MAX = 3;

/** A test, or hook, that mocha has failed with an error. */
export function failureOf(test, error) {
  return { title: test.titlePath().join(" > "), error: linesOf(error) };
}

/** An error in at most `LINES_MAX` lines: what it says, what was found instead, and where it was thrown. */
export function linesOf(error) {
  if (!(error instanceof Error)) return cut(inspect(error).split("\n"), LINES_MAX);
  const { name, message, stack } = error;
  const frames = `${stack}`
    .split("\n")
    .filter((line) => /^\s+at /.test(line) && !/node:|node_modules/.test(line))
    .slice(0, FRAMES_MAX)
    .map((line) => line.trim());
  const told = [...`${name}: ${message}`.split("\n"), ...differenceOf(error)];
  return [...cut(told, LINES_MAX - frames.length), ...cut(frames, FRAMES_MAX)];
}

/** The lines to print of tasks, each with its name and what is in its result file. */
export function told(tasks) {
  const all = tasks.flatMap(({ name, failures = [] }) =>
    failures.map(({ title, error }) => ["", `${name}: ${title}`, ...error.map((l) => `    ${l}`)]),
  );
  const more = all.length - TESTS_MAX;
  const lines = all.slice(0, TESTS_MAX).flat();
  if (more > 0) lines.push("", `${more} more failed`);
  return lines.length > 0 ? [...lines, ""] : [];
}

function differenceOf(error) {
  const { showDiff, generateDiff } = Mocha.reporters.Base;
  const { actual, expected } = error;
  // By then mocha has made text of both.
  if (showDiff(error) && typeof actual === "string" && typeof expected === "string")
    return stripVTControlCharacters(generateDiff(actual, expected))
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => line.replace(/^ {6}/, ""));
  // Mocha shows no difference between things of two kinds, as a failure where there should be none.
  return typeof actual === "object" && actual !== null ? inspect(actual).split("\n") : [];
}

function cut(lines, max) {
  const kept = lines.length > max ? [...lines.slice(0, max - 1), "…"] : lines;
  return kept.map((line) =>
    line.length > LINE_LENGTH_MAX ? `${line.slice(0, LINE_LENGTH_MAX)}…` : line,
  );
}
