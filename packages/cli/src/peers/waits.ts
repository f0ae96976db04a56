/** What a process waits for until it is ready: a line that changes on a terminal, and now and then a line in a file. */

import type { ClusterPhase } from "@kith/peer";
import type { Terminal } from "../progress.ts";

const texts: Readonly<Record<ClusterPhase, string>> = {
  reading: "reading the data",
  asking: "asking for the cluster",
  gathering: "waiting for peers",
  placing: "founding replicas",
  ready: "ready",
  failed: "failed",
};

const firstMs = 1000;
const nextMs = 5000;

/** Tells what is waited for. */
export class Waits {
  readonly #terminal: Terminal;
  readonly #passOn: (detail: string) => void;
  readonly #begin = performance.now();
  readonly #timer: NodeJS.Timeout | null;
  #now = "starting";
  #toldAt: number;
  #isOver = false;

  constructor(terminal: Terminal, passOn: (detail: string) => void = () => undefined) {
    this.#terminal = terminal;
    this.#passOn = passOn;
    this.#toldAt = this.#begin;
    this.#timer = terminal.isTTY === true ? setInterval(() => this.#draw(), 200) : null;
  }

  /** It is at this point. */
  tell(phase: ClusterPhase, detail: string): void {
    this.say(detail === "" ? texts[phase] : `${texts[phase]}: ${detail}`);
  }

  /** The same in other words. */
  say(text: string): void {
    this.#now = text;
    this.#passOn(this.#now);
    if (this.#timer !== null || this.#isOver || performance.now() - this.#toldAt < nextMs) return;
    this.#toldAt = performance.now();
    this.#terminal.write(`${this.#now}\n`);
  }

  /** It is over. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#terminal.write("\r\u001B[2K");
  }

  #draw(): void {
    const elapsed = performance.now() - this.#begin;
    if (elapsed < firstMs) return;
    const text = `${this.#now}, ${Math.floor(elapsed / 1000)} s`;
    // A terminal that does not know how wide it is says 0.
    const width = this.#terminal.columns ?? 0;
    this.#terminal.write(`\r\u001B[2K${text.slice(0, (width > 20 ? width : 80) - 1)}`);
  }
}
