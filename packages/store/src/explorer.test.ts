/**
 * A small model checker over the real machine: groups are tables that apply commands at once, and the network is a set
 * of facts that only grows, so that everything sent comes late, twice, in any order, or never.
 *
 * After the state-space models behind algorithms.md §6.5.6, with what those leave out: groups with several keys,
 * and splits at any moment. A rule of the transaction manager can be switched off, to see what it is for.
 */

import type { Command, Part } from "./command.ts";
import { applyCommand } from "./machine.ts";
import { covers, type Position } from "./position.ts";
import type { Result } from "./result.ts";
import { MapTable } from "./map-table.test.ts";
import { type Participant, rowKeys, valueRow } from "./rows.ts";
import type { Spawn } from "./split.ts";
import { checkStep, checkTable, checkTables, metaOf, registersOf } from "./table-invariants.ts";

/** What is explored. */
export interface Model {
  /** The keys of all transactions. */
  readonly keys: readonly Position[];
  /** Where the groups begin; the first at "". */
  readonly groups: readonly Position[];
  /** Which keys each transaction writes; what else it has it reads. */
  readonly writes: readonly (readonly Position[])[];
  readonly recovery?: boolean;
  readonly expiry?: boolean;
  readonly readers?: boolean;
  /** Where group 0 may split. */
  readonly split?: Position;
  /** A rule that is not kept. */
  readonly without?: "recheck" | "acks-before-forget" | "proof-of-end" | "second-round";
  readonly statesMax?: number;
}

/** What was found. */
export interface Exploration {
  readonly states: number;
  readonly violation: string | null;
  readonly exhausted: boolean;
  readonly path: readonly string[];
  readonly reached: ReadonlySet<string>;
}

type Explored = Model & { readonly memory: Memory };

interface State {
  readonly groups: readonly MapTable[];
  readonly facts: ReadonlySet<string>;
  /** Of the readers: what they have seen so far. */
  readonly seen: readonly string[];
  readonly parent: State | null;
  readonly step: string;
}

const client = (t: number): string => String(t).padStart(16, "c");
const hash = 7;

/** Visits every state that can be reached, until one violates something. */
export function explore(asked: Model): Exploration {
  const model: Explored = {
    ...asked,
    memory: { tables: new Map(), steps: new Map(), checked: new Set() },
  };
  const limit = model.statesMax ?? 2_000_000;
  const reached = new Set<string>();
  const visited = new Set<string>();
  const first = start(model);
  let queue: State[] = [first];
  visited.add(keyOf(first));
  try {
    while (queue.length > 0 && visited.size < limit) {
      const next: State[] = [];
      for (const state of queue) {
        for (const successor of successors(model, state, reached)) {
          const key = keyOf(successor);
          if (visited.has(key)) continue;
          visited.add(key);
          next.push(successor);
        }
        if (visited.size >= limit) break;
      }
      queue = next;
    }
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    const path: string[] = [error.step];
    for (let at: State | null = error.state; at !== null; at = at.parent) path.unshift(at.step);
    return { states: visited.size, violation: error.message, exhausted: false, path, reached };
  }
  return {
    states: visited.size,
    violation: null,
    exhausted: queue.length === 0,
    path: [],
    reached,
  };
}

class Violation extends Error {
  readonly state: State;
  readonly step: string;

  constructor(state: State, step: string, message: string) {
    super(message);
    this.state = state;
    this.step = step;
  }
}

function start(model: Explored): State {
  const groups = model.groups.map((lo, i) => {
    const table = new MapTable();
    const gid = `g${i}`;
    run(table, { kind: "found", gid, ordered: true, lo, hi: model.groups[i + 1] ?? null });
    for (const t of model.writes.keys())
      run(table, { kind: "open", client: client(t), nextSeq: 1, hello: { gid, index: 1 } });
    table.name = -1 - i;
    return table;
  });
  return { groups, facts: new Set(), seen: ["", ""], parent: null, step: "start" };
}

function run(table: MapTable, command: Command, index = 1, spawn: Spawn = noSpawn): Result {
  return applyCommand({ table, index, time: 0 }, command, spawn);
}

function noSpawn(): never {
  throw new Error("nothing is split here");
}

function keyOf({ groups, facts, seen }: State): string {
  return `${[...facts].sort().join(" ")}|${seen.join(";")}|${groups.map(({ name }) => name).join("|")}`;
}

function* successors(model: Explored, state: State, reached: Set<string>): Generator<State> {
  for (const t of model.writes.keys()) {
    if (!state.facts.has(`start ${t}`)) {
      const facts = [`start ${t}`];
      yield { ...state, facts: plus(state, facts), parent: state, step: `start ${t}` };
      continue;
    }
    yield* prepares(model, state, t, reached);
    if (model.recovery === true) yield* recoveries(model, state, t, reached);
    yield* finishes(model, state, t, reached);
    yield* ends(model, state, t, reached);
    yield* decisions(model, state, t);
  }
  if (model.split !== undefined) yield* splits(model, model.split, state);
  if (model.readers === true) yield* reads(model, state);
}

function plus(state: State, more: readonly string[]): ReadonlySet<string> {
  return more.every((fact) => state.facts.has(fact))
    ? state.facts
    : new Set([...state.facts, ...more]);
}

function participantsOf(model: Model, t: number): Participant[] {
  return model.keys.map((position) => ({
    position,
    writes: model.writes[t]?.includes(position) === true,
  }));
}

/** The group that has a key now. */
function ownerOf(state: State, position: Position): number {
  return state.groups.findIndex((table) => covers(metaOf(table), position));
}

function groupOf(state: State, position: Position): MapTable {
  const table = state.groups[ownerOf(state, position)];
  if (table === undefined) throw new Error("nobody owns a key");
  return table;
}

/** What came of a command in a table: the same each time, so that it is tried and checked once. */
interface Step {
  readonly tables: readonly MapTable[];
  readonly result: Result;
}

/** The same state with a command applied at one group; null where nothing has come of it. */
function applied(
  { tables: known, steps, checked }: Memory,
  state: State,
  at: number,
  command: Command,
  step: string,
  facts: (result: Result) => readonly string[],
  index = 1,
): State | null {
  const before = state.groups[at];
  if (before === undefined) return null;
  const key = `${before.name}|${step}`;
  let done = steps.get(key);
  const intern = (table: MapTable): MapTable => {
    const text = table.text();
    const same = known.get(text);
    if (same !== undefined) return same;
    table.name = known.size;
    known.set(text, table);
    return table;
  };
  try {
    if (done === undefined) {
      const table = before.copy();
      const tables = [table];
      const spawn: Spawn = (_gid, rows) => void tables.push(new MapTable(rows));
      const result = run(table, command, index, spawn);
      checkStep(before, table);
      for (const one of tables) checkTable(one);
      done = { tables: tables.map(intern), result };
      steps.set(key, done);
    }
    const groups = [...state.groups];
    groups.splice(at, 1, ...done.tables.slice(0, 1));
    groups.push(...done.tables.slice(1));
    const names = groups.map(({ name }) => name).join(" ");
    if (!checked.has(names)) {
      checkTables(groups);
      checked.add(names);
    }
    const all = plus(state, facts(done.result));
    if (all === state.facts && groups.every((one, i) => one === state.groups[i])) return null;
    return { groups, facts: all, seen: state.seen, parent: state, step };
  } catch (error) {
    throw new Violation(state, step, error instanceof Error ? error.message : String(error));
  }
}

/** What is known from earlier steps. */
interface Memory {
  readonly tables: Map<string, MapTable>;
  readonly steps: Map<string, Step>;
  readonly checked: Set<string>;
}

function* prepares(
  model: Explored,
  state: State,
  t: number,
  reached: Set<string>,
): Generator<State> {
  const together = new Map<number, Position[]>();
  for (const key of model.keys) {
    const at = ownerOf(state, key);
    together.set(at, [...(together.get(at) ?? []), key]);
  }
  const [first = ""] = model.keys;
  // Also to a group that has given the key away, or never had it.
  const last = state.groups.length - 1;
  if (ownerOf(state, first) !== last) together.set(last, [...(together.get(last) ?? []), first]);
  for (const [at, keys] of together) {
    const sets = keys.length > 1 ? [keys, ...keys.map((key) => [key])] : [keys];
    for (const some of sets) {
      const parts = some.map((position): Part => {
        const writes = model.writes[t]?.includes(position) === true;
        const value = new Uint8Array([t + 1]);
        return {
          position,
          expected: null,
          write: writes ? { kind: "put", value, expiry: "never" } : null,
        };
      });
      const token = { gid: tokenGid(model, some[0] ?? ""), index: 1 };
      const next = applied(
        model.memory,
        state,
        at,
        {
          kind: "prepare",
          ticket: { client: client(t), seq: 1, ackedBelow: 1, token },
          participants: participantsOf(model, t),
          parts,
          bodyHash: hash,
          hint: "",
        },
        `prepare ${t} ${some.join("+")}`,
        (result) => {
          reached.add(`prepare: ${result.kind}`);
          return votes(result, t);
        },
      );
      if (next !== null) yield next;
    }
  }
}

/** Where the session was opened that has a key's commands: splits carry sessions along. */
function tokenGid(model: Model, position: Position): string {
  return `g${model.groups.findLastIndex((lo) => position >= lo)}`;
}

function votes(result: Result, t: number): string[] {
  if (result.kind !== "votes") return [];
  return result.votes.map(({ position, state }) => `vote ${t} ${position} ${state}`);
}

function* recoveries(
  model: Explored,
  state: State,
  t: number,
  reached: Set<string>,
): Generator<State> {
  for (const key of model.keys) {
    const next = applied(
      model.memory,
      state,
      ownerOf(state, key),
      {
        kind: "force-abort",
        tx: { client: client(t), seq: 1 },
        participants: participantsOf(model, t),
        keys: [key],
      },
      `force-abort ${t} ${key}`,
      (result) => {
        reached.add(`force-abort: ${result.kind}`);
        return result.kind === "no-session" ? [`none ${t} ${key}`] : votes(result, t);
      },
    );
    if (next !== null) yield next;
  }
}

function* finishes(
  model: Explored,
  state: State,
  t: number,
  reached: Set<string>,
): Generator<State> {
  for (const committed of [true, false]) {
    if (!state.facts.has(`outcome ${t} ${committed ? "C" : "X"}`)) continue;
    for (const key of model.keys) {
      const at = ownerOf(state, key);
      const before = state.groups[at];
      const next = applied(
        model.memory,
        state,
        at,
        {
          kind: "finish",
          tx: { client: client(t), seq: 1 },
          committed,
          participants: participantsOf(model, t),
          keys: [key],
        },
        `finish ${t} ${committed ? "C" : "X"} ${key}`,
        (result) => {
          reached.add(`finish: ${result.kind}`);
          return result.kind === "finished" ? [`ack ${t} ${key}`] : [];
        },
      );
      if (next === null || before === undefined) continue;
      const row = rowKeys.value(key);
      const changed = next.groups[at]?.get(row) !== before.get(row);
      if (!changed) yield next;
      else if (state.facts.has(`written ${t} ${key}`))
        throw new Violation(
          state,
          next.step,
          `T4 is violated: transaction ${t} is applied twice at ${key}`,
        );
      else yield { ...next, facts: plus(next, [`written ${t} ${key}`]) };
    }
  }
}

/** The client forgets, or its session ends. */
function* ends(model: Explored, state: State, t: number, reached: Set<string>): Generator<State> {
  const acked = model.keys.every((key) => state.facts.has(`ack ${t} ${key}`));
  const replied = state.facts.has(`reply ${t}`);
  for (const [at, table] of state.groups.entries()) {
    if (replied && (acked || model.without === "acks-before-forget")) {
      const command = { kind: "forget", client: client(t), ackedBelow: 2 } as const;
      const next = applied(model.memory, state, at, command, `forget ${t} at ${at}`, (result) => {
        reached.add(`forget: ${result.kind}`);
        return [];
      });
      if (next !== null) yield next;
    }
    if (model.expiry !== true || table.get(rowKeys.session(client(t))) === undefined) continue;
    const finished = acked || model.without === "proof-of-end" ? [1] : [];
    const command = { kind: "expire-session", client: client(t), idle: 0, finished } as const;
    const step = `session of ${t} ends at ${at}`;
    const next = applied(
      model.memory,
      state,
      at,
      command,
      step,
      (result) => {
        reached.add(`${result.kind}`);
        return [];
      },
      2,
    );
    if (next !== null) yield next;
  }
}

/** Whoever knows enough decides: the manager, or someone who recovers. */
function* decisions(model: Model, state: State, t: number): Generator<State> {
  const has = (fact: string): boolean => state.facts.has(fact);
  const voted = (key: Position, ...states: string[]): boolean =>
    states.some((one) => has(`vote ${t} ${key} ${one}`));
  const outcomes: string[] = [];
  if (model.keys.every((key) => voted(key, "P", "C"))) outcomes.push("C");
  if (model.keys.some((key) => voted(key, "A", "X"))) outcomes.push("X");
  // No session at one key: it can never be prepared there. Where another one is still prepared, it was never final.
  const gone = model.keys.filter((key) => has(`none ${t} ${key}`));
  const prepared = (key: Position): boolean =>
    registersOf(groupOf(state, key), client(t), 1).get(key) === "P";
  if (
    gone.some(
      (key) =>
        model.without === "recheck" || model.keys.some((other) => other !== key && prepared(other)),
    )
  )
    outcomes.push("X");
  for (const outcome of outcomes) {
    const step = `decide ${t} ${outcome}`;
    const other = outcome === "C" ? "X" : "C";
    if (has(`outcome ${t} ${other}`))
      throw new Violation(state, step, `T2 is violated: transaction ${t} has two outcomes`);
    if (!has(`outcome ${t} ${outcome}`))
      yield { ...state, facts: plus(state, [`outcome ${t} ${outcome}`]), parent: state, step };
    else if (!has(`reply ${t}`))
      yield { ...state, facts: plus(state, [`reply ${t}`]), parent: state, step: `reply ${t}` };
  }
}

function* splits(model: Explored, at: Position, state: State): Generator<State> {
  const [table] = state.groups;
  if (table === undefined || state.facts.has("split")) return;
  const command = { kind: "split", at, expectedEpoch: 1 } as const;
  const next = applied(model.memory, state, 0, command, `split at ${at}`, () => ["split"]);
  if (next !== null) yield next;
}

/** Reader 0 reads all keys in two rounds, reader 1 one key after the other; nobody reads what is locked. */
function* reads(model: Model, state: State): Generator<State> {
  const rounds = model.without === "second-round" ? 1 : 2;
  for (const reader of [0, 1]) {
    const seen = (state.seen[reader] ?? "").split(",").filter((one) => one !== "");
    const length = reader === 0 ? 1 + rounds * model.keys.length : model.keys.length;
    if (seen.length >= length) continue;
    const tell = (what: string): State => {
      const next = [...state.seen];
      next[reader] = [...seen, what].join(",");
      const step = `reader ${reader}: ${what}`;
      const done: State = { ...state, seen: next, parent: state, step };
      const all = [...seen, what];
      const wrong = all.length < length ? null : judge(model, reader, all);
      if (wrong !== null) throw new Violation(state, step, wrong);
      return done;
    };
    if (reader === 0 && seen.length === 0) {
      // What was answered before it began has to be seen by it.
      const before = [...model.writes.keys()].filter(
        (t) => state.facts.has(`reply ${t}`) && state.facts.has(`outcome ${t} C`),
      );
      yield tell(`after:${before.join("+")}`);
      continue;
    }
    const key =
      model.keys[(reader === 0 ? seen.length - 1 : seen.length) % model.keys.length] ?? "";
    const table = state.groups[ownerOf(state, key)];
    if (table === undefined || table.get(rowKeys.lock(key)) !== undefined) continue;
    const row = table.get(rowKeys.value(key));
    const { version, value } =
      row === undefined ? { version: 0, value: [0] } : valueRow.decode(row);
    yield tell(`${value[0] ?? 0}@${version}`);
  }
}

function judge(model: Model, reader: number, seen: readonly string[]): string | null {
  const n = model.keys.length;
  if (reader === 1) {
    const values = seen.map((one) => one.split("@")[0]);
    // Nothing is deleted here: after a value that a transaction wrote to all keys, no key is empty.
    const fractured = values.some((value, i) => value !== "0" && values.slice(i).includes("0"));
    return fractured ? `reads are not in order: ${values.join(", ")}` : null;
  }
  const [after = "", ...rest] = seen;
  const [first, second] = [rest.slice(0, n), rest.slice(n)];
  if (second.length > 0 && first.some((one, i) => one !== second[i])) return null; // it begins anew
  const values = first.map((one) => one.split("@")[0]);
  if (values.some((value) => value !== values[0])) return `a fractured read: ${values.join(", ")}`;
  const missed = after !== "after:" && values[0] === "0";
  return missed ? `a read misses what was committed before it (${after})` : null;
}
