/**
 * The one file of this package that touches the host: a clock, a way to yield to the host's event
 * loop, and a place where records of the log go when nobody gave another one. All of it exists in
 * browsers and in Node alike; everything else of the outside world comes in through ports.
 */

import type { Clock } from "./clock.ts";
import type { LogRecord } from "./log.ts";

/** The host's clocks. */
export const hostClock: Clock = {
  monotonicMicros: () => Math.floor(performance.now() * 1000),
  wallMicros: () => Date.now() * 1000,
};

/** Calls `slice` after the host has had its turn: timers, sockets, rendering. */
export type Yield = (slice: () => void) => void;

/** `setImmediate` where there is one; else a message channel, which browsers do not throttle. */
export const hostYield: Yield =
  typeof setImmediate === "function" ? (slice) => void setImmediate(slice) : channelYield();

function channelYield(): Yield {
  const channel = new MessageChannel();
  const waiting: (() => void)[] = [];
  // Node's types lack the property by which both hosts start a port.
  (channel.port1 as { onmessage?: () => void }).onmessage = () => waiting.shift()?.();
  return (slice) => {
    waiting.push(slice);
    channel.port2.postMessage(null);
  };
}

/** Prints warnings and errors to the console; everything below is dropped. */
export function hostLog(record: LogRecord): void {
  if (record.level !== "warn" && record.level !== "error") return;
  const where = record.node === "" ? record.path : `${record.node} ${record.path}`;
  console[record.level](
    `${record.level} ${where}: ${record.text}`,
    ...(record.data === undefined ? [] : [record.data]),
  );
}
