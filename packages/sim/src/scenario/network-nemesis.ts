/**
 * The faults of the network: one rule that judges every message by the episodes that are on, and by the
 * messages that a plan names.
 *
 * A message is named by its link, its tag, the time, and the how manyth of those it is since then. What an episode draws depends on
 * the seed, the episode and the message alone: taking an episode out leaves the draws of the others.
 */

import { type Millis, mix, streamKey } from "@kith/core";
import type { Rule, Travelling, Verdict } from "../rules.ts";
import { type Fault, type FaultKind, faultKinds } from "./kinds.ts";
import { Instants, Named } from "./named.ts";
import type { Plan, Rest } from "./plan.ts";

/** An episode that is on, or will be. */
interface Episode {
  readonly fault: Fault;
  readonly key: number;
  readonly until: Millis;
  /** Of a drip: when the next message may pass. */
  nextPass: Millis;
}

/** Told of each strike: the fault as a named deed, where it can be named. */
export type Strike = (kind: FaultKind, named: Fault) => void;

const drop: Verdict = { kind: "drop" };

/** Those whose size is drawn for each message. */
const drawn: ReadonlySet<FaultKind> = new Set(["latency tail", "duplicate", "reorder"]);

/** Those that lose what they strike. */
const losing: ReadonlySet<FaultKind> = new Set([
  "loss",
  "split",
  "bridge",
  "gray link",
  "flapping",
  "isolation",
  "one way",
]);

/** Judges the messages of a run. */
export class NetworkNemesis implements Rule {
  readonly name = "scenario";
  readonly #episodes: readonly Episode[];
  readonly #named = new Named();
  readonly #indices = new Map<string, number>();
  readonly #strike: Strike;
  readonly #datagrams: boolean;
  readonly #core: ReadonlySet<number>;
  readonly #rest: Readonly<Record<number, Rest>>;
  readonly #instants: Instants | null;
  readonly #healing: Millis;
  #healed = false;

  /** @param record whether the names of what is struck are wanted */
  constructor(plan: Plan, strike: Strike, record: boolean) {
    this.#healing = plan.duration;
    this.#instants = record ? new Instants() : null;
    this.#strike = strike;
    this.#datagrams = plan.transport === "datagram";
    this.#core = new Set(plan.core);
    this.#rest = plan.rest;
    for (let i = 0; i < plan.nodes; i++) this.#indices.set(`n${i + 1}`, i);
    const episodes: Episode[] = [];
    for (const fault of plan.faults) {
      const { kind, at, nodes, others, tag, number } = fault;
      if (faultKinds[kind] !== "network") continue;
      if (number !== undefined) {
        const [from = 0] = nodes ?? [];
        const [to = 0] = others ?? [];
        this.#named.add(`${from}>${to} ${tag ?? ""}`, fault);
        continue;
      }
      const { low } = streamKey(plan.seed, kind, at, fault.for ?? 0);
      episodes.push({ fault, key: low, until: at + (fault.for ?? Infinity), nextPass: 0 });
    }
    this.#episodes = episodes;
  }

  /** Among the core nothing goes wrong any more. */
  heal(): void {
    this.#healed = true;
  }

  judge(message: Travelling): Verdict | undefined {
    const from = this.#indices.get(message.from) ?? 0;
    const to = this.#indices.get(message.to) ?? 0;
    if (this.#healed) {
      if (this.#core.has(from) && this.#core.has(to)) return undefined;
      if (this.#rest[from] === "cut off" || this.#rest[to] === "cut off") return drop;
    }
    const number = this.#instants?.count(`${from}>${to} ${message.tag}`, message.time) ?? 1;
    if (!this.#named.none) {
      const named = this.#named.take(`${from}>${to} ${message.tag}`, message.time);
      if (named !== undefined) {
        this.#strike(named.kind, named);
        return this.#verdict(named, named.size ?? 0);
      }
    }
    for (const episode of this.#episodes) {
      const { fault, key, until } = episode;
      if (message.time < fault.at || message.time >= until) continue;
      const draw = mix(message.draw ^ key, 1);
      if (fault.rate !== undefined && draw >= fault.rate * 0x1_0000_0000) continue;
      const size = this.#size(episode, message.time, from, to, draw);
      if (size === null) continue;
      const { kind } = fault;
      const { tag, time } = message;
      const named: Fault = { kind, at: time, nodes: [from], others: [to], tag, number, size };
      this.#strike(kind, fault.rate === undefined ? fault : named);
      return this.#verdict(fault, size);
    }
    return undefined;
  }

  /** Whether an episode strikes this message, and by how much; null where it does not. */
  #size(episode: Episode, time: Millis, from: number, to: number, draw: number): number | null {
    const { fault } = episode;
    // What is held back is let go at the healing at the latest: it would hold up all that comes behind it.
    const until = time < this.#healing ? Math.min(episode.until, this.#healing) : episode.until;
    const { kind, nodes = [], others = [], size = 0 } = fault;
    const sent = nodes.includes(from);
    const there = others.includes(to);
    if (kind === "loss" || kind === "corruption" || kind === "reset") return 0;
    if (drawn.has(kind)) return (mix(draw, 2) % (size * 1000 + 1)) / 1000;
    if (kind === "late replay") return size;
    if (kind === "clogged sender") return sent ? until - time : null;
    if (kind === "clogged receiver") return nodes.includes(to) ? until - time : null;
    if (kind === "isolation") return sent !== nodes.includes(to) ? 0 : null;
    if (kind === "split" || kind === "bridge" || kind === "gray link")
      return between(fault, from, to) ? 0 : null;
    if (kind === "flapping") {
      const turn = Math.floor((time - fault.at) / Math.max(1, size));
      return turn % 2 === 0 && between(fault, from, to) ? 0 : null;
    }
    if (!sent || !there) return null;
    if (kind === "clogged pair") return until - time;
    if (kind === "asymmetric latency") return size;
    if (kind === "one way") return 0;
    if (kind !== "slow drip") return null;
    const pass = Math.max(time, episode.nextPass);
    episode.nextPass = pass + size;
    return Math.min(pass, until) - time;
  }

  #verdict({ kind }: Fault, delay: Millis): Verdict {
    if (losing.has(kind)) return drop;
    // The checksum is wrong: a datagram is no more, and a connection is not to be trusted.
    if (kind === "corruption") return this.#datagrams ? drop : { kind: "reset" };
    if (kind === "reset") return { kind: "reset" };
    if (kind === "duplicate") return { kind: "duplicate", copies: 2, delay };
    // A connection takes the copy out again, and is not held up by it.
    if (kind === "late replay")
      return { kind: "duplicate", copies: 2, delay: this.#datagrams ? delay : 0 };
    if (kind === "reorder") return { kind: "reorder", delay };
    return { kind: "delay", delay: Math.max(0, delay) };
  }
}

function between({ nodes = [], others = [] }: Fault, from: number, to: number): boolean {
  return (
    (nodes.includes(from) && others.includes(to)) || (nodes.includes(to) && others.includes(from))
  );
}
