/**
 * Finds scenarios: in the files that the nearest package, its workspaces and its dependencies list
 * under `"kith": { "scenarios": […] }`, or in a file that is given by its path.
 */

import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { Scenario } from "@kith/sim/scenario";
import { cliError } from "./errors.ts";

/** A scenario, and where it stands. */
export interface Entry {
  readonly scenario: Scenario;
  /** The absolute path of its file. */
  readonly file: string;
  /** The name under which the file exports it. */
  readonly exported: string;
}

/** The scenario of that name, or in the file of that path. @throws KithError `KITH_CLI_SCENARIO`, `KITH_CLI_LOAD` */
export async function findScenario(wanted: string, folder: string): Promise<Entry> {
  const file = path.resolve(folder, wanted);
  if (/\.[cm]?[jt]s$/.test(wanted)) {
    if (!existsSync(file)) throw cliError("KITH_CLI_SCENARIO", `There is no file ${file}.`);
    const [first, ...others] = await load(file);
    if (first === undefined)
      throw cliError("KITH_CLI_SCENARIO", `The file ${file} exports no scenario.`);
    if (others.length > 0) {
      const names = [first, ...others].map(({ exported }) => exported).join(", ");
      throw cliError("KITH_CLI_SCENARIO", `The file ${file} exports several scenarios: ${names}.`);
    }
    return first;
  }
  const all = await listScenarios(folder);
  const found = all.filter(({ scenario }) => scenario.name === wanted);
  const [entry, ...others] = found;
  if (entry === undefined) {
    const names = all.map(({ scenario }) => scenario.name).join(", ");
    throw cliError(
      "KITH_CLI_SCENARIO",
      `There is no scenario ${wanted}; there ${names === "" ? "is none" : `are ${names}`}.`,
    );
  }
  if (others.length > 0) {
    const files = found.map((one) => one.file).join(", ");
    throw cliError("KITH_CLI_SCENARIO", `Several files have a scenario ${wanted}: ${files}.`);
  }
  return entry;
}

/** The scenario that a file exports under a name. */
export async function scenarioAt(file: string, exported: string): Promise<Scenario> {
  const entry = (await load(file)).find((one) => one.exported === exported);
  if (entry === undefined)
    throw cliError("KITH_CLI_SCENARIO", `The file ${file} exports no scenario ${exported}.`);
  return entry.scenario;
}

/** All scenarios that can be found from a folder, by name. */
export async function listScenarios(folder: string): Promise<Entry[]> {
  const root = packageOf(folder);
  if (root === null) return [];
  const folders = [root, ...workspacesOf(root), ...dependenciesOf(root)];
  const files = new Set(folders.flatMap(filesOf));
  const entries: Entry[] = [];
  for (const file of files) entries.push(...(await load(file)));
  return entries.sort((a, b) => (a.scenario.name < b.scenario.name ? -1 : 1));
}

/** The nearest folder upwards with a package.json. */
function packageOf(folder: string): string | null {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    if (existsSync(path.join(at, "package.json"))) return at;
    if (at === path.dirname(at)) return null;
  }
}

function isModule(file: string): boolean {
  const folder = packageOf(path.dirname(file));
  return folder !== null && manifestOf(folder).type === "module";
}

interface Manifest {
  readonly type: unknown;
  readonly workspaces: readonly string[];
  readonly dependencies: readonly string[];
  readonly scenarios: readonly string[];
}

function manifestOf(folder: string): Manifest {
  const text = readFileSync(path.join(folder, "package.json"), "utf8");
  const json: unknown = JSON.parse(text);
  const at = (value: unknown, key: string): unknown =>
    typeof value === "object" && value !== null
      ? Object.getOwnPropertyDescriptor(value, key)?.value
      : undefined;
  const strings = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
  const names = (value: unknown): string[] =>
    typeof value === "object" && value !== null ? Object.keys(value) : [];
  return {
    type: at(json, "type"),
    workspaces: strings(at(json, "workspaces")),
    dependencies: [...names(at(json, "dependencies")), ...names(at(json, "devDependencies"))],
    scenarios: strings(at(at(json, "kith"), "scenarios")),
  };
}

function workspacesOf(root: string): string[] {
  return manifestOf(root)
    .workspaces.flatMap((pattern) => expand(root, pattern))
    .filter((folder) => existsSync(path.join(folder, "package.json")));
}

function dependenciesOf(root: string): string[] {
  const require = createRequire(path.join(root, "package.json"));
  return manifestOf(root).dependencies.flatMap((name) => {
    for (const place of require.resolve.paths(name) ?? []) {
      const folder = path.join(place, name);
      if (existsSync(path.join(folder, "package.json"))) return [folder];
    }
    return [];
  });
}

function filesOf(folder: string): string[] {
  return manifestOf(folder).scenarios.flatMap((pattern) => expand(folder, pattern));
}

async function load(file: string): Promise<Entry[]> {
  // As CommonJS it would get a second copy of the framework, whose components nobody could create.
  if (/\.[jt]s$/.test(file) && !isModule(file))
    throw cliError("KITH_CLI_LOAD", `${file} stands in a package without "type": "module".`);
  let module: unknown;
  try {
    module = await import(pathToFileURL(file).href);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw cliError("KITH_CLI_LOAD", `${file} could not be loaded: ${what}`, cause);
  }
  if (typeof module !== "object" || module === null) return [];
  return Object.entries(module).flatMap(([exported, value]: [string, unknown]) =>
    isScenario(value) ? [{ scenario: value, file, exported }] : [],
  );
}

function isScenario(value: unknown): value is Scenario {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    "about" in value &&
    "main" in value &&
    "init" in value &&
    "processes" in value &&
    Array.isArray(value.processes)
  );
}

/** The paths of a pattern, in which `*` stands for a name at the end: `packages/*`, `scenarios/*.ts`. */
function expand(folder: string, pattern: string): string[] {
  if (!pattern.includes("*")) {
    const file = path.join(folder, pattern);
    return existsSync(file) ? [realpathSync(file)] : [];
  }
  const place = path.join(folder, path.dirname(pattern));
  const [head = "", tail = ""] = path.basename(pattern).split("*");
  if (!existsSync(place)) return [];
  return readdirSync(place)
    .filter((name) => name.startsWith(head) && name.endsWith(tail) && !name.startsWith("."))
    .sort()
    .map((name) => realpathSync(path.join(place, name)));
}
