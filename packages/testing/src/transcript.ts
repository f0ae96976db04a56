/**
 * The transcript of a run: what went into the component and what came out of it, with ports and
 * times. Failures print its end; as a whole it is what a golden file compares.
 */

import type { Event, Millis } from "@kith/core";

/** One line of a transcript. */
export interface Line {
  /** Manual time in milliseconds, from 0. */
  readonly time: Millis;
  /** Seen from the component: into it, out of it, or something that befell it. */
  readonly direction: "in" | "out" | "fault" | "dead";
  /** The port's name; for faults and dead letters the path of the component. */
  readonly port: string;
  /** The event, and more for people. */
  readonly text: string;
  /** The event itself; undefined where a fault had none. */
  readonly event: Event | undefined;
}

/** What a script that held has seen. */
export class Transcript {
  /** All lines, oldest first. */
  readonly lines: readonly Line[];
  /** The manual time at the end, in milliseconds. */
  readonly time: Millis;

  constructor(lines: readonly Line[], time: Millis) {
    this.lines = lines;
    this.time = time;
  }

  /** The lines as text: `0 ms  out  pp  Ping { n: 1 }`. */
  toString(): string {
    return format(this.lines).join("\n");
  }
}

/** The lines around the one that matters: `before` it, itself with a mark, `after` it. */
export function excerpt(
  lines: readonly Line[],
  marked: number,
  before: number,
  after: number,
): string[] {
  const at = marked < 0 ? lines.length - 1 : marked;
  const from = Math.max(0, at - before);
  const to = Math.min(lines.length, at + after + 1);
  const shown = format(lines.slice(from, to)).map(
    (line, i) => `${from + i === marked ? ">" : " "} ${line}`,
  );
  if (from > 0) shown.unshift(`  … ${from} earlier`);
  if (to < lines.length) shown.push(`  … ${lines.length - to} later`);
  return shown;
}

function format(lines: readonly Line[]): string[] {
  const times = lines.map(({ time }) => `${time} ms`);
  const timeWidth = Math.max(0, ...times.map((text) => text.length));
  const portWidth = Math.max(0, ...lines.map(({ port }) => port.length));
  return lines.map(({ direction, port, text }, i) => {
    const time = (times[i] ?? "").padStart(timeWidth);
    return `${time}  ${direction.padEnd(5)}  ${port.padEnd(portWidth)}  ${text}`;
  });
}
