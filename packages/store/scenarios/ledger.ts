/**
 * What the groups of a run have done, entry by entry: each is taken in when the first replica has applied it, and compared when
 * others have.
 */

import { isReport, type View } from "@kith/sim/scenario";
import { type CommandOf, decodeCommand, decodeResult, type Result } from "../src/index.ts";
import { nameOf } from "../src/rows.ts";
import { Leads, Managed, Rested, Standing, Step, Told } from "./facts.ts";

/** What can be reached. */
export type Mark =
  | "a transaction is recovered by another one than its manager"
  | "a session expires"
  | "a snapshot is installed with locks in it"
  | "a group splits between prepare and finish"
  | "a leader changes between prepare and finish"
  | "an ambiguous operation is resolved by a cancellation"
  | "a read-only transaction is run again"
  | "a key goes when its time has come"
  | "a watcher has missed changes";

/** All of them. */
export const marks: readonly Mark[] = [
  "a transaction is recovered by another one than its manager",
  "a session expires",
  "a snapshot is installed with locks in it",
  "a group splits between prepare and finish",
  "a leader changes between prepare and finish",
  "an ambiguous operation is resolved by a cancellation",
  "a read-only transaction is run again",
  "a key goes when its time has come",
  "a watcher has missed changes",
];

/** The entries of all groups. */
export class Ledger {
  readonly reached = new Set<Mark>();
  /** How every group stands, by the replica of it that is furthest. */
  readonly furthest = new Map<string, Standing>();
  /** What has happened to keys that are watched, by their versions, and how they are after the last. */
  readonly changed = new Map<string, Map<number, string | null>>();
  readonly #latest = new Map<string, { readonly version: number; readonly value: string | null }>();
  /** What lives of nodes that watch keys were told last of each; and the lives that have done all they do by themselves. */
  readonly #told = new Map<string, Map<string, string | null>>();
  readonly #rested = new Set<string>();
  /** What is wrong, if anything. */
  complaint: string | undefined;
  readonly #entries = new Map<string, Step>();
  /** By group, the transactions that are prepared there, with the keys. */
  readonly #prepared = new Map<string, Map<string, Set<string>>>();
  readonly #outcomes = new Map<string, boolean>();
  readonly #led = new Set<string>();
  readonly #hashes = new Map<string, number>();
  #news: View["news"] = null;

  /** Takes in what has just come. */
  take({ news }: View): this {
    if (news === null || news === this.#news) return this;
    this.#news = news;
    if (isReport(news, Step)) this.#step(news.node, news.fact);
    else if (isReport(news, Leads)) this.#leads(news.fact);
    else if (isReport(news, Standing)) this.#stands(news.node, news.fact);
    else if (isReport(news, Told)) this.#hears(nameOfLife(news), news.fact);
    else if (isReport(news, Rested)) this.#rested.add(nameOfLife(news));
    else if (isReport(news, Managed)) {
      if (news.fact.recovered > 0)
        this.reached.add("a transaction is recovered by another one than its manager");
      if (news.fact.reread > 0) this.reached.add("a read-only transaction is run again");
    }
    return this;
  }

  #step(node: string, step: Step): void {
    const { gid, index } = step;
    const name = `${gid} ${index}`;
    const known = this.#entries.get(name);
    if (known !== undefined) {
      if (!equal(known.command, step.command) || !equal(known.result, step.result))
        this.complaint ??= `${node} applied at ${name} what elsewhere was different.`;
      return;
    }
    this.#entries.set(name, step);
    const command = decodeCommand(step.command);
    const result = decodeResult(step.result);
    // Keys that a split takes along have not changed.
    if (command.kind !== "split") this.#change(step);
    if (command.kind === "prepare") this.#prepare(gid, command, result);
    else if (command.kind === "finish") this.#finish(gid, command, result);
    else if (command.kind === "split") this.#split(gid, result);
    else if (command.kind === "expire" && result.kind === "expired") {
      if (result.count > 0) this.reached.add("a key goes when its time has come");
    } else if (command.kind === "expire-session" && result.kind === "session-expired") {
      if (result.ended) this.reached.add("a session expires");
    } else if (command.kind === "cancel" && (result.kind === "cancelled" || result.kind === "done"))
      this.reached.add("an ambiguous operation is resolved by a cancellation");
  }

  #change({ left }: Step): void {
    for (const { key, version, value } of left) {
      const versions = this.changed.get(key) ?? new Map<number, string | null>();
      this.changed.set(key, versions.set(version, value));
      if (version > (this.#latest.get(key)?.version ?? 0))
        this.#latest.set(key, { version, value });
    }
  }

  #hears(life: string, { anew, left }: Told): void {
    const known = this.#told.get(life) ?? new Map<string, string | null>();
    this.#told.set(life, known);
    for (const { key, value } of left) {
      if (anew && known.has(key) && known.get(key) !== value)
        this.reached.add("a watcher has missed changes");
      known.set(key, value);
    }
  }

  /** What a life of a node has still to do, or to hear of the keys that it watches. */
  missing(life: string): string | undefined {
    if (!this.#rested.has(life)) return `${life} has not read all that it has to`;
    const known = this.#told.get(life);
    if (known === undefined) return undefined;
    for (const [key, { value }] of this.#latest)
      if (known.has(key) && known.get(key) !== value)
        return `${life} was told last that ${key} is ${known.get(key) ?? "gone"}, and it is ${value ?? "gone"}`;
    return undefined;
  }

  #prepare(gid: string, { ticket }: CommandOf<"prepare">, result: Result): void {
    if (result.kind !== "votes") return;
    const keys = this.#keysOf(gid, nameOf(ticket));
    for (const { position, state } of result.votes) if (state === "P") keys.add(position);
  }

  #finish(gid: string, { tx, committed, keys }: CommandOf<"finish">, result: Result): void {
    if (result.kind !== "finished") return;
    const name = nameOf(tx);
    const before = this.#outcomes.get(name);
    if (before !== undefined && before !== committed)
      this.complaint ??= "T2: a transaction is committed at one key and cancelled at another.";
    this.#outcomes.set(name, committed);
    const held = this.#keysOf(gid, name);
    for (const key of keys) held.delete(key);
    if (held.size === 0) this.#prepared.get(gid)?.delete(name);
  }

  #split(gid: string, result: Result): void {
    if (result.kind !== "split") return;
    const { right } = result;
    for (const [name, keys] of this.#prepared.get(gid) ?? []) {
      if (keys.size > 0) this.reached.add("a group splits between prepare and finish");
      for (const key of [...keys]) {
        if (key < right.lo) continue;
        keys.delete(key);
        this.#keysOf(right.gid, name).add(key);
      }
    }
  }

  #leads({ gid }: Leads): void {
    const held = [...(this.#prepared.get(gid)?.values() ?? [])].some(({ size }) => size > 0);
    if (this.#led.has(gid) && held) this.reached.add("a leader changes between prepare and finish");
    this.#led.add(gid);
  }

  #stands(node: string, standing: Standing): void {
    const { gid, applied, hash, installed } = standing;
    const before = this.furthest.get(gid);
    if (before === undefined || applied >= before.applied) this.furthest.set(gid, standing);
    if (installed !== null && installed > 0)
      this.reached.add("a snapshot is installed with locks in it");
    if (applied === 0) return;
    const name = `${gid} ${applied}`;
    const known = this.#hashes.get(name);
    this.#hashes.set(name, hash);
    if (known !== undefined && known !== hash)
      this.complaint ??= `The table of ${node} at ${name} is another one than elsewhere.`;
  }

  #keysOf(gid: string, name: string): Set<string> {
    let group = this.#prepared.get(gid);
    if (group === undefined) this.#prepared.set(gid, (group = new Map()));
    let keys = group.get(name);
    if (keys === undefined) group.set(name, (keys = new Set()));
    return keys;
  }
}

/** Names a life of a node. */
export function nameOfLife({
  node,
  life,
}: {
  readonly node: string;
  readonly life: number;
}): string {
  return `${node}, life ${life},`;
}

/** By its history, which all views of a run share. */
const ledgers = new WeakMap<View["history"], Ledger>();

/** The ledger of a run, up to what has just come. */
export function ledgerOf(view: View): Ledger {
  let ledger = ledgers.get(view.history);
  if (ledger === undefined) ledgers.set(view.history, (ledger = new Ledger()));
  return ledger.take(view);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
