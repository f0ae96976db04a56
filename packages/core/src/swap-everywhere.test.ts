/**
 * Swaps at every event of a run.
 *
 * The run of `fixtures/everything.ts` is made once without a swap. Then, for every index i, it is made
 * again with a swap before its i-th event. *Equal* means (SW6 of Arad, Dowling and Haridi 2012):
 *
 * - At every receiver outside of the subject, lane by lane, the same events in the same order, each
 *   once (a lane is what one sender sends over one channel in one direction for one reason).
 * - In the kernel's own stream of records: for each component, port, direction, event class and lane
 *   the same events in the same order, triggered and handled.
 * - The same state of every component at the end, the same dead letters (none), the same tree, nothing
 *   left in mailboxes or tables that is not there without the swap.
 *
 * Not compared: the time within one instant, and how channels interleave, since a swap holds some of
 * them for a while.
 */

import { expect } from "chai";
import { type Component, coreOf } from "./component.ts";
import type { ComponentCore } from "./component-core.ts";
import {
  Everything,
  InnerOne,
  InnerTwo,
  LexiconOne,
  LexiconTwo,
  recordTo,
  SubjectOne,
  SubjectTwo,
} from "./fixtures/everything.ts";
import {
  type Event,
  type KithError,
  launch,
  ManualWorld,
  type Swapped,
  type System,
} from "./index.ts";
import { exportTree, type Snapshot } from "./state.ts";

interface Run {
  readonly events: number;
  readonly heard: Record<string, string[]>;
  readonly passed: Record<string, string[]>;
  readonly state: unknown;
  readonly tree: string;
  readonly rows: Record<string, number>;
  /** Facts of swaps, or errors; filled after the run. */
  readonly outcomes: unknown[];
}

interface Swap {
  readonly place: string;
  /** Undefined where it is the class of whoever is there. */
  readonly cls: (new () => Component) | undefined;
}

/** Runs the fixture, with the swaps that `plan` has for an index; `watched` reads the kernel's records. */
function run(plan: (index: number) => readonly Swap[], watched: boolean): Run {
  const world = new ManualWorld({ seed: 5 });
  const { scheduler } = world;
  const heard: Record<string, string[]> = {};
  const passed: Record<string, string[]> = {};
  const outcomes: unknown[] = [];
  recordTo((who, lane, what) => (heard[`${who} ${lane}`] ??= []).push(what));
  const system = launch(Everything, {}, world);
  if (watched) {
    const origins = new Map<number, string>();
    system.inspect(({ kind, path, port, event, id }) => {
      if (event === undefined || (kind !== "handle" && kind !== "trigger")) return;
      const at = `${path} ${port}`;
      if (kind === "trigger") origins.set(id, at);
      const channel = kind === "trigger" ? `${at} →` : `${origins.get(id)} → ${at}`;
      (passed[`${channel} ${laneOf(event)}`] ??= []).push(JSON.stringify(event));
    });
  }
  let index = 0;
  const step = scheduler.step.bind(scheduler);
  scheduler.step = () => {
    for (const { place, cls } of plan(index++)) {
      system.swap(place, cls ?? classAt(system, place)).then(
        ({ carried, held }) => outcomes.push({ carried, held }),
        (error: unknown) => outcomes.push(error),
      );
    }
    return step();
  };
  world.advance(90);
  const main = system.instance[coreOf];
  const rows: Record<string, number> = {};
  visit(main, (core) => {
    rows[core.path] = core.hasPending ? core.pending.rows.size : 0;
    expect(core.mailbox.size, core.path).equal(0);
    expect(core.shadow || core.phase !== "started" || core.suspended > 0, core.path).equal(false);
  });
  expect(system.deadLetters).deep.equal({});
  recordTo(() => undefined);
  return {
    events: index,
    heard,
    passed,
    state: normal(exportTree(main)),
    tree: system.tree().replaceAll(/(Lexicon|Subject|Inner)(One|Two)/g, "$1"),
    rows,
    outcomes,
  };
}

function classAt(system: System<Everything>, place: string): new () => Component {
  const root = system.instance[coreOf].parent;
  return root?.children?.get(place.slice(1))?.cls as new () => Component;
}

interface Laned {
  readonly lane?: string;
  readonly kind?: string;
  readonly id?: number | string;
  readonly timeout?: Laned;
}

function laneOf(event: Event): string {
  const { lane, kind, timeout } = event as Event & Laned;
  return `${event.constructor.name} ${lane ?? timeout?.lane ?? ""} ${kind ?? ""}`;
}

function visit(core: ComponentCore, visitor: (core: ComponentCore) => void): void {
  visitor(core);
  for (const handle of core.childHandles()) visit(handle.core, visitor);
}

/** States of both versions in one shape; the reply tokens' numbers are the kernel's business. */
function normal(snapshot: Snapshot): unknown {
  const { state, children } = snapshot;
  const shape = (state as { two?: unknown } | undefined)?.two ?? state;
  return {
    state: shape,
    children: Object.entries(children)
      .map(([name, child]): [string, unknown] => [name, normal(child)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

function expectEqual(swapped: Run, reference: Run, what: string): void {
  expect(swapped.heard, what).deep.equal(reference.heard);
  expect(swapped.passed, what).deep.equal(reference.passed);
  expect(swapped.state, what).deep.equal(reference.state);
  expect(swapped.rows, what).deep.equal(reference.rows);
  expect(swapped.tree, what).equal(reference.tree);
}

const subject = "/Everything-1/Subject";
const inner = "/Everything-1/Subject/Inner";
const lexicon = "/Everything-1/Lexicon";

const places: readonly { readonly name: string; readonly swap: Swap }[] = [
  { name: "the composite by its own class", swap: { place: subject, cls: SubjectOne } },
  {
    name: "the composite by a class with another state",
    swap: { place: subject, cls: SubjectTwo },
  },
  { name: "its child by its own class", swap: { place: inner, cls: InnerOne } },
  { name: "its child by a class with another state", swap: { place: inner, cls: InnerTwo } },
  {
    name: "the provider of an offered port by its own class",
    swap: { place: lexicon, cls: LexiconOne },
  },
  {
    name: "the provider of an offered port by a class with another state",
    swap: { place: lexicon, cls: LexiconTwo },
  },
  {
    name: "the Timer, which the world offers, by its own class",
    swap: { place: "/Timer", cls: undefined },
  },
];

describe("a swap at every event of a run", function () {
  this.timeout(60_000);
  const unwatched = run(() => [], false);
  const watched = run(() => [], true);

  it("has a run to compare with, in which everything happens", () => {
    expect(unwatched.events).greaterThan(300);
    const lanes = Object.keys(unwatched.heard);
    for (const kind of [
      "put",
      "bad",
      "echo",
      "found",
      "entered",
      "stepped",
      "ripe",
      "once",
      "answers",
    ]) {
      expect(lanes, kind).include(`source a ${kind}`);
    }
    expect(unwatched.heard["source a answers"]?.join()).include("timeout");
    expect(lanes).include.members([
      "rest ghost a",
      "all  tick",
      "source a of  pulse",
      "source b of b told",
    ]);
    expect(lanes).not.include("source b once");
    expect(watched.heard).deep.equal(unwatched.heard);
  });

  for (const { name, swap } of places) {
    it(`changes nothing when it replaces ${name}`, async () => {
      let [refused, carried, held] = [0, 0, 0];
      for (let at = 0; at < unwatched.events; at++) {
        for (const reference of [unwatched, watched]) {
          const swapped = run((index) => (index === at ? [swap] : []), reference === watched);
          expectEqual(swapped, reference, `swap before event ${at}`);
          await Promise.resolve();
          const [outcome] = swapped.outcomes as [Partial<Swapped & KithError>];
          if (outcome.code === undefined) {
            carried += outcome.carried ?? NaN;
            held += outcome.held ?? NaN;
          } else {
            expect(outcome.code).equal("KITH_SWAP_FAULTED");
            refused++;
          }
        }
      }
      // Refused between the two faults and what the policy says of them; equal there too.
      if (name.includes("composite")) expect(refused).greaterThan(0).lessThan(40);
      else expect(refused).equal(0);
      expect(carried).greaterThan(10);
      // Only the composite hands callbacks in, which have to be drained.
      if (name.includes("composite")) expect(held).greaterThan(10);
    });
  }

  it("changes nothing when the composite, its child and the provider are replaced together, and again", async () => {
    const kinds = places.map(({ swap }) => swap);
    for (let at = 0; at < unwatched.events; at += 3) {
      const plan = (index: number): Swap[] =>
        index === at || index === at + 1
          ? [kinds[index % 2], kinds[4 + (at % 2)]].filter((one) => one !== undefined)
          : [];
      const swapped = run(plan, true);
      expectEqual(swapped, watched, `swaps before events ${at} and ${at + 1}`);
      await Promise.resolve();
      expect(swapped.outcomes.length).equal(4);
    }
  });
});
