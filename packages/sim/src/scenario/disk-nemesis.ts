/** The faults of a node's disk: one rule that judges every deed by the episodes that are on, and by the deeds that a plan names. */

import { mix, streamKey } from "@kith/core";
import type { DiskDeed, DiskOperation, DiskRule, DiskVerdict } from "../disk-faults.ts";
import { type Fault, type FaultKind, faultKinds } from "./kinds.ts";
import type { Strike } from "./network-nemesis.ts";
import { Instants, Named } from "./named.ts";
import type { Plan } from "./plan.ts";

/** What of a disk's deeds a kind strikes. */
const deeds: Readonly<Partial<Record<FaultKind, DiskDeed>>> = {
  "failing flush": "flush",
  "slow flush": "flush",
  "read error": "read",
  "full disk": "write",
  "bit rot": "store",
  "lost write": "crash",
  "torn write": "crash",
};

const verdicts: Readonly<Partial<Record<FaultKind, DiskVerdict>>> = {
  "failing flush": { kind: "fail" },
  "read error": { kind: "fail" },
  "full disk": { kind: "fail" },
  "bit rot": { kind: "rot" },
  "lost write": { kind: "lose" },
  "torn write": { kind: "tear" },
};

/** Judges the deeds of one disk. */
export class DiskNemesis implements DiskRule {
  readonly name = "scenario";
  readonly #node: number;
  readonly #episodes: readonly (readonly [fault: Fault, deed: DiskDeed, key: number])[];
  readonly #strike: Strike;
  readonly #named = new Named();
  readonly #instants = new Instants();
  readonly #crash: (fault: Fault) => void;
  /** Those whose crash is under way, or done. */
  readonly #crashed = new Set<Fault>();

  /** @param crash is to crash the node before it does anything else */
  constructor(plan: Plan, node: number, strike: Strike, crash: (fault: Fault) => void) {
    this.#node = node;
    this.#strike = strike;
    this.#crash = crash;
    this.#episodes = plan.faults.flatMap((fault) => {
      const { kind, nodes, at } = fault;
      const deed = deeds[kind];
      if (faultKinds[kind] !== "disk" || deed === undefined) return [];
      if (nodes !== undefined && !nodes.includes(node)) return [];
      if (fault.number !== undefined) {
        this.#named.add(deed, fault);
        return [];
      }
      return [[fault, deed, streamKey(plan.seed, kind, at).low] as const];
    });
  }

  /** Whether it has anything to judge. */
  get idle(): boolean {
    return this.#episodes.length === 0 && this.#named.none;
  }

  judge(operation: DiskOperation): DiskVerdict | undefined {
    const { deed, time } = operation;
    const number = this.#instants.count(deed, time);
    const meant = this.#named.take(deed, time);
    if (meant !== undefined) {
      this.#strike(meant.kind, meant);
      return this.#verdict(meant, operation, meant.size ?? 0);
    }
    for (const [fault, struck, key] of this.#episodes) {
      if (deed === "write" && struck === "crash") this.#trip(fault, time);
      if (struck !== deed) continue;
      const { kind, at, rate, size = 0 } = fault;
      const draw = mix(operation.draw ^ key, 1);
      if (time < at || time >= at + (fault.for ?? Infinity)) continue;
      if (rate !== undefined && draw >= rate * 0x1_0000_0000) continue;
      const drawn = (mix(draw, 2) % (size * 1000 + 1)) / 1000;
      const verdict = this.#verdict(fault, operation, drawn);
      if (verdict === undefined) continue;
      const named: Fault = { kind, at: time, nodes: [this.#node], number, size: drawn };
      this.#strike(kind, rate === undefined ? fault : named);
      return verdict;
    }
    return undefined;
  }

  /** A batch that is not flushed yet is what a crash can lose. */
  #trip(fault: Fault, time: number): void {
    if (time < fault.at || time >= fault.at + (fault.for ?? Infinity) || this.#crashed.has(fault))
      return;
    this.#crashed.add(fault);
    this.#crash(fault);
  }

  #verdict(
    { kind }: Fault,
    { used, usedBefore }: DiskOperation,
    delay: number,
  ): DiskVerdict | undefined {
    if (kind === "slow flush") return { kind: "slow", delay };
    // Whatever makes it hold less is still possible.
    if (kind === "full disk" && used <= usedBefore) return undefined;
    return verdicts[kind];
  }
}
