/** Logging: leveled records with the node and the path of the component, written to one sink of the system. */

import type { Millis } from "./types.ts";

/** Levels, from the most talkative to the most severe. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";

/** One line of the log. */
export interface LogRecord {
  readonly level: LogLevel;
  /** Wall time in milliseconds. */
  readonly time: Millis;
  /** The prefix of the system's node, empty where there is only one. */
  readonly node: string;
  /** The path of the component, such as `/Main-1/Pinger-1`. */
  readonly path: string;
  readonly text: string;
  /** Whatever the component added. */
  readonly data?: unknown;
}

/** Takes the records of a system. */
export type LogSink = (record: LogRecord) => void;

/** A component's logger. The text is cheap; give numbers and objects as `data`. */
export interface Logger {
  trace(text: string, data?: unknown): void;
  debug(text: string, data?: unknown): void;
  info(text: string, data?: unknown): void;
  warn(text: string, data?: unknown): void;
  error(text: string, data?: unknown): void;
}

/** Builds a logger that passes each record to `write`. */
export function logger(write: (level: LogLevel, text: string, data: unknown) => void): Logger {
  return {
    trace: (text, data) => write("trace", text, data),
    debug: (text, data) => write("debug", text, data),
    info: (text, data) => write("info", text, data),
    warn: (text, data) => write("warn", text, data),
    error: (text, data) => write("error", text, data),
  };
}
