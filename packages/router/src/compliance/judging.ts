/**
 * What scenarios hold a router to, whatever strikes the peers: each call has one answer, in time; no wrong owner is named
 * where it is known better; and of the lookups between healthy peers most succeed. It is told who lives and what each
 * ring sees, and knows of no world.
 *
 * A peer is *settled* while its neighbours, as its ring sees them, are its neighbours in the order of all that live.
 * A lookup is *healthy* where its asker, the owner of its key and the two beside the owner have been settled from its
 * beginning to its end, and no fault has kept the messages of asker and owner back meanwhile: who is not known to its neighbours is not
 * in the ring yet, whatever it sees itself. Names are of lives: a peer that comes back has another one.
 */

import type { Millis } from "@kith/core";

/** A peer that lives, and what its ring sees. */
export interface Standing {
  /** The name of its life. */
  readonly name: string;
  readonly peerId: number;
  /** The neighbours by the names of their lives; null where its ring has none, or is none. */
  readonly predecessor: string | null;
  readonly successor: string | null;
  /** Whether something keeps its messages back, or those to it: see `struck`. */
  readonly struck: boolean;
}

/** What strikes nodes, and when, in milliseconds: as scenarios have it. */
export interface Strike {
  readonly kind: string;
  readonly at: Millis;
  readonly for?: Millis;
  readonly nodes?: readonly number[];
  readonly others?: readonly number[];
}

/** Kinds of strikes by which single nodes do not hear others, or are not heard. */
const silencing: ReadonlySet<string> = new Set([
  "clogged sender",
  "clogged receiver",
  "clogged pair",
  "split",
  "isolation",
  "one way",
  "bridge",
  "flapping",
  "gray link",
  "slow drip",
  "half-open",
  "pause",
  "slow handler",
]);

/** By then a connection that is forgotten at one end has been found out. */
const foundOut = 10_000;

/** Whether something silences a node at that time: for the node's index. */
export function struck(strikes: readonly Strike[], time: Millis): (index: number) => boolean {
  const silenced = new Set<number>();
  for (const { kind, at, nodes = [], others = [], ...strike } of strikes) {
    if (at > time || time > at + (strike.for ?? foundOut) || !silencing.has(kind)) continue;
    for (const index of nodes) silenced.add(index);
    for (const index of others) silenced.add(index);
  }
  return (index) => silenced.has(index);
}

/** Of the lookups between healthy peers at least so many have to find the owner. */
const shareMin = 0.9;
/** Fewer healthy lookups than that say nothing of a share. */
const judgedMin = 30;

interface Open {
  readonly asker: string;
  readonly key: number;
  readonly since: Millis;
}

/** The lookups of a run, and who was settled meanwhile. Look first, then tell what has begun or ended. */
export class Lookups {
  readonly #open = new Map<string, Open>();
  #living: readonly Standing[] = [];
  /** Since when each life is settled, and since when nothing has struck it besides. */
  #settled = new Map<string, Millis>();
  #spared = new Map<string, Millis>();
  /** Lookups between healthy peers that have ended, and those of them that have found the owner. */
  readonly healthy = { ended: 0, right: 0 };
  /** Lookups that have named an owner where all who could know better were settled: the name had to be right. */
  judged = 0;

  /** All that live now, in the order of their identifiers. Has to be told whenever something of it has changed. */
  look(time: Millis, living: readonly Standing[]): void {
    const settled = new Map<string, Millis>();
    const spared = new Map<string, Millis>();
    for (const [at, { name, predecessor, successor, ...standing }] of living.entries()) {
      const after = living[(at + 1) % living.length]?.name;
      if (successor !== after || predecessor !== living.at(at - 1)?.name) continue;
      settled.set(name, this.#settled.get(name) ?? time);
      if (!standing.struck) spared.set(name, this.#spared.get(name) ?? time);
    }
    this.#settled = settled;
    this.#spared = spared;
    this.#living = living;
  }

  /** A lookup has begun. */
  begin(call: string, asker: string, key: number, time: Millis): void {
    this.#open.set(call, { asker, key, since: time });
  }

  /**
   * A lookup has ended. @returns what is wrong with that; undefined where nothing is
   * @param found the life that it has named; null where it has found nobody
   */
  end(call: string, found: string | null): string | undefined {
    const lookup = this.#open.get(call);
    this.#open.delete(call);
    if (lookup === undefined) return undefined;
    const { asker, key, since } = lookup;
    const settled = (name: string): boolean => (this.#settled.get(name) ?? Infinity) < since;
    const healthy = (name: string): boolean => (this.#spared.get(name) ?? Infinity) < since;
    const [owner, ...beside] = around(this.#living, key);
    if (owner === undefined) return undefined;
    if (healthy(asker) && healthy(owner) && beside.every(settled)) {
      this.healthy.ended++;
      if (found === owner) this.healthy.right++;
    }
    // A peer that is astray answers for what it takes for its own: that is the ring's relaxed consistency (R2).
    if (found === null || ![asker, owner, ...beside, found].every(settled)) return undefined;
    this.judged++;
    return found === owner
      ? undefined
      : `The lookup ${call} of ${key} has found ${found}, and it is ${owner}'s.`;
  }

  /** What speaks against the share of healthy lookups that have found the owner; undefined where nothing does. */
  get poor(): string | undefined {
    const { ended, right } = this.healthy;
    return ended >= judgedMin && right < shareMin * ended
      ? `Of ${ended} lookups between healthy peers ${right} have found the owner.`
      : undefined;
  }
}

/** Whose key it is, and the two beside it. */
function around(living: readonly Standing[], key: number): string[] {
  const found = living.findIndex(({ peerId }) => peerId >= key);
  const at = found < 0 ? 0 : found;
  return [living[at], living.at(at - 1), living[(at + 1) % living.length]].flatMap((one) =>
    one === undefined ? [] : [one.name],
  );
}

/** A node, as far as calls are concerned. */
export interface Home {
  readonly name: string;
  readonly life: number;
  readonly state: "up" | "down" | "paused";
}

/** All attempts of a call, and some more. */
const endMillis = 14_000;

/** RT3: a call at a peer that goes on living is answered in time, and no call is answered twice. */
export class Calls {
  readonly #open = new Map<
    string,
    { readonly home: string; readonly life: number; since: Millis }
  >();
  readonly #ended = new Set<string>();
  #last: Millis = 0;

  /** A call begins at a node, in that life of it. */
  begin(call: string, home: string, life: number, time: Millis): void {
    this.#open.set(call, { home, life, since: time });
  }

  /** It has its answer. @returns what is wrong with that */
  end(call: string): string | undefined {
    if (this.#ended.has(call)) return `Call ${call} was answered twice.`;
    this.#ended.add(call);
    this.#open.delete(call);
    return undefined;
  }

  /** Nobody waits any more for the calls of that node: its peer has left. */
  gone(home: string): void {
    for (const [call, open] of this.#open) if (open.home === home) this.#open.delete(call);
  }

  /** Looks for calls that should have been answered. */
  overdue(time: Millis, homes: readonly Home[]): string | undefined {
    const passed = time - this.#last;
    this.#last = time;
    for (const [call, open] of this.#open) {
      const home = homes.find(({ name }) => name === open.home);
      // A pause is not the router's.
      if (home?.state === "paused") open.since += passed;
      else if (home?.state !== "up" || home.life !== open.life) this.#open.delete(call);
      else if (time - open.since > endMillis) return `Call ${call} at ${open.home} has no answer.`;
    }
    return undefined;
  }
}
