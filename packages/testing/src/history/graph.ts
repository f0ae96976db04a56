/**
 * Graphs of transactions: edges with a kind each, strongly connected components (Tarjan 1972, without recursion)
 * and shortest cycles.
 */

/** Why one transaction comes before another: bits, so that sets of kinds are numbers. */
export const Kind = { ww: 1, wr: 2, rw: 4, process: 8, realtime: 16 } as const;

/** An edge: `to` comes after `from`, for the reason `kind`, on key number `key` (-1 where there is none). */
export interface Edge {
  readonly from: number;
  readonly to: number;
  readonly kind: number;
  readonly key: number;
}

/** A directed graph of nodes 0 to `size - 1`; grows by edges. */
export class Graph {
  readonly size: number;
  readonly #out: Edge[][];

  constructor(size: number) {
    this.size = size;
    this.#out = Array.from({ length: size }, () => []);
  }

  /** Adds an edge; one to itself is left out. */
  add(from: number, to: number, kind: number, key = -1): void {
    if (from !== to) this.#out[from]?.push({ from, to, kind, key });
  }

  /** The edges that leave a node. */
  out(node: number): readonly Edge[] {
    return this.#out[node] ?? [];
  }

  /** For each node the number of its component, by the edges of these kinds only. */
  components(kinds: number): Int32Array {
    const { size } = this;
    const component = new Int32Array(size).fill(-1);
    const index = new Int32Array(size).fill(-1);
    const low = new Int32Array(size);
    const next = new Int32Array(size);
    const stack: number[] = [];
    const path: number[] = [];
    let count = 0;
    let found = 0;
    const enter = (node: number): void => {
      index[node] = low[node] = count++;
      stack.push(node);
      path.push(node);
    };
    for (let root = 0; root < size; root++) {
      if (index[root] !== -1) continue;
      enter(root);
      for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
        const edges = this.out(node);
        const at = next[node] ?? 0;
        const edge = edges[at];
        if (edge !== undefined) {
          next[node] = at + 1;
          if ((edge.kind & kinds) === 0) continue;
          if (index[edge.to] === -1) enter(edge.to);
          else if (component[edge.to] === -1) {
            low[node] = Math.min(low[node] ?? 0, index[edge.to] ?? 0);
          }
          continue;
        }
        path.pop();
        const parent = path.at(-1);
        if (parent !== undefined) low[parent] = Math.min(low[parent] ?? 0, low[node] ?? 0);
        if (low[node] !== index[node]) continue;
        for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
          component[member] = found;
          if (member === node) break;
        }
        found++;
      }
    }
    return component;
  }

  /** The shortest way from a node to another by edges of these kinds, inside one component; or undefined. */
  path(
    from: number,
    to: number,
    kinds: number,
    component: Int32Array,
    spend: (edges: number) => boolean = () => true,
  ): Edge[] | undefined {
    const within = component[from];
    const via = new Map<number, Edge | null>([[from, null]]);
    const queue = [from];
    for (let at = 0; at < queue.length; at++) {
      const node = queue[at] ?? 0;
      const edges = this.out(node);
      if (!spend(edges.length)) return undefined;
      for (const edge of edges) {
        if ((edge.kind & kinds) === 0 || component[edge.to] !== within) continue;
        if (edge.to === to) return [...backwards(via, node), edge];
        if (via.has(edge.to)) continue;
        via.set(edge.to, edge);
        queue.push(edge.to);
      }
    }
    return undefined;
  }
}

/** The edges by which a node was reached. */
function backwards(via: ReadonlyMap<number, Edge | null>, node: number): Edge[] {
  const edges: Edge[] = [];
  for (let edge = via.get(node); edge !== undefined && edge !== null; edge = via.get(edge.from)) {
    edges.push(edge);
  }
  return edges.reverse();
}
