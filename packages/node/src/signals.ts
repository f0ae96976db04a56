/**
 * A clean end on signals. The first one stops the system, which flushes and lets go of everything, so that
 * the process ends by itself; the second one, or the deadline, ends it at once by the signal's own effect.
 * Nothing here calls `process.exit`.
 */

/** What can be stopped: a system, or whatever else of a process has to come to an end. */
export interface Stoppable {
  /** Begins to stop. */
  stop(): Promise<void>;
  /** Tells when it has. */
  readonly events: {
    on(event: "stopped", listener: () => void): unknown;
    off(event: "stopped", listener: () => void): unknown;
  };
}

/** How a process ends on signals. */
export interface SignalOptions {
  /** Which signals; default SIGINT and SIGTERM. */
  readonly signals?: readonly NodeJS.Signals[];
  /** How long the clean stop may take, in milliseconds; default 10,000. */
  readonly deadlineMs?: number;
  /**
   * Signals that come within so many milliseconds of the first one are the same; default 0. A terminal and a program such
   * as npm, between it and this process, both pass Ctrl-C on.
   */
  readonly togetherMs?: number;
  /** Told what happens, a sentence at a time; by default it goes to the console's error stream. */
  readonly log?: (text: string) => void;
}

/**
 * Stops a system at the first signal. Systems that were stopped otherwise let go of the signals, too.
 *
 * @returns takes the signals' effect back
 */
export function stopOnSignals(system: Stoppable, options: SignalOptions = {}): () => void {
  const {
    signals = ["SIGINT", "SIGTERM"],
    deadlineMs = 10_000,
    togetherMs = 0,
    log = (text: string) => console.error(text),
  } = options;
  let deadline: NodeJS.Timeout | null = null;
  let firstAt = 0;
  const remove = (): void => {
    if (deadline !== null) clearTimeout(deadline);
    deadline = null;
    for (const signal of signals) process.off(signal, onSignal);
    system.events.off("stopped", remove);
  };
  const atOnce = (signal: NodeJS.Signals, why: string): void => {
    log(`${why}: ending at once.`);
    remove();
    // Other listeners would keep the signal from having its effect.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (deadline !== null) {
      if (performance.now() - firstAt >= togetherMs) atOnce(signal, `${signal} again`);
      return;
    }
    log(`${signal}: stopping. Once more to end at once.`);
    firstAt = performance.now();
    deadline = setTimeout(() => atOnce(signal, `Not stopped within ${deadlineMs} ms`), deadlineMs);
    void system.stop();
  };
  for (const signal of signals) process.on(signal, onSignal);
  system.events.on("stopped", remove);
  return remove;
}
