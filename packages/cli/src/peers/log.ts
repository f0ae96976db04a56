/** The log of a process of peers, for people: a line for each record, to the error stream. */

import type { LogLevel, LogRecord, LogSink } from "@kith/core";
import type { Paint } from "../colours.ts";
import type { Terminal } from "../progress.ts";

const levels: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error"];

/** Writes records of a level, or a more severe one. */
export function logTo(terminal: Terminal, paint: Paint, least: LogLevel): LogSink {
  return (record) => {
    // Guests, such as `kith get`, have no address of their own, and know less than a peer.
    if (record.level === "warn" && record.text.includes("@caller-")) return;
    if (levels.indexOf(record.level) >= levels.indexOf(least))
      terminal.write(`${lineOf(record, paint)}\n`);
  };
}

function lineOf({ level, time, path, text, data }: LogRecord, paint: Paint): string {
  const clock = new Date(time).toISOString().slice(11, 19);
  const shown =
    level === "error" ? paint.red(level) : level === "warn" ? paint.yellow(level) : level;
  const more = data === undefined ? "" : ` ${plain(data)}`;
  return `${paint.dim(clock)} ${shown} ${text}${more} ${paint.dim(path)}`;
}

function plain(data: unknown): string {
  if (data instanceof Error) return data.message;
  try {
    return JSON.stringify(data) ?? "";
  } catch {
    return String(data);
  }
}
