/**
 * The faults of nodes: crashes and new lives, pauses, clocks, disks that are not what they were, and
 * changes of the cluster. Each is done at its time, and does nothing where the node is in no state for
 * it; only what has been done is counted.
 */

import { type ComponentClass, Event, KithError, type Millis, SwapFailed } from "@kith/core";
import { message } from "@kith/network";
import type { SavedDisk } from "../disk.ts";
import { always } from "../engine.ts";
import type { Life, SimNode } from "../node.ts";
import type { Rule, Travelling } from "../rules.ts";
import type { Simulation } from "../simulation.ts";
import { type Fault, type FaultKind, faultKinds } from "./kinds.ts";
import type { Strike } from "./network-nemesis.ts";
import type { Plan } from "./plan.ts";
import type { LaterVersion, Scenario } from "./scenario.ts";

/** A message of a version to come: nobody has it registered. */
class Unheard extends message("scenario/Unheard") {}

/** How a node comes back after a crash; or that it does not. */
type Way = { readonly disk?: "kept" | "wiped"; readonly identity?: "new" | "reused" } | "gone";

const ways: Readonly<Partial<Record<FaultKind, Way>>> = {
  "restart at once": {},
  "late restart": {},
  "no restart": "gone",
  "wiped disk": { disk: "wiped" },
  "reused identity": { identity: "reused" },
};

/** Those whose end is an event. */
const ending: ReadonlySet<FaultKind> = new Set([
  "drift",
  "clock standing still",
  "old disk",
  "lying disk",
]);

/** Those that have struck when they have begun; the others say so themselves. */
const atOnce: ReadonlySet<FaultKind> = new Set([
  "drift",
  "jump forward",
  "jump back",
  "clock standing still",
  "half-open",
]);

/** What the nemesis has to be told of the run. */
export interface NodeNemesisOptions<K extends ComponentClass> {
  readonly simulation: Simulation<K>;
  readonly plan: Plan;
  /** What may be swapped for what. */
  readonly swaps: NonNullable<Scenario["swaps"]>;
  readonly versions: readonly LaterVersion[];
  readonly strike: Strike;
  /** Does something at a simulated time; `what` and `number` key its place among simultaneous events. */
  readonly at: (time: Millis, what: string, number: number, action: () => void) => void;
  /** A life has begun or ended at that node. */
  readonly changed: (node: number, ended: boolean) => void;
  /** A later version could not take over. */
  readonly refused: (later: LaterVersion, cause: unknown) => void;
}

/** Strikes the nodes of a run. */
export class NodeNemesis<K extends ComponentClass> {
  readonly #options: NodeNemesisOptions<K>;
  readonly #healed = new Set<number>();
  /** Nodes that must not come back before the healing. */
  readonly #gone = new Set<number>();
  readonly #saved = new Map<Fault, SavedDisk>();
  readonly #numbers = new Map<string, number>();
  /** What of a life is of a later version. */
  readonly #upgraded = new WeakMap<Life, Set<string>>();

  constructor(options: NodeNemesisOptions<K>) {
    this.#options = options;
  }

  /** Puts all faults of nodes on the calendar. */
  begin(): void {
    const { plan } = this.#options;
    for (const fault of plan.faults) {
      if (fault.number !== undefined || !mine(fault.kind)) continue;
      for (const index of fault.nodes ?? []) this.#schedule(fault, index);
    }
  }

  /** The core runs, with clocks that go right and good disks, and nothing strikes it any more. */
  heal(): void {
    const { simulation, plan } = this.#options;
    for (const node of simulation.nodes) {
      const { index } = node;
      if (plan.core.includes(index)) {
        this.#healed.add(index);
        node.life?.clock.stand(false);
        node.drift(0);
        node.disk.lying = false;
        if (node.state === "paused") node.resume();
        // One that is about to stop would be gone when it has to finish.
        const ends = node.disk.failed || node.life?.stopping === true;
        if (node.state === "up" && ends) this.#end(node);
        if (node.state === "down") this.#start(node);
      } else if (plan.rest[index] === "down" && node.state !== "down") {
        this.#end(node);
        this.#healed.add(index);
      } else if (plan.rest[index] === "down") {
        this.#healed.add(index);
      }
    }
  }

  /** Whoever runs the nodes starts one anew whose storage is dead. */
  tend(): void {
    for (const node of this.#options.simulation.nodes) {
      if (node.state !== "up" || !node.disk.failed || this.#untouchable(node.index)) continue;
      this.#crash(node);
      this.#later(`tend ${node.name}`, 500, () => this.#revive(node));
    }
  }

  /**
   * A bit has rotted on a disk. At the end of its journal a recovery takes that for a torn write and
   * cuts it: outside of the core, where nobody may forget, such a node does not come back.
   */
  rotten(index: number): void {
    if (!this.#options.plan.core.includes(index)) this.#gone.add(index);
  }

  /** Crashes a node before it does anything else; it comes back soon. */
  crashNow(index: number): void {
    const node = this.#options.simulation.node(index);
    this.#soon("crash", () => {
      if (this.#crash(node)) this.#later(`start ${node.name}`, 5, () => this.#revive(node));
    });
  }

  /** A component of a node has failed, and that counts as a crash. */
  failed(index: number): void {
    const node = this.#options.simulation.node(index);
    this.#soon("failed", () => {
      this.#crash(node);
      this.#later(`start ${node.name}`, 500, () => this.#revive(node));
    });
  }

  // --- the kinds -----------------------------------------------------------------------------------

  #schedule(fault: Fault, index: number): void {
    const node = this.#options.simulation.node(index);
    const { kind } = fault;
    const what = `${kind} ${fault.at} ${node.name}`;
    const end = fault.at + (fault.for ?? 0);
    const way = ways[kind];
    if (way !== undefined) this.#restart(node, fault, way, what);
    else {
      this.#at(fault.at, what, () => {
        if (kind === "clock offset") this.#struck(fault);
        else if (!this.#untouchable(index)) this.#begin(node, fault);
      });
      if (fault.for !== undefined && ending.has(kind))
        this.#at(end, what, () => this.#finish(node, fault));
    }
  }

  /** A crash, and what comes after it. */
  #restart(node: SimNode<K>, fault: Fault, way: Way, what: string): void {
    this.#at(fault.at, what, () => {
      if (!this.#crash(node, fault)) return;
      if (way === "gone") this.#gone.add(node.index);
      else this.#at(fault.at + (fault.for ?? 0), what, () => this.#revive(node, way));
    });
  }

  #begin(node: SimNode<K>, fault: Fault): void {
    const { simulation } = this.#options;
    const { kind, size = 0 } = fault;
    if (kind === "crash between effects") this.#tripwire(node, fault);
    else if (kind === "pause") this.#pause(node, fault, fault.for ?? 0);
    else if (kind === "slow handler") this.#slow(node, fault);
    else if (kind === "old disk") this.#saved.set(fault, node.disk.save());
    else if (kind === "lying disk") node.disk.lying = true;
    else if (kind === "join" && this.#revive(node)) this.#struck(fault);
    else if (kind === "read error" && this.#crash(node))
      this.#later(`start ${node.name}`, 1, () => this.#revive(node));
    if (node.life === null || node.state === "down") return;
    if (kind === "leave") this.#leave(node, fault);
    else if (kind === "swap") this.#swap(node, fault);
    else if (kind === "mixed versions" && fault.tag !== undefined) this.#upgrade(node, fault);
    else if (kind === "mixed versions") this.#speak(node, fault);
    else if (kind === "drift") node.drift(size);
    else if (kind === "jump forward") node.jump(size);
    else if (kind === "jump back") node.jump(-size);
    else if (kind === "clock standing still") node.life.clock.stand(true);
    else if (kind === "half-open") {
      const other = simulation.nodes[fault.others?.[0] ?? node.index];
      if (other === undefined || node.life.endpoint.lane(other.name) === undefined) return;
      simulation.halfOpen(node, other);
    }
    if (atOnce.has(kind)) this.#struck(fault);
  }

  #finish(node: SimNode<K>, fault: Fault): void {
    const { kind } = fault;
    if (kind === "drift") node.drift(0);
    else if (kind === "clock standing still") node.life?.clock.stand(false);
    else if (kind === "old disk") this.#oldDisk(node, fault);
    else if (kind === "lying disk" && node.disk.lying) {
      const crashed = this.#crash(node, fault);
      node.disk.lying = false;
      if (crashed) this.#later(`start ${node.name}`, 5, () => this.#revive(node));
    }
  }

  /**
   * Crashes a node when the first of several messages has left it that it sends at one instant: any, or the first with
   * the fault's tag.
   */
  #tripwire(node: SimNode<K>, fault: Fault): void {
    const { simulation } = this.#options;
    let lastTime = -1;
    let tripped = false;
    const rule: Rule = {
      name: `tripwire ${node.name} ${fault.at}`,
      judge: ({ from, time, tag }: Travelling) => {
        if (tripped || from !== node.name || tag === "" || time === lastTime) return undefined;
        if (fault.tag !== undefined && tag !== fault.tag) return undefined;
        lastTime = time;
        tripped = true;
        // Before anything else happens at this instant: the next message waits for its turn.
        this.#soon("tripwire", () => {
          simulation.withdraw(rule);
          if (!this.#crash(node, fault)) return;
          this.#later(`start ${node.name}`, fault.for ?? 0, () => this.#revive(node));
        });
        return undefined;
      },
    };
    simulation.rule(rule);
  }

  #pause(node: SimNode<K>, fault: Fault, length: Millis): void {
    if (node.state !== "up" || this.#untouchable(node.index)) return;
    const { life } = node;
    node.pause();
    this.#struck(fault);
    this.#later(`resume ${node.name}`, length, () => {
      if (node.life === life && node.state === "paused") node.resume();
    });
  }

  #slow(node: SimNode<K>, fault: Fault): void {
    const { simulation } = this.#options;
    const { size = 1 } = fault;
    if (simulation.time >= fault.at + (fault.for ?? 0)) return;
    this.#pause(node, fault, size);
    this.#later(`slow ${node.name}`, size * 3, () => this.#slow(node, fault));
  }

  #oldDisk(node: SimNode<K>, fault: Fault): void {
    const saved = this.#saved.get(fault);
    if (saved === undefined || !this.#crash(node, fault)) return;
    node.disk.load({ ...saved, volume: null });
    // What was not durable when it was copied is not in the copy.
    node.disk.crash();
    this.#later(`start ${node.name}`, 5, () => this.#revive(node));
  }

  #leave(node: SimNode<K>, fault: Fault): void {
    if (node.state !== "up" || this.#untouchable(node.index)) return;
    this.#struck(fault);
    const { life } = node;
    node.stop();
    this.#options.changed(node.index, true);
    // One that cannot stop is ended.
    this.#later(`left ${node.name}`, 1000, () => {
      if (node.life === life && node.life !== null) node.crash();
    });
    if (fault.for === undefined) this.#gone.add(node.index);
    else this.#later(`back ${node.name}`, 1000 + fault.for, () => this.#revive(node));
  }

  #swap(node: SimNode<K>, fault: Fault): void {
    if (node.state !== "up" || this.#untouchable(node.index) || fault.tag === undefined) return;
    const { swaps } = this.#options;
    const { tag, size = 0 } = fault;
    const choice = swaps.find((one) => typeof one !== "string" && one.path === tag);
    const cls = typeof choice === "object" ? choice.to[size - 1] : undefined;
    try {
      node.system.swapThen(tag, cls === undefined ? {} : { cls }, (result) => {
        if (!(result instanceof SwapFailed)) this.#struck(fault);
      });
    } catch (cause) {
      // What a node has killed is not there to be swapped.
      if (!(cause instanceof KithError) || cause.code !== "KITH_UNKNOWN_PATH") throw cause;
    }
  }

  #upgrade(node: SimNode<K>, fault: Fault): void {
    const { life } = node;
    const later = this.#options.versions.find(({ path }) => path === fault.tag);
    if (node.state !== "up" || life === null || later === undefined) return;
    const done = this.#upgraded.get(life) ?? new Set();
    this.#upgraded.set(life, done);
    if (this.#untouchable(node.index) || done.has(later.path)) return;
    done.add(later.path);
    node.system.swapThen(later.path, { cls: later.to }, (result) => {
      if (!(result instanceof SwapFailed)) this.#struck(fault);
      else if (isMismatch(result.cause)) this.#options.refused(later, result.cause);
    });
  }

  #speak(node: SimNode<K>, fault: Fault): void {
    const { simulation } = this.#options;
    const [to = 0] = fault.others ?? [];
    if (node.life === null || node.state !== "up" || this.#untouchable(node.index)) return;
    const { endpoint } = node.life;
    // Made without its constructor, which would register it.
    const unheard: Unheard = Object.assign(Reflect.construct(Event, [], Unheard), {
      to: simulation.peer(to),
    });
    simulation.fabric.send(endpoint, unheard, null);
    this.#struck(fault);
  }

  // --- lives -----------------------------------------------------------------------------------------

  #crash(node: SimNode<K>, fault?: Fault): boolean {
    if (node.state === "down" || this.#untouchable(node.index)) return false;
    if (fault !== undefined) this.#struck(fault);
    this.#end(node);
    return true;
  }

  #end(node: SimNode<K>): void {
    node.crash();
    this.#options.changed(node.index, true);
  }

  #revive(
    node: SimNode<K>,
    how: { readonly disk?: "kept" | "wiped"; readonly identity?: "new" | "reused" } = {},
  ): boolean {
    if (node.state !== "down" || this.#untouchable(node.index) || this.#gone.has(node.index))
      return false;
    this.#start(node, how);
    return true;
  }

  #start(
    node: SimNode<K>,
    how: { readonly disk?: "kept" | "wiped"; readonly identity?: "new" | "reused" } = {},
  ): void {
    node.start(how);
    if (node.life !== null) node.disk.mount(node.life.number);
    if (node.disk.recovery !== null && node.disk.recovery.refused !== null) {
      node.crash();
      // A disk that cannot be read: the node is out, or has a new one where that may be.
      if (!this.#options.plan.core.includes(node.index)) {
        this.#gone.add(node.index);
        return;
      }
      node.start({ ...how, disk: "wiped" });
    }
    this.#options.changed(node.index, false);
  }

  #untouchable(index: number): boolean {
    return this.#healed.has(index);
  }

  #struck(fault: Fault): void {
    this.#options.strike(fault.kind, fault);
  }

  // --- times -----------------------------------------------------------------------------------------

  #at(time: Millis, what: string, action: () => void): void {
    // Counted for each thing by itself: one fault less leaves the others where they are.
    const number = (this.#numbers.get(what) ?? 0) + 1;
    this.#numbers.set(what, number);
    this.#options.at(time, what, number, action);
  }

  #later(what: string, delay: Millis, action: () => void): void {
    this.#at(this.#options.simulation.time + delay, what, action);
  }

  /** At this instant, before anything else that is due or ready. */
  #soon(what: string, action: () => void): void {
    const { engine } = this.#options.simulation;
    engine.trace.name(0, () => what);
    engine.at(always, engine.micros, 0, action);
  }
}

/** Whether two versions do not fit each other; else the component was about to end, and the swap had bad luck. */
function isMismatch(cause: unknown): boolean {
  if (!(cause instanceof KithError)) return true;
  return ["KITH_SWAP_NO_TRANSFER", "KITH_SWAP_PORT", "KITH_SWAP_CHILD_LOST"].includes(cause.code);
}

/** Whether a kind strikes nodes, and not what passes between them or how they are called. */
function mine(kind: FaultKind): boolean {
  if (kind === "half-open" || kind === "slow handler" || kind === "read error") return true;
  const group = faultKinds[kind];
  return group === "process" || group === "clock" || group === "change" || kind === "lying disk";
}
