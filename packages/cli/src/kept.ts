/** What came of seeds, kept in a file as it comes: a long count may be stopped, and goes on later. A line for each seed, as JSON. */

import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import type { SeedReport } from "@kith/sim/scenario";

/** What came of a seed, and what it took, in microseconds of CPU. */
export interface Ran {
  readonly report: SeedReport;
  readonly micros: number;
}

interface Line extends Ran {
  readonly commit: string;
  readonly scenario: string;
}

/** What is kept of a scenario at a commit; of another commit nothing counts. */
export class Kept {
  readonly #file: string | undefined;
  readonly #of: Pick<Line, "commit" | "scenario">;
  /** What was there when it was opened. */
  readonly all: readonly Ran[];

  /** @param file left out: nothing is kept */
  constructor(file: string | undefined, commit: string, scenario: string) {
    this.#file = file;
    this.#of = { commit, scenario };
    const text = file !== undefined && existsSync(file) ? readFileSync(file, "utf8") : "";
    // What stands behind the last end of a line was cut off.
    const lines = text.split("\n").slice(0, -1);
    this.all = lines
      .map((line): Line => JSON.parse(line))
      .filter((one) => one.commit === commit && one.scenario === scenario);
    if (file !== undefined) writeFileSync(file, text.slice(0, text.lastIndexOf("\n") + 1));
  }

  /** Keeps what came of a seed. */
  keep({ report, micros }: Ran): void {
    if (this.#file !== undefined)
      appendFileSync(this.#file, `${JSON.stringify({ ...this.#of, report, micros })}\n`);
  }
}
