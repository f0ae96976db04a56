/**
 * The planted bugs of the repository, each with the scenario that has to find it: those that the tables of
 * examples and packages (`mutants.json`) plant into copies, and the patches to the simulated providers.
 */

import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Scenario } from "@kith/sim/scenario";
import { Copies, readMutants } from "@kith/testing/planting";
import { cliError } from "./errors.ts";
import { type Entry, scenarioAt } from "./library.ts";

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
  /** The scenario as it is shipped; while none is planted. */
  readonly healthy: () => Promise<Scenario>;
}

/** A folder with a table, and the scenario in it that has to find its bugs: by its file, and by its name there. */
interface Table {
  readonly folder: string;
  readonly file: string;
  /** Where the table names none itself. */
  readonly exported?: string;
  /** Packages into which bugs are planted, where it is not the folder itself. */
  readonly packages?: readonly string[];
  /** The name of the table; default `mutants.json`. */
  readonly table?: string;
}

const tables: readonly Table[] = [
  { folder: "examples/broadcast", file: "broadcast", exported: "broadcast" },
  { folder: "examples/lock", file: "lock", exported: "lock" },
  { folder: "examples/register", file: "register", exported: "register" },
  { folder: "packages/paxos", file: "group-chaos", exported: "groupChaos" },
  {
    folder: "packages/store",
    file: "store-abd",
    exported: "storeAbd",
    table: "mutants-abd.json",
  },
  { folder: "packages/store", file: "store-chaos", exported: "storeChaos" },
  { folder: "packages/peer", file: "peers", exported: "peers" },
  { folder: "packages/gateway", file: "gateway", exported: "gateway" },
  { folder: "packages/router", file: "router-lookup", exported: "routerLookup" },
  {
    folder: "examples/overlay",
    file: "planted",
    packages: [
      "packages/fd",
      "packages/membership",
      "packages/ring",
      "packages/router",
      "packages/peer",
    ],
  },
];
const providers = "packages/sim/src/scenario";

/** All of them, in an order that does not change. @throws KithError `KITH_CLI_LOAD`, `KITH_TEST_PLANT` */
export async function plantedBugs(root: string): Promise<PlantedBug[]> {
  return [...(await bugsOfProviders(root)), ...tables.flatMap((table) => bugsOfTable(root, table))];
}

function bugsOfTable(root: string, of: Table): PlantedBug[] {
  const { folder, file, exported, packages, table = "mutants.json" } = of;
  const from = path.join(root, folder);
  return readMutants(path.join(from, table)).map((mutant) => ({
    scenario: packages === undefined ? file : path.basename(folder),
    what: mutant.what,
    rareSteps: mutant.rareSteps,
    plant: async () => {
      const copies = new Copies(from, root, packages);
      const copy = path.join(copies.make(mutant), "scenarios", `${file}.ts`);
      const scenario = await scenarioAt(copy, mutant.scenario ?? exported ?? file);
      return { scenario, remove: () => copies.remove() };
    },
    healthy: () =>
      scenarioAt(path.join(from, "scenarios", `${file}.ts`), mutant.scenario ?? exported ?? file),
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
      const { scenario } = await providersScenario(root);
      return { scenario, remove: plant() };
    },
    healthy: async () => (await providersScenario(root)).scenario,
  }));
}

/** The scenario of what the simulated providers promise; no package ships it. */
export async function providersScenario(root: string): Promise<Entry> {
  const file = path.join(root, providers, "contracts.test.ts");
  return { scenario: await scenarioAt(file, "contracts"), file, exported: "contracts" };
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
