/**
 * Planted bugs: a copy of a folder of sources in which one text is replaced by another one. Tests of tests run
 * such a copy and expect to find the bug. Nothing of the repository is changed.
 *
 * A text must occur exactly once; white space, and what the formatter puts at the end of a list, do not count. Where
 * the sources have changed so that it does not, plant the same mistake in the new text.
 */

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { testError } from "./errors.ts";

/** One planted bug. */
export interface Mutant {
  /** What is wrong, in a sentence without a full stop. */
  readonly what: string;
  /** The file, from the folder on. */
  readonly file: string;
  readonly text: string;
  readonly planted: string;
  /** How many rare things have to come together until it shows. */
  readonly rareSteps: number;
  /** A seed of the folder's scenario that finds it. */
  readonly seed: number;
  /** The name under which that scenario is exported, where the folder has several. */
  readonly scenario?: string;
}

/** Copies of one folder, and of packages that it uses where bugs are to be planted into those. */
export class Copies {
  readonly #folder: string;
  readonly #root: string;
  readonly #packages: readonly string[];
  readonly #place: string;
  #count = 0;

  /**
   * @param folder is copied, but for what it has built or installed
   * @param root has the `node_modules` that the copies use
   * @param packages folders of packages that are copied too, from the root on, such as `packages/ring`: a mutant's
   * `file` leads there from the folder on
   */
  constructor(folder: string, root: string, packages: readonly string[] = []) {
    this.#folder = folder;
    this.#root = root;
    this.#packages = packages;
    this.#place = fs.mkdtempSync(path.join(os.tmpdir(), "kith-planted-"));
    fs.writeFileSync(path.join(this.#place, "package.json"), '{ "type": "module" }');
    if (packages.length === 0)
      link(path.join(root, "node_modules"), path.join(this.#place, "node_modules"));
  }

  /** The folder of a new copy, with a bug or without one. @throws KithError `KITH_TEST_PLANT` */
  make(bug: Pick<Mutant, "file" | "text" | "planted"> | null): string {
    const place = path.join(this.#place, `${this.#count++}`);
    const copy =
      this.#packages.length === 0
        ? place
        : path.join(place, path.relative(this.#root, this.#folder));
    copyOf(this.#folder, copy);
    if (this.#packages.length > 0) this.#packagesAt(place);
    if (bug !== null) plant(path.join(copy, bug.file), bug);
    return copy;
  }

  /** That a bug can be planted, without a copy: for those that are not run each time. @throws KithError `KITH_TEST_PLANT` */
  check(bug: Pick<Mutant, "file" | "text" | "planted">): void {
    withBug(path.join(this.#folder, bug.file), bug);
  }

  /** Copies the packages, and lets the copies find each other and the others as they are. */
  #packagesAt(place: string): void {
    const installed = path.join(this.#root, "node_modules");
    const scope = path.join(place, "node_modules", "@kith");
    fs.mkdirSync(scope, { recursive: true });
    for (const name of fs.readdirSync(installed))
      if (name !== "@kith")
        link(path.join(installed, name), path.join(place, "node_modules", name));
    for (const one of this.#packages) copyOf(path.join(this.#root, one), path.join(place, one));
    for (const name of fs.readdirSync(path.join(installed, "@kith"))) {
      const own = fs.realpathSync(path.join(installed, "@kith", name));
      const relative = path.relative(fs.realpathSync(this.#root), own);
      const target = this.#packages.includes(relative) ? path.join(place, relative) : own;
      link(target, path.join(scope, name));
    }
  }

  /** Removes all copies. */
  remove(): void {
    fs.rmSync(this.#place, { recursive: true, force: true });
  }
}

function copyOf(folder: string, copy: string): void {
  fs.cpSync(folder, copy, {
    recursive: true,
    filter: (of) => !/[/\\](node_modules|dist)$/.test(of),
  });
}

function link(target: string, at: string): void {
  fs.symlinkSync(target, at, "junction");
}

/** Reads a table of mutants, `mutants.json`. @throws KithError `KITH_TEST_PLANT` */
export function readMutants(file: string): Mutant[] {
  const table: unknown = JSON.parse(fs.readFileSync(file, "utf8"));
  if (Array.isArray(table) && table.every(isMutant)) return table;
  throw testError("KITH_TEST_PLANT", `${file} is no table of mutants.`);
}

/** A test of the tests: to be given to `it`. */
export interface PlantedCheck {
  readonly name: string;
  readonly check: () => Promise<void>;
}

/** How the scenario of a folder is run. */
export interface PlantedFolder {
  /** Has the table, `src`, and the scenario that has to find the bugs. */
  readonly folder: string;
  /** The name of the table; default `mutants.json`. */
  readonly table?: string;
  /** Where hunting all takes long: one of so many is hunted, and the others are only planted; default 1. */
  readonly oneOf?: number;
  /** Has the `node_modules` that copies use. */
  readonly root: string;
  /**
   * What fails where a scenario of a copy runs with a seed; null where nothing does. It has a name (`Mutant.scenario`) where the folder
   * has several.
   */
  readonly run: (copy: string, seed: number, scenario?: string) => Promise<unknown>;
}

/** How many seeds are tried from the one that is known: another draw anywhere makes it another run. */
const seedsTried = 20;

/**
 * That a scenario finds the bugs of its table, that the seeds which find them pass without one, and that the bugs which are not
 * hunted can still be planted.
 */
export function plantedChecks(of: PlantedFolder): PlantedCheck[] {
  const { folder, root, run, table = "mutants.json", oneOf = 1 } = of;
  const mutants = readMutants(path.join(folder, table));
  const hunted = mutants.filter((_, i) => i % oneOf === 0);
  const withCopies = async (look: (copies: Copies) => Promise<void> | void): Promise<void> => {
    const copies = new Copies(folder, root);
    try {
      await look(copies);
    } finally {
      copies.remove();
    }
  };
  const found = hunted.map((mutant) => ({
    name: `is found where ${mutant.what}`,
    check: () =>
      withCopies(async (copies) => {
        const copy = copies.make(mutant);
        for (let seed = mutant.seed; seed < mutant.seed + seedsTried; seed++)
          if ((await run(copy, seed, mutant.scenario)) !== null) return;
        const last = mutant.seed + seedsTried - 1;
        throw testError("KITH_TEST_MISSED", `No seed of ${mutant.seed}..${last} fails.`);
      }),
  }));
  const passes = {
    name: "is what is found: the same seeds pass without one",
    check: () =>
      withCopies(async (copies) => {
        const copy = copies.make(null);
        const runs = new Map(
          hunted.map(({ seed, scenario }) => [`${scenario} ${seed}`, { seed, scenario }]),
        );
        for (const { seed, scenario } of runs.values()) {
          const failure = await run(copy, seed, scenario);
          if (failure !== null)
            throw testError("KITH_TEST_MISSED", `Seed ${seed}: ${JSON.stringify(failure)}`);
        }
      }),
  };
  const fit = {
    name: "can be planted, each of them",
    check: () =>
      withCopies((copies) => {
        for (const mutant of mutants) copies.check(mutant);
      }),
  };
  return oneOf === 1 ? [...found, passes] : [...found, passes, fit];
}

function isMutant(of: unknown): of is Mutant {
  if (typeof of !== "object" || of === null) return false;
  const row: Partial<Record<keyof Mutant, unknown>> = of;
  const texts = [row.what, row.file, row.text, row.planted];
  return (
    texts.every((text) => typeof text === "string") &&
    Number.isSafeInteger(row.seed) &&
    Number.isSafeInteger(row.rareSteps)
  );
}

function plant(file: string, bug: Pick<Mutant, "text" | "planted">): void {
  fs.writeFileSync(file, withBug(file, bug));
}

/** A file's text with a bug in it. */
function withBug(file: string, { text, planted }: Pick<Mutant, "text" | "planted">): string {
  const words = text.match(/\w+|[^\w\s]/g) ?? [];
  const pattern = words.map((word) => word.replace(/\W/, "\\$&")).join(",?\\s*");
  const before = fs.readFileSync(file, "utf8");
  const places = [...before.matchAll(new RegExp(pattern, "g"))];
  const [place] = places;
  if (place === undefined || places.length > 1) {
    const what = `The text to replace occurs ${places.length} times in ${path.basename(file)}: ${text}`;
    throw testError("KITH_TEST_PLANT", what);
  }
  const { index } = place;
  return before.slice(0, index) + planted + before.slice(index + place[0].length);
}
