/**
 * A laboratory: managers of several clients, groups that are tables, and between them a network that loses, doubles and
 * delays at random. Clients crash, groups split. What the clients saw is a history, for the checkers of `@kith/testing`.
 */

import { type Draw, DrawStream, streamKey } from "@kith/core";
import { checkAppends, checkRegisters, complaint, type HistoryEvent } from "@kith/testing/history";
import { assert } from "chai";
import { answer } from "../answer.ts";
import { decodeCommand } from "../command.ts";
import { applyCommand } from "../machine.ts";
import { MapTable } from "../map-table.test.ts";
import type { Position } from "../position.ts";
import { decodeQuery, encodeAnswer, type Reading } from "../query.ts";
import { encodeResult } from "../result.ts";
import type { Descriptor } from "../rows.ts";
import { checkStep, checkTable, checkTables, metaOf } from "../table-invariants.ts";
import { begin, heard, sweep, tickManager } from "./manager.ts";
import { type Ended, managerOf, type ManagerState, type Outgoing } from "./state.ts";

/** What is put through. */
export interface LabOptions {
  readonly seed: number;
  readonly clients?: number;
  /** How many operations are begun. */
  readonly operations?: number;
  /** Of a message, in percent. */
  readonly loss?: number;
  readonly copies?: number;
  /** How often a client crashes, and how often a group splits, in percent of the operations. */
  readonly crashes?: number;
  readonly splits?: number;
  /** How often a group is out of reach for a while. */
  readonly outages?: number;
}

/** What has come of it. */
export interface LabRun {
  readonly history: readonly HistoryEvent[];
  readonly counts: Readonly<Record<"ok" | "fail" | "info", number>>;
  readonly marks: ReadonlySet<string>;
  /** Locks and jobs that are left when everything has had its time. */
  readonly left: number;
}

interface Group {
  table: MapTable;
  index: number;
}

interface Flight {
  readonly at: number;
  readonly run: () => void;
}

interface Client {
  state: ManagerState;
  process: number;
  /** What waits for the end of its work. */
  then: ((ended: Ended) => void) | null;
  work: number;
}

const registers = ["r0", "r1", "s0"];
const lists = ["a0", "h0", "h1", "n0", "u0"];
const bounds = ["", "g", "s"];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Runs one seed to its end. */
export function runLab(options: LabOptions): LabRun {
  return new Lab(options).run();
}

/** Runs one seed and has what clients saw judged. @throws Error that says what is wrong with it */
export function judgeLab(seed: number): LabRun {
  try {
    const run = runLab({ seed });
    const appends = run.history.filter(({ op }) => op === "txn");
    const registers = run.history.filter(({ op }) => op !== "txn");
    for (const verdict of [checkAppends(appends), checkRegisters(registers)])
      assert.isUndefined(complaint(verdict), complaint(verdict));
    assert.equal(run.left, 0, "locks and work are left");
    return run;
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

class Lab {
  readonly #options: Required<LabOptions>;
  readonly #draw: Draw;
  readonly #groups = new Map<string, Group>();
  readonly #clients: Client[] = [];
  readonly #history: HistoryEvent[] = [];
  readonly #counts = { ok: 0, fail: 0, info: 0 };
  readonly #marks = new Set<string>();
  #flights: Flight[] = [];
  #now = 0;
  #begun = 0;
  #lives = 0;
  #processes = 0;
  #values = 0;
  #calm = false;
  /** Until when a group is out of reach. */
  readonly #out = new Map<string, number>();

  constructor(options: LabOptions) {
    this.#options = {
      clients: 4,
      operations: 120,
      loss: 10,
      copies: 10,
      crashes: 4,
      splits: 2,
      outages: 3,
      ...options,
    };
    this.#draw = new DrawStream(streamKey("store/lab", options.seed));
    for (const [i, lo] of bounds.entries()) {
      const group = { table: new MapTable(), index: 0 };
      const gid = `g${i}`;
      this.#groups.set(gid, group);
      const hi = bounds[i + 1] ?? null;
      const place = { table: group.table, index: ++group.index, time: 0 };
      applyCommand(place, { kind: "found", gid, ordered: true, lo, hi }, noSpawn);
    }
    const { clients } = this.#options;
    for (let i = 0; i < clients; i++) this.#clients.push(this.#client());
  }

  run(): LabRun {
    const { operations } = this.#options;
    while (this.#begun < operations && this.#now < 600_000) this.#step(true);
    this.#calm = true;
    const healed = this.#now;
    while (this.#now < healed + 30_000 || this.#clients.some(({ then }) => then !== null)) {
      this.#step(false);
      if (this.#now > healed + 200_000) throw new Error("a piece of work does not end");
    }
    this.#readAll();
    const left = this.#left();
    return {
      history: this.#history,
      counts: this.#counts,
      marks: this.#marks,
      left,
      debug: [
        this.#clients.map(({ state }) => [
          [...state.jobs],
          [...state.calls].slice(0, 3),
          state.retries,
          state.now,
        ]),
        [...this.#groups].map(([g, { table }]) => [
          g,
          metaOf(table).epoch,
          metaOf(table).lo,
          metaOf(table).hi,
          table.keys("l", "m"),
          table.keys("t", "u"),
        ]),
      ],
    } as never;
  }

  #client(): Client {
    const id = String(++this.#lives).padStart(16, "c");
    const groups = bounds.map((lo, i): Descriptor => ({
      gid: `g${i}`,
      epoch: 1,
      lo,
      hi: bounds[i + 1] ?? null,
    }));
    const settings = { commitMs: 300, pushMs: 200, withinMs: 1500, cancelMs: 1000 };
    const state = managerOf(id, groups, { settings });
    return { state, process: this.#processes++, then: null, work: 0 };
  }

  #step(works: boolean): void {
    this.#now += 5;
    const due = this.#flights.filter(({ at }) => at <= this.#now);
    if (due.length > 0) this.#flights = this.#flights.filter(({ at }) => at > this.#now);
    for (const { run } of due) run();
    for (const client of this.#clients) {
      tickManager(client.state, this.#now);
      this.#flush(client);
      // As the leader of a group would.
      if (this.#now % 1000 === 0)
        for (const gid of this.#groups.keys()) sweep(client.state, gid, this.#now - 1000);
      if (works && client.then === null && this.#chance(20)) this.#beginOne(client);
    }
  }

  #chance(percent: number): boolean {
    return this.#draw.below(100) < percent;
  }

  // --- what clients do -------------------------------------------------------------------------------

  #beginOne(client: Client): void {
    this.#begun++;
    const { crashes, splits, outages } = this.#options;
    if (this.#chance(splits)) this.#split();
    if (this.#chance(outages))
      this.#out.set(this.#pick([...this.#groups.keys()]), this.#now + this.#draw.below(4000));
    const kind = this.#draw.below(10);
    if (kind === 9) this.#blind(client);
    else if (kind < 3) this.#register(client);
    else if (kind < 5) this.#readOnly(client);
    else this.#append(client);
    if (this.#chance(crashes)) this.#crash(client);
  }

  /** The client is gone, with all that it has under way; another one takes its place. */
  #crash(client: Client): void {
    this.#marks.add("crash");
    const { then } = client;
    Object.assign(client, { ...this.#client(), process: client.process, then });
    // Nobody knows what has become of its last operation.
    client.then?.({ kind: "unknown" });
    client.then = null;
  }

  #register(client: Client): void {
    const position = this.#pick(registers);
    const kind = this.#draw.below(3);
    if (kind === 0) {
      this.#do(client, "read", position, null, { kind: "read", keys: [position] }, (ended) =>
        ended.kind === "readings" ? { value: numberOf(ended.readings[0]) } : undefined,
      );
      return;
    }
    const value = ++this.#values;
    const put = {
      kind: "put",
      position,
      value: encoder.encode(String(value)),
      expiry: "never",
    } as const;
    if (kind === 1) {
      const work = { kind: "execute", operations: [put] } as const;
      this.#do(client, "write", position, value, work, done);
      return;
    }
    // Of something that may well be there.
    const from = Math.max(1, value - this.#draw.below(8) - 1);
    const when = { kind: "value", value: encoder.encode(String(from)) } as const;
    const work = { kind: "execute", operations: [{ ...put, when }] } as const;
    this.#do(client, "cas", position, [from, value], work, done);
  }

  /** Appends by one operation, without having read. */
  #blind(client: Client): void {
    const position = this.#pick(lists);
    const value = ++this.#values;
    const operation = { kind: "append", position, value: encoder.encode(`${value},`) } as const;
    const work = { kind: "execute", operations: [operation] } as const;
    this.#do(client, "txn", undefined, [["append", position, value]], work, done);
  }

  #readOnly(client: Client): void {
    const keys = this.#some(lists);
    const steps = keys.map((key) => ["r", key, null]);
    this.#do(client, "txn", undefined, steps, { kind: "read", keys }, (ended) =>
      ended.kind === "readings"
        ? { value: ended.readings.map((one) => ["r", one.position, listOf(one)]) }
        : undefined,
    );
  }

  /** Reads some lists, and appends to some of them, as one transaction. */
  #append(client: Client): void {
    const keys = this.#some(lists);
    const written = keys.filter((_, i) => i === 0 || this.#chance(60));
    const steps: [string, Position, number | null][] = keys.map((key) => ["r", key, null]);
    for (const key of written) steps.push(["append", key, ++this.#values]);
    const tell = this.#invoke(client, "txn", undefined, steps);
    this.#work(client, { kind: "read", keys }, (read) => {
      if (read.kind !== "readings") return tell("fail");
      const reads = read.readings.map(({ position, present, version }) => ({
        position,
        version: present ? version : 0,
      }));
      const writes = steps.flatMap(([kind, position, value]) => {
        const before = listOf(read.readings.find((one) => one.position === position));
        const text = [...before, value].map((one) => `${one},`).join("");
        const write = { kind: "put", value: encoder.encode(text), expiry: "never" } as const;
        return kind === "append" ? [{ position, write }] : [];
      });
      // Half of them stand in line where others were in their way.
      const queues = this.#values % 2 === 0;
      this.#work(client, { kind: "commit", reads, writes, queues }, (ended) => {
        if (ended.kind === "unknown") tell("info");
        else if (ended.kind !== "committed") tell("fail");
        else {
          this.#marks.add("committed");
          const seen = steps.map(([kind, position, value]) => [
            kind,
            position,
            kind === "r" ? listOf(read.readings.find((one) => one.position === position)) : value,
          ]);
          tell("ok", seen);
        }
      });
    });
  }

  #do(
    client: Client,
    op: string,
    key: string | undefined,
    value: unknown,
    work: Parameters<typeof begin>[1],
    result: (ended: Ended) => { value?: unknown } | undefined,
  ): void {
    const tell = this.#invoke(client, op, key, value);
    this.#work(client, work, (ended) => {
      const found = result(ended);
      if (found !== undefined) tell("ok", found.value ?? value);
      else tell(ended.kind === "unknown" && op !== "read" ? "info" : "fail");
    });
  }

  #invoke(
    client: Client,
    op: string,
    key: string | undefined,
    value: unknown,
  ): (type: "ok" | "fail" | "info", value?: unknown) => void {
    const { process } = client;
    const about = { process, op, ...(key === undefined ? {} : { key }) };
    this.#history.push({ ...about, type: "invoke", value, time: this.#now * 1e6 });
    return (type, seen = value) => {
      this.#counts[type]++;
      this.#history.push({ ...about, type, value: seen, time: this.#now * 1e6 });
      if (type === "info") client.process = this.#processes++;
    };
  }

  #work(client: Client, work: Parameters<typeof begin>[1], then: (ended: Ended) => void): void {
    client.then = then;
    client.work = begin(client.state, work, this.#now);
    this.#flush(client);
  }

  #pick<T>(from: readonly T[]): T {
    const one = from[this.#draw.below(from.length)];
    if (one === undefined) throw new Error("there is nothing to choose from");
    return one;
  }

  #some(from: readonly string[]): string[] {
    const found = from.filter(() => this.#chance(45));
    return found.length > 0 ? found : [this.#pick(from)];
  }

  // --- the network and the groups --------------------------------------------------------------------

  #flush(client: Client): void {
    const { out } = client.state;
    for (const call of out.calls.splice(0)) this.#post(client, call);
    for (const { work, ended } of out.replies.splice(0)) {
      if (work !== client.work) continue;
      const { then } = client;
      client.then = null;
      if (ended.kind === "readings" || ended.kind === "committed") this.#marks.add(ended.kind);
      then?.(ended);
    }
  }

  #post(client: Client, call: Outgoing): void {
    const { state } = client;
    const { loss, copies } = this.#options;
    const rough = !this.#calm;
    const times = rough && this.#chance(copies) ? 2 : 1;
    for (let i = 0; i < times; i++) {
      if (rough && this.#chance(loss)) continue;
      this.#later(i === 0 ? 30 : 3000, () => {
        if (rough && (this.#out.get(call.gid) ?? 0) > this.#now) return;
        const body = this.#serve(call);
        if (rough && this.#chance(loss)) return;
        this.#later(30, () => this.#deliver(client, state, call.call, body));
      });
    }
    // As its transport would say in the end, where no answer has come.
    this.#flights.push({
      at: this.#now + 150,
      run: () => this.#deliver(client, state, call.call, null),
    });
  }

  #deliver(client: Client, state: ManagerState, call: number, body: Uint8Array | null): void {
    if (client.state !== state) return;
    heard(state, call, body ?? "nothing", this.#now);
    this.#flush(client);
  }

  #later(most: number, run: () => void): void {
    this.#flights.push({ at: this.#now + 1 + this.#draw.below(most), run });
  }

  #serve({ gid, kind, body }: Outgoing): Uint8Array {
    const group = this.#groups.get(gid);
    if (group === undefined) throw new Error(`there is no group ${gid}`);
    if (kind === "query") {
      const place = { time: this.#now, index: group.index };
      return encodeAnswer(answer(group.table, decodeQuery(body), place));
    }
    return this.#apply(group, body);
  }

  #apply(group: Group, body: Uint8Array): Uint8Array {
    const before = group.table;
    const table = before.copy();
    const place = { table, index: ++group.index, time: this.#now };
    const command = decodeCommand(body);
    const result = applyCommand(place, command, (gid, rows) => {
      const right = new MapTable(rows);
      checkTable(right);
      this.#groups.set(gid, { table: right, index: 1 });
    });
    this.#marks.add(`${command.kind}: ${result.kind}`);
    checkStep(before, table);
    checkTable(table);
    group.table = table;
    checkTables([...this.#groups.values()].map((one) => one.table));
    return encodeResult(result);
  }

  #split(): void {
    const at = this.#pick(lists);
    const group = [...this.#groups.values()].find(({ table }) => {
      const { lo, hi } = metaOf(table);
      return lo < at && (hi === null || at < hi);
    });
    if (group === undefined) return;
    const place = { table: group.table, index: ++group.index, time: this.#now };
    const expectedEpoch = metaOf(group.table).epoch;
    applyCommand(place, { kind: "split", at, expectedEpoch }, (gid, rows) =>
      this.#groups.set(gid, { table: new MapTable(rows), index: 1 }),
    );
    this.#marks.add("split");
  }

  // --- the end ---------------------------------------------------------------------------------------

  /** Someone reads everything, now that all is well. */
  #readAll(): void {
    const reader = this.#client();
    this.#clients.push(reader);
    const settle = (): void => {
      for (let i = 0; i < 4000 && reader.then !== null; i++) this.#step(false);
      if (reader.then !== null) throw new Error("the last reads do not end");
    };
    for (const key of registers) {
      this.#do(reader, "read", key, null, { kind: "read", keys: [key] }, (ended) =>
        ended.kind === "readings" ? { value: numberOf(ended.readings[0]) } : undefined,
      );
      settle();
    }
    const steps = lists.map((key) => ["r", key, null]);
    this.#do(reader, "txn", undefined, steps, { kind: "read", keys: lists }, (ended) =>
      ended.kind === "readings"
        ? { value: ended.readings.map((one) => ["r", one.position, listOf(one)]) }
        : undefined,
    );
    settle();
  }

  #left(): number {
    let left = 0;
    for (const { table } of this.#groups.values()) left += table.keys("l", "m").length;
    for (const { state } of this.#clients) left += state.jobs.size;
    return left;
  }
}

function done(ended: Ended): { value?: unknown } | undefined {
  return ended.kind === "done" ? {} : undefined;
}

function numberOf(reading: Reading | undefined): number | null {
  return reading === undefined || reading.value === null
    ? null
    : Number(decoder.decode(reading.value));
}

function listOf(reading: Reading | undefined): (number | null)[] {
  if (reading === undefined || reading.value === null) return [];
  return decoder.decode(reading.value).split(",").slice(0, -1).map(Number);
}

function noSpawn(): never {
  throw new Error("nothing is split here");
}
