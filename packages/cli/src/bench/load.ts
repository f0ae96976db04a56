/**
 * Load on a server: so many connections, each with one request under way or so many in one piece, how long each answer took, and
 * what it took of the servers' processors. The same for whatever is asked, so that servers can be compared.
 */

/** What came of one step of a client. */
export interface Step {
  /** Operations that were done. */
  readonly done: number;
  readonly errors: number;
  /** Times that a transaction was begun again, as somebody else had been faster. */
  readonly again: number;
  /** What an error said; empty where there was none. */
  readonly error: string;
}

/** One connection, and what it does. */
export interface Talker {
  /**
   * The next step: one operation, or so many at a time.
   *
   * @param n the number of its first operation, of those of all clients
   * @param isOver whether it is too late to begin a transaction again
   */
  step(n: number, isOver: () => boolean): Promise<Step>;
  close(): void;
}

/** How much load. */
export interface LoadOptions {
  readonly clients: number;
  /** How many operations a step has. */
  readonly pipelined: number;
  /** How long it is measured, after a moment that is not. */
  readonly seconds: number;
  readonly warmUpMs: number;
  /** So many operations are measured instead, and none before; null: as many as there are in the time. */
  readonly operations: number | null;
  /** The processor time that the servers have taken so far, in ms; null where nobody knows. */
  readonly cpuMs: () => number | null;
  readonly signal: AbortSignal;
}

/** What a server did under load. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The servers' processor time for each operation; null where nobody knows. */
  readonly cpuMicros: number | null;
  readonly done: number;
  readonly errors: number;
  readonly again: number;
  /** What the first error said; empty where there was none. */
  readonly error: string;
}

/** Puts load on a server. @param open opens the connection of a client */
export async function load(
  open: (client: number) => Promise<Talker>,
  options: LoadOptions,
): Promise<LoadResult> {
  const { clients, pipelined, seconds, operations, cpuMs, signal } = options;
  const warmUpMs = operations === null ? options.warmUpMs : 0;
  const talkers = await Promise.all(Array.from({ length: clients }, (_, client) => open(client)));
  const times: number[] = [];
  let [done, errors, again, error] = [0, 0, 0, ""];
  let n = 0;
  const begin = performance.now() + warmUpMs;
  const end = operations === null ? begin + seconds * 1000 : Infinity;
  let last = begin;
  let cpuBefore: number | null | undefined;
  const isOver = (): boolean => performance.now() >= end || signal.aborted;
  const drive = async (talker: Talker): Promise<void> => {
    while (n < (operations ?? Infinity)) {
      signal.throwIfAborted();
      const asked = performance.now();
      if (asked >= end) return;
      if (asked >= begin) cpuBefore ??= cpuMs();
      const first = n;
      n += pipelined;
      const step = await talker.step(first, isOver);
      if (asked < begin) continue;
      last = performance.now();
      times.push(last - asked);
      done += step.done;
      errors += step.errors;
      again += step.again;
      if (error === "") ({ error } = step);
    }
  };
  try {
    await Promise.all(talkers.map(drive));
  } finally {
    for (const talker of talkers) talker.close();
  }
  const cpuAfter = cpuMs();
  const isKnown = typeof cpuBefore === "number" && cpuAfter !== null && done > 0;
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  return {
    perSecond: last > begin ? done / ((last - begin) / 1000) : 0,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuMicros: isKnown ? ((cpuAfter - (cpuBefore ?? 0)) * 1000) / done : null,
    done,
    errors,
    again,
    error,
  };
}

/** The middle value; of two, their mean. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}
