/**
 * Strict serializability of transactions that read lists and append to them, by cycles in the graph of their
 * dependencies, as in Elle (Kingsbury and Alvaro 2020) after Adya (1999).
 *
 * A transaction comes before another one because the other appended after it (ww), read what it appended (wr), or
 * appended what it did not read yet (rw), because both are of one process in that order, or because it
 * returned before the other was called. An order in which each transaction sees exactly what it saw exists when
 * these edges have no cycle, and only then: the reads give the order of the versions, and what no read shows
 * can stand after all that was read in any order which the edges allow.
 *
 * Edges of real time are those to what is called from the *frontier*: the transactions that have returned, but
 * for those before which another one of them was called. All others follow. So there are at most as many for each
 * transaction as run side by side.
 */

import type { HistoryEvent } from "./event.ts";
import { type Edge, Graph, Kind } from "./graph.ts";
import { only, operationsOf, type TransactionOperation } from "./operation.ts";
import { type Invalid, invalid, showCall, showValue, type Verdict } from "./verdict.ts";
import { type Append, type KeyVersions, versionsOf } from "./versions.ts";

/** Leads on from a node that stands for many others. */
const PASS = 32;
const WRITES = Kind.ww | PASS;
const READS = Kind.ww | Kind.wr | PASS;
const ALL = Kind.ww | Kind.wr | Kind.rw | PASS;
/** Up to so many appends that no read shows have an edge each from all who read the last version. */
const DIRECT_MAX = 8;
/** How many edges the look for a short cycle may follow. */
const SHORTENING = 5_000_000;

/**
 * Judges a history of `txn` whose steps are `r` and `append`.
 *
 * @throws KithError where the history is malformed, has other operations, or a value is appended twice to a key
 */
export function checkAppends(history: readonly HistoryEvent[]): Verdict {
  const transactions = only(operationsOf(history), ["txn"]);
  const versions = versionsOf(transactions);
  if (!Array.isArray(versions)) return versions;
  const wrong = lostUpdate(versions) ?? lostAppend(versions) ?? cycle(transactions, versions);
  return wrong ?? { verdict: "valid", operations: transactions.length };
}

/** Two transactions that read one version of a key, and both replaced it. */
function lostUpdate(versions: readonly KeyVersions[]): Invalid | undefined {
  for (const { key, seen } of versions) {
    const updates = new Map<number, TransactionOperation>();
    for (const { reader, length } of seen) {
      if (!reader.steps.some((step) => step.kind === "append" && step.key === key)) continue;
      const other = updates.get(length);
      if (other !== undefined) {
        const what = `Two transactions read the same version of ${key} and both appended to it.`;
        return invalid("lost update", what, [other, reader]);
      }
      updates.set(length, reader);
    }
  }
  return undefined;
}

/** An acknowledged append that a later read does not show, and no other read ever did. */
function lostAppend(versions: readonly KeyVersions[]): Invalid | undefined {
  for (const { key, unseen, seen } of versions) {
    if (unseen.length === 0) continue;
    let final: TransactionOperation | undefined;
    for (const { reader } of seen) {
      if (reader.invoked > (final?.invoked ?? -1)) final = reader;
    }
    if (final === undefined) continue;
    for (const { transaction, value } of unseen) {
      if (transaction.returned >= final.invoked) continue;
      const what = `${showValue(value)} was appended to ${key} and acknowledged; a read that was called later does not show it, and none ever did.`;
      return invalid("lost append", what, [transaction, final]);
    }
  }
  return undefined;
}

/** The dependencies of the transactions that have happened. */
class Dependencies {
  readonly nodes: TransactionOperation[] = [];
  readonly graph: Graph;
  readonly #numbers = new Map<TransactionOperation, number>();
  readonly #versions: readonly KeyVersions[];
  #virtual: number;

  constructor(transactions: readonly TransactionOperation[], versions: readonly KeyVersions[]) {
    this.#versions = versions;
    const shown = new Set(versions.flatMap(({ order }) => order.map((one) => one.transaction)));
    for (const one of transactions) {
      if (one.outcome !== "ok" && !shown.has(one)) continue;
      this.#numbers.set(one, this.nodes.length);
      this.nodes.push(one);
    }
    this.#virtual = this.nodes.length;
    let virtual = 0;
    for (const { unseen } of versions) if (unseen.length > DIRECT_MAX) virtual += 2 * unseen.length;
    this.graph = new Graph(this.nodes.length + virtual);
    versions.forEach((of, key) => this.#addKey(of, key));
    this.#addTime();
  }

  #numberOf(transaction: TransactionOperation): number {
    return this.#numbers.get(transaction) ?? -1;
  }

  #addKey({ order, unseen, seen }: KeyVersions, key: number): void {
    const writers = order.map(({ transaction }) => this.#numberOf(transaction));
    const later = [...new Set(unseen.map(({ transaction }) => this.#numberOf(transaction)))];
    writers.forEach((writer, i) => {
      const next = writers[i + 1];
      if (next !== undefined) this.graph.add(writer, next, Kind.ww, key);
    });
    const last = writers.at(-1);
    if (last !== undefined) for (const one of later) this.graph.add(last, one, Kind.ww, key);
    const toLater = this.#fan(later, key);
    for (const { reader, length } of seen) {
      const node = this.#numberOf(reader);
      const before = writers[length - 1];
      if (before !== undefined) this.graph.add(before, node, Kind.wr, key);
      // What the reader appended next itself does not come after its read for a reason: the one after does.
      let next = length;
      while (writers[next] === node) next++;
      const after = writers[next];
      if (after !== undefined) this.graph.add(node, after, Kind.rw, key);
      else toLater(node);
    }
  }

  /** How to lead a reader to all of these nodes but itself, by few edges however many there are. */
  #fan(later: readonly number[], key: number): (reader: number) => void {
    const { graph } = this;
    if (later.length <= DIRECT_MAX) {
      return (reader) => later.forEach((one) => graph.add(reader, one, Kind.rw, key));
    }
    const up = this.#virtual;
    const down = up + later.length;
    this.#virtual = down + later.length;
    later.forEach((one, i) => {
      graph.add(up + i, one, PASS, key);
      graph.add(down + i, one, PASS, key);
      if (i > 0) graph.add(up + i, up + i - 1, PASS, key);
      if (i + 1 < later.length) graph.add(down + i, down + i + 1, PASS, key);
    });
    const places = new Map(later.map((one, i) => [one, i]));
    return (reader) => {
      const own = places.get(reader) ?? later.length;
      if (own > 0) graph.add(reader, up + own - 1, Kind.rw, key);
      if (own + 1 < later.length) graph.add(reader, down + own + 1, Kind.rw, key);
    };
  }

  #addTime(): void {
    const events: { readonly at: number; readonly node: number; readonly begins: boolean }[] = [];
    this.nodes.forEach(({ invoked, returned }, node) => {
      events.push({ at: invoked, node, begins: true });
      if (returned !== Infinity) events.push({ at: returned, node, begins: false });
    });
    events.sort((a, b) => a.at - b.at);
    const frontier = new Set<number>();
    const before = new Map<number, readonly number[]>();
    const lastOf = new Map<number, number>();
    for (const { node, begins } of events) {
      if (!begins) {
        for (const one of before.get(node) ?? []) frontier.delete(one);
        before.delete(node);
        frontier.add(node);
        continue;
      }
      const process = this.nodes[node]?.process ?? -1;
      const previous = lastOf.get(process);
      lastOf.set(process, node);
      if (previous !== undefined) this.graph.add(previous, node, Kind.process);
      for (const one of frontier) if (one !== previous) this.graph.add(one, node, Kind.realtime);
      before.set(node, [...frontier]);
    }
  }

  /** The edges as steps between transactions: what leads over a node that stands for many is one step. */
  stepsOf(edges: readonly Edge[]): Edge[] {
    const steps: Edge[] = [];
    let from = -1;
    let kind = 0;
    // A cycle may have been entered in the midst of such a way.
    const begin = edges.findIndex((edge) => edge.from < this.nodes.length);
    for (const edge of [...edges.slice(begin), ...edges.slice(0, begin)]) {
      if (edge.from < this.nodes.length) {
        from = edge.from;
        kind = edge.kind;
      }
      if (edge.to < this.nodes.length) steps.push({ ...edge, from, kind });
    }
    return steps;
  }

  /** Why the one transaction comes before the other, in words. */
  reason({ from, to, kind, key }: Edge, a: string, b: string): string {
    const versions = this.#versions[key];
    const [first, second] = [this.nodes[from], this.nodes[to]];
    if (first === undefined || second === undefined) return "";
    if (kind === Kind.process) return `${a} came before ${b} in process ${first.process}`;
    if (kind === Kind.realtime) return `${a} returned before ${b} was called`;
    if (versions === undefined) return "";
    const appended = (by: TransactionOperation, pick: 0 | -1): string => {
      const all = [...versions.order, ...versions.unseen];
      const own = all.filter((one: Append) => one.transaction === by);
      const one = own.at(pick);
      return one === undefined ? "?" : showValue(one.value);
    };
    const name = versions.key;
    if (kind === Kind.ww) {
      return `${a} appended ${appended(first, -1)} to ${name}, and ${b} appended ${appended(second, 0)} after it`;
    }
    if (kind === Kind.wr) return `${b} read ${appended(first, -1)} in ${name}, which ${a} appended`;
    return `${a} read ${name} without ${appended(second, 0)}, which ${b} appended`;
  }
}

function cycle(
  transactions: readonly TransactionOperation[],
  versions: readonly KeyVersions[],
): Invalid | undefined {
  const dependencies = new Dependencies(transactions, versions);
  const { graph } = dependencies;
  const everything = ALL | Kind.process | Kind.realtime;
  if (!hasCycle(graph.components(everything))) return undefined;
  for (const [suffix, time] of [
    ["", 0],
    ["-process", Kind.process],
    ["-realtime", Kind.process | Kind.realtime],
  ] as const) {
    const found =
      named("G0", shortest(graph, WRITES | time)) ??
      named("G1c", shortest(graph, READS | time)) ??
      named("G-single", single(graph, time)) ??
      named("G2", shortest(graph, ALL | time));
    if (found !== undefined) return explain(`${found.name}${suffix}`, found.edges, dependencies);
  }
  return undefined;
}

interface Named {
  readonly name: string;
  readonly edges: readonly Edge[];
}

function named(name: string, edges: readonly Edge[] | undefined): Named | undefined {
  return edges === undefined ? undefined : { name, edges };
}

function hasCycle(component: Int32Array): boolean {
  return new Set(component).size < component.length;
}

/** A short cycle of edges of these kinds, the shortest as far as the look for it may cost. */
function shortest(graph: Graph, kinds: number): Edge[] | undefined {
  const component = graph.components(kinds);
  const sizes = sizesOf(component);
  let best: Edge[] | undefined;
  let left = SHORTENING;
  for (let node = 0; node < graph.size && (best === undefined || best.length > 2); node++) {
    if ((sizes.get(component[node] ?? -1) ?? 0) < 2) continue;
    if (best !== undefined && left < 0) break;
    const found = graph.path(node, node, kinds, component, (edges) => {
      left -= edges;
      return best === undefined || left >= 0;
    });
    if (found !== undefined && found.length < (best?.length ?? Infinity)) best = found;
  }
  return best;
}

/** A short cycle with one rw edge. */
function single(graph: Graph, time: number): Edge[] | undefined {
  const component = graph.components(ALL | time);
  let best: Edge[] | undefined;
  let left = SHORTENING;
  for (let node = 0; node < graph.size && (best === undefined || best.length > 2); node++) {
    for (const edge of graph.out(node)) {
      if (edge.kind !== Kind.rw || component[edge.to] !== component[node] || left < 0) continue;
      const back = graph.path(edge.to, node, READS | time, component, (edges) => {
        left -= edges;
        return left >= 0;
      });
      if (back !== undefined && back.length + 1 < (best?.length ?? Infinity))
        best = [edge, ...back];
    }
  }
  return best;
}

function sizesOf(component: Int32Array): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const one of component) sizes.set(one, (sizes.get(one) ?? 0) + 1);
  return sizes;
}

function explain(anomaly: string, edges: readonly Edge[], dependencies: Dependencies): Invalid {
  const steps = dependencies.stepsOf(edges);
  const names = new Map<number, string>();
  for (const { from } of steps) if (!names.has(from)) names.set(from, `T${names.size + 1}`);
  const name = (node: number): string => names.get(node) ?? "T?";
  const concerned: TransactionOperation[] = [];
  const lines: string[] = [];
  for (const node of names.keys()) {
    const transaction = dependencies.nodes[node];
    if (transaction === undefined) continue;
    concerned.push(transaction);
    lines.push(`  ${name(node)} is process ${transaction.process}: ${showCall(transaction)}`);
  }
  for (const step of steps) {
    lines.push(
      `  ${name(step.from)} < ${name(step.to)}: ${dependencies.reason(step, name(step.from), name(step.to))}`,
    );
  }
  lines.push("  So each of them comes before itself.");
  const { explanation, operations } = invalid(
    anomaly,
    "These transactions come before one another in a circle.",
    concerned,
  );
  return {
    verdict: "invalid",
    anomaly,
    explanation: [explanation.split("\n")[0] ?? "", ...lines].join("\n"),
    operations,
  };
}
