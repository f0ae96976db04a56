/** A process that hunts planted bugs: it is told which one, tries each range of seeds until one finds it, and shrinks the first. */

import { fileURLToPath } from "node:url";
import { type Plan, runPlan, runSeed, type Scenario, shrink } from "@kith/sim/scenario";
import { plantedBugs } from "./planted.ts";

/** A bug, by its place among all, and where to look. */
export interface Hunt {
  readonly bug: number;
  /** The first seed of each range. */
  readonly ranges: readonly number[];
  /** How many seeds each range has. */
  readonly count: number;
  /** How long shrinking may take, in seconds of CPU time: the machine may be busy with something else. */
  readonly seconds: number;
}

/** The shrunk story of the first seed that has found it. */
export interface Story {
  readonly seed: number;
  readonly invariant: string;
  readonly decisions: number;
  readonly nodes: number;
  readonly runs: number;
  /** Wall time. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /**
   * Whether what fails in it holds where the bug is not: it is the bug that fails, not the story. Another thing may fail
   * there at the end, as a small story does not ask for as much as a whole run has to.
   */
  readonly isCalm: boolean;
}

/** What came of a hunt. */
export interface Hunted {
  readonly bug: number;
  /** For each range how many seeds it took; null where none has found it. */
  readonly tried: readonly (number | null)[];
  readonly story: Story | null;
  /** Without shrinking, and for each seed that was run. */
  readonly cpuSecondsPerSeed: number;
}

/** What a worker answers. */
export type FromHunter =
  | { readonly kind: "hunted"; readonly hunted: Hunted }
  | { readonly kind: "failed"; readonly error: string };

const root = fileURLToPath(new URL("../../..", import.meta.url));

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function hunt({ bug, ranges, count, seconds }: Hunt): Promise<Hunted> {
  const planted = (await plantedBugs(root))[bug];
  if (planted === undefined) throw new Error(`There is no planted bug ${bug}.`);
  const { scenario, remove } = await planted.plant();
  let shrunk: { readonly plan: Plan; readonly story: Omit<Story, "isCalm"> } | null = null;
  let tried: readonly (number | null)[] = [];
  let cpuSecondsPerSeed = 0;
  try {
    const began = cpuSeconds();
    let runs = 0;
    let first: Plan | null = null;
    tried = ranges.map((from) => {
      for (let number = 1; number <= count; number++) {
        runs++;
        const { failure, plan } = runSeed(scenario, from + number - 1);
        if (failure === null) continue;
        first ??= plan;
        return number;
      }
      return null;
    });
    cpuSecondsPerSeed = (cpuSeconds() - began) / runs;
    if (first !== null) shrunk = storyOf(scenario, first, seconds);
  } finally {
    remove();
  }
  if (shrunk === null) return { bug, tried, story: null, cpuSecondsPerSeed };
  const { failure } = runPlan(await planted.healthy(), shrunk.plan);
  const story = { ...shrunk.story, isCalm: failure?.invariant !== shrunk.story.invariant };
  return { bug, tried, story, cpuSecondsPerSeed };
}

function storyOf(
  scenario: Scenario,
  plan: Plan,
  limit: number,
): { readonly plan: Plan; readonly story: Omit<Story, "isCalm"> } {
  const began = performance.now();
  const cpuBegan = cpuSeconds();
  const stop = (): boolean => cpuSeconds() - cpuBegan > limit;
  const { plan: small, result, decisions, runs } = shrink(scenario, plan, { stop });
  return {
    plan: small,
    story: {
      seed: Number(plan.seed),
      invariant: result.failure?.invariant ?? "",
      decisions,
      nodes: small.nodes,
      runs,
      seconds: (performance.now() - began) / 1000,
      cpuSeconds: cpuSeconds() - cpuBegan,
    },
  };
}

function answer(message: FromHunter): void {
  process.send?.(message);
}

process.on("message", (message: Hunt) => {
  hunt(message).then(
    (hunted) => answer({ kind: "hunted", hunted }),
    (cause: unknown) => {
      const error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      answer({ kind: "failed", error });
    },
  );
});
process.on("disconnect", () => process.exit(0));
