/**
 * A replicated set: what the tests of scenarios run. An element that was added is flushed at a majority
 * before the caller is told; a read asks a majority, and so sees it.
 */

import { Component, event, SchedulePeriodic, timeout, Timer } from "@kith/core";
import { Dropped, message, Network, type PeerRef } from "@kith/network";
import { LogRecords, ReadLog, Storage, Write } from "@kith/storage";
import {
  exponential,
  Fact,
  type HistoryEvent,
  isReport,
  Perform,
  Performed,
  scenario,
  type Scenario,
  Workload,
} from "./index.ts";

export class Put extends message("tally/Put")<{ readonly call: number; readonly value: number }> {}
export class PutDone extends message("tally/PutDone")<{ readonly call: number }> {}
export class Get extends message("tally/Get")<{ readonly call: number }> {}
export class GetDone extends message("tally/GetDone")<{
  readonly call: number;
  readonly values: readonly number[];
}> {}
/** Tells the others under which incarnation a node lives now. */
export class Here extends message("tally/Here") {}
class Hail extends timeout("tally/Hail") {}

/** How many elements a node has, after each of them. */
export class Kept extends event("tally/Kept", Fact)<{ readonly count: number }> {}

export type Bug = "acknowledges early" | "asks too few" | "forgets" | "none";

export interface TallyInit {
  readonly peers: readonly PeerRef[];
  readonly bug: Bug;
}

interface Pending {
  readonly op: string;
  readonly from: Set<string>;
  readonly values: Set<number>;
}

export class Tally extends Component {
  readonly workload = this.requires(Workload);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);
  readonly values = new Set<number>();
  readonly #peers = new Map<string, PeerRef>();
  readonly #pending = new Map<number, Pending>();
  readonly #early = this.cold("answer a read twice");
  #ready = false;
  #next = 1;

  readonly #load = this.storage.onAnswer(ReadLog, (answer) => {
    if (!(answer instanceof LogRecords)) {
      this.#read();
      return;
    }
    for (const record of answer.records)
      if (this.#bug !== "forgets")
        this.values.add(new DataView(record.buffer, record.byteOffset).getFloat64(0));
    this.#next = answer.from + answer.records.length;
    this.#ready = true;
  });

  readonly #keep = this.storage.onAnswer(
    Write,
    (answer, _write, { to, call, value }: { to: PeerRef; call: number; value: number }) => {
      if (answer.constructor.name !== "Flushed") return;
      this.#stored(value);
      this.net.trigger(new PutDone({ to, call }));
    },
  );
  readonly #bug: Bug;

  constructor({ peers, bug }: TallyInit) {
    super();
    this.#bug = bug;
    for (const peer of peers) this.#peers.set(peer.host, peer);
    const need = Math.floor(peers.length / 2) + (bug === "asks too few" ? 0 : 1);
    this.workload.on(Perform, ({ id, op, value }) => {
      if (!this.#ready) {
        this.workload.trigger(new Performed({ id, type: "fail", error: "starting" }));
        return;
      }
      this.#pending.set(id, { op, from: new Set(), values: new Set() });
      for (const to of this.#peers.values())
        if (op === "add" && typeof value === "number")
          this.net.trigger(new Put({ to, call: id, value }));
        else this.net.trigger(new Get({ to, call: id }));
    });
    this.net.on(Put, ({ from, call, value }) => {
      if (!this.#ready) return;
      const record = new Uint8Array(8);
      new DataView(record.buffer).setFloat64(0, value);
      const flush = bug !== "acknowledges early";
      this.#keep(
        new Write({
          namespace: "tally",
          operations: [{ kind: "append", index: this.#next++, record }],
          flush: true,
        }),
        { context: { to: from, call, value } },
      );
      if (!flush) {
        this.#stored(value);
        this.net.trigger(new PutDone({ to: from, call }));
      }
    });
    this.net.on(Get, ({ from, call }) => {
      if (!this.#ready) return;
      const done = new GetDone({ to: from, call, values: [...this.values] });
      this.net.trigger(done);
      if (this.#early()) this.net.trigger(done);
    });
    this.net.on(PutDone, ({ from, call }) => this.#answered(from, call, [], need));
    this.net.on(GetDone, ({ from, call, values }) => this.#answered(from, call, values, need));
    this.net.on(Here, ({ from }) => void this.#peers.set(from.host, from));
    this.net.on(Dropped, () => undefined);
    this.onStart(() => {
      this.#read();
      this.timer.trigger(new SchedulePeriodic({ period: 500, delay: 0, timeout: new Hail() }));
    });
    this.timer.on(Hail, () => {
      for (const to of this.#peers.values()) this.net.trigger(new Here({ to }));
    });
  }

  #read(): void {
    this.#load(new ReadLog({ namespace: "tally", from: 1 }));
  }

  #stored(value: number): void {
    this.values.add(value);
    this.workload.trigger(new Kept({ count: this.values.size }));
  }

  #answered(from: PeerRef, call: number, values: readonly number[], need: number): void {
    const pending = this.#pending.get(call);
    if (pending === undefined) return;
    pending.from.add(from.host);
    for (const value of values) pending.values.add(value);
    if (pending.from.size < need) return;
    this.#pending.delete(call);
    const value = pending.op === "read" ? [...pending.values].sort((a, b) => a - b) : undefined;
    this.workload.trigger(new Performed({ id: call, type: "ok", value }));
  }
}

/** What was added before a read began is read. */
export function lostElement(history: readonly HistoryEvent[]): string | undefined {
  const added: { readonly value: unknown; readonly index: number }[] = [];
  const began = new Map<number, number>();
  for (const [index, { process, type, op, value }] of history.entries()) {
    if (type === "invoke") began.set(process, index);
    if (type !== "ok") continue;
    if (op === "add") added.push({ value, index });
    if (op !== "read" || !Array.isArray(value)) continue;
    const seen = new Set<unknown>(value);
    for (const one of added)
      if (one.index < (began.get(process) ?? 0) && !seen.has(one.value))
        return `${String(one.value)} was added before process ${process} began to read, which did not see it.`;
  }
  return undefined;
}

export function tally(
  bug: Bug = "none",
  more: Partial<Scenario<typeof Tally>> = {},
): Scenario<typeof Tally> {
  return scenario({
    name: "tally",
    about: "A replicated set on a fixed group: what was added is read ever after.",
    nodes: { min: 3, max: 5 },
    main: Tally,
    init: ({ peers }) => ({ peers, bug }),
    transport: "either",
    duration: 10_000,
    settle: 20_000,
    keys: ["a", "b"],
    processes: [
      {
        name: "client",
        count: 4,
        wait: exponential(100),
        timeout: 2000,
        next: ({ draw, key, unique }) =>
          draw.chance(0.5)
            ? { op: "add", key: key(), value: unique() }
            : { op: "read", key: key() },
      },
    ],
    closing: () => [{ op: "read" }, { op: "read" }],
    succeed: { each: 1, mean: 50 },
    invariants: [
      {
        name: "sets only grow",
        inputs: [Kept],
        begin: () => {
          const counts = new Map<string, number>();
          return ({ news }) => {
            if (!isReport(news, Kept)) return undefined;
            const place = `${news.node} ${news.life}`;
            const before = counts.get(place) ?? 0;
            counts.set(place, news.fact.count);
            return news.fact.count < before ? `${news.node} has lost one.` : undefined;
          };
        },
      },
    ],
    sometimes: [
      {
        name: "a read of ten",
        inputs: ["history"],
        begin: () => (view) => {
          const value = view.history.at(-1)?.value;
          return Array.isArray(value) && value.length >= 10;
        },
      },
    ],
    finally: [{ name: "nothing is lost", check: ({ history }) => lostElement(history) }],
    ...more,
  });
}
