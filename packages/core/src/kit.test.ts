/** What the tests of this package share: one event in both directions, and ways to look at a run. */

import { expect } from "chai";
import {
  type ComponentClass,
  type DeadLetter,
  event,
  type Fault,
  type InitOf,
  KithError,
  launch,
  ManualWorld,
  type ManualWorldOptions,
  port,
  type System,
} from "./index.ts";

/** The common event of tests that do not care what an event is. */
export class Note extends event("test/Note")<{ n: number }> {}
/** An event of another class. */
export class Other extends event("test/Other")<{ n: number }> {}
/** Notes and others pass in both directions. */
export const Notes = port("Notes", { requests: [Note, Other], indications: [Note, Other] });

/** A system in a manual world, with what it has let out so far. */
export interface Run<K extends ComponentClass> {
  readonly world: ManualWorld;
  readonly system: System<InstanceType<K>>;
  readonly faults: Fault[];
  readonly letters: DeadLetter[];
  /** Runs something in the main component's turn, and all that follows. */
  do(action: (main: InstanceType<K>) => void): void;
}

/** Launches a component in a manual world and runs it until nothing waits. */
export function start<K extends ComponentClass>(
  cls: K,
  init?: InitOf<K>,
  options: ManualWorldOptions = {},
): Run<K> {
  const run = prepare(cls, init, options);
  run.world.settle();
  return run;
}

/** Launches a component in a manual world, which has run nothing yet. */
export function prepare<K extends ComponentClass>(
  cls: K,
  init?: InitOf<K>,
  options: ManualWorldOptions = {},
): Run<K> {
  const world = new ManualWorld(options);
  const system = launch(cls, init as InitOf<K>, world);
  const faults: Fault[] = [];
  const letters: DeadLetter[] = [];
  system.events.on("fault", (fault) => faults.push(fault));
  system.events.on("deadLetter", (letter) => letters.push(letter));
  const act = (action: (main: InstanceType<K>) => void): void => {
    system.enter(() => action(system.instance));
    world.settle();
  };
  return { world, system, faults, letters, do: act };
}

/** The code of the error that an action throws; the empty text where it throws none. */
export function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return errorCode(error);
  }
  return "";
}

/** The code of an error; its text where it is none of ours. */
export function errorCode(error: unknown): string {
  return error instanceof KithError ? error.code : String(error);
}

/** The instance at a path, which only tests may reach for. */
export function instanceAt<C>(system: System, path: string): C {
  type Node = { children: Map<string, { core: Node }> | null; instance: unknown };
  let at: Node | undefined = (system.main as unknown as { core: Node & { parent: Node } }).core
    .parent;
  for (const name of path.split("/").slice(1)) at = at?.children?.get(name)?.core;
  if (at === undefined) throw new Error(`nothing at ${path}`);
  return at.instance as C;
}

describe("the tests' own kit", () => {
  it("tells the code of an error of this package from any other error", () => {
    expect(codeOf(() => undefined)).to.equal("");
    expect(
      codeOf(() => {
        throw new Error("other");
      }),
    ).to.equal("Error: other");
    expect(
      codeOf(() => {
        throw new KithError("KITH_X", "What.", "Next.");
      }),
    ).to.equal("KITH_X");
  });
});
