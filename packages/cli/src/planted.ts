/**
 * The planted bugs of the repository, each with the scenario that has to find it: those that the tables of the
 * examples (`mutants.json`) plant into copies, and the patches to the simulated providers.
 */

import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Scenario } from "@kith/sim/scenario";
import { Copies, readMutants } from "@kith/testing/planting";
import { cliError } from "./errors.ts";
import { scenarioAt } from "./library.ts";

/** A bug, not yet planted. */
export interface PlantedBug {
  /** The name of the scenario that has to find it. */
  readonly scenario: string;
  /** What is wrong. */
  readonly what: string;
  /** How many rare things have to come together until it shows. */
  readonly rareSteps: number;
  /** Plants it, for good: a process plants one at a time, and takes it out before the next. */
  readonly plant: () => Promise<{ readonly scenario: Scenario; readonly remove: () => void }>;
}

const examples = ["broadcast", "lock", "register"];
/** The packages into which the bugs of the overlay are planted, and the file that finds them. */
const overlay = {
  folder: "examples/overlay",
  packages: ["packages/fd", "packages/membership", "packages/ring", "packages/peer"],
} as const;
const providers = "packages/sim/src/scenario";

/** All of them, in an order that does not change. @throws KithError `KITH_CLI_LOAD`, `KITH_TEST_PLANT` */
export async function plantedBugs(root: string): Promise<PlantedBug[]> {
  return [
    ...(await bugsOfProviders(root)),
    ...examples.flatMap((name) => bugsOfExample(root, name)),
    ...bugsOfOverlay(root),
  ];
}

function bugsOfExample(root: string, name: string): PlantedBug[] {
  const folder = path.join(root, "examples", name);
  return readMutants(path.join(folder, "mutants.json")).map((mutant) => ({
    scenario: name,
    what: mutant.what,
    rareSteps: mutant.rareSteps,
    plant: async () => {
      const copies = new Copies(folder, root);
      const file = path.join(copies.make(mutant), "scenarios", `${name}.ts`);
      return { scenario: await scenarioAt(file, name), remove: () => copies.remove() };
    },
  }));
}

function bugsOfOverlay(root: string): PlantedBug[] {
  const folder = path.join(root, overlay.folder);
  return readMutants(path.join(folder, "mutants.json")).map((mutant) => ({
    scenario: "overlay",
    what: mutant.what,
    rareSteps: mutant.rareSteps,
    plant: async () => {
      const copies = new Copies(folder, root, overlay.packages);
      const file = path.join(copies.make(mutant), "scenarios/planted.ts");
      const scenario = await scenarioAt(file, mutant.scenario ?? "");
      return { scenario, remove: () => copies.remove() };
    },
  }));
}

async function bugsOfProviders(root: string): Promise<PlantedBug[]> {
  const file = path.join(root, providers, "planted.test.ts");
  const module: unknown = await import(pathToFileURL(file).href);
  if (!hasPatches(module)) throw cliError("KITH_CLI_LOAD", `${file} exports no planted bugs.`);
  return module.mutants.map(({ name, rareSteps, plant }) => ({
    scenario: "contracts",
    what: name,
    rareSteps,
    plant: async () => {
      const contracts = path.join(root, providers, "contracts.test.ts");
      return { scenario: await scenarioAt(contracts, "contracts"), remove: plant() };
    },
  }));
}

interface Patch {
  readonly name: string;
  readonly rareSteps: number;
  readonly plant: () => () => void;
}

function hasPatches(of: unknown): of is { readonly mutants: readonly Patch[] } {
  if (typeof of !== "object" || of === null || !("mutants" in of)) return false;
  return Array.isArray(of.mutants) && of.mutants.length > 0 && of.mutants.every(isPatch);
}

function isPatch(of: unknown): of is Patch {
  if (typeof of !== "object" || of === null) return false;
  const { name, rareSteps, plant }: Partial<Record<keyof Patch, unknown>> = of;
  return typeof name === "string" && Number.isSafeInteger(rareSteps) && typeof plant === "function";
}
