/**
 * An immutable ordered map: a change gives a new map that shares all but one path with the old one. So
 * a read view, the state before a batch, and a checkpoint are each one reference.
 *
 * A weight-balanced tree after Adams (1992), with the parameters that Hirai and Yamamoto (2011)
 * proved: no side is more than 3 times as large as the other, and a rotation is double where the
 * inner side is at least twice the outer one. Each node knows how many entries are below it, and
 * their weight, so that a range is removed, weighed and counted without a look at its entries.
 */

/** How keys are ordered, and what an entry weighs. */
export interface Order<K, V> {
  readonly compare: (a: K, b: K) => number;
  readonly weigh: (key: K, value: V) => number;
}

/** A part of the keys: from `from`, included, to `to`, not included; a missing bound is no bound. */
export interface Bounds<K> {
  readonly from?: K;
  readonly to?: K;
}

interface Node<K, V> {
  readonly key: K;
  readonly value: V;
  readonly left: Tree<K, V>;
  readonly right: Tree<K, V>;
  readonly size: number;
  readonly weight: number;
}

type Tree<K, V> = Node<K, V> | null;

const balanceMax = 3;
const innerMax = 2;

/** The map. */
export class Ordered<K, V> {
  readonly #order: Order<K, V>;
  readonly #root: Tree<K, V>;

  constructor(order: Order<K, V>, root: Tree<K, V> = null) {
    this.#order = order;
    this.#root = root;
  }

  /** How many entries it has. */
  get size(): number {
    return sizeOf(this.#root);
  }

  /** What its entries weigh together. */
  get weight(): number {
    return this.#root?.weight ?? 0;
  }

  /** The value of a key. */
  get(key: K): V | undefined {
    let node = this.#root;
    while (node !== null) {
      const side = this.#order.compare(key, node.key);
      if (side === 0) return node.value;
      node = side < 0 ? node.left : node.right;
    }
    return undefined;
  }

  /** The entry of that rank, from 0. */
  at(rank: number): readonly [K, V] | undefined {
    let node = this.#root;
    while (node !== null) {
      const left = sizeOf(node.left);
      if (rank === left) return [node.key, node.value];
      if (rank > left) rank -= left + 1;
      node = rank < left && node.left !== null ? node.left : node.right;
    }
    return undefined;
  }

  /** This map with a value for a key. */
  set(key: K, value: V): Ordered<K, V> {
    return new Ordered(this.#order, this.#put(this.#root, key, value));
  }

  /** This map without a key. */
  delete(key: K): Ordered<K, V> {
    if (this.get(key) === undefined) return this;
    return new Ordered(this.#order, this.#remove(this.#root, key));
  }

  /** This map without a range of keys. */
  deleteRange({ from, to }: Bounds<K>): Ordered<K, V> {
    if (from !== undefined && to !== undefined && this.#order.compare(from, to) >= 0) return this;
    const low = from === undefined ? null : this.#below(this.#root, from);
    const high = to === undefined ? null : this.#notBelow(this.#root, to);
    return new Ordered(this.#order, this.#merge(low, high));
  }

  /** Visits the entries of a range in order, or in reverse, until the visitor says false. */
  visit(range: Bounds<K>, reverse: boolean, visitor: (key: K, value: V) => boolean): void {
    this.#walk(this.#root, range, reverse, visitor);
  }

  #walk(
    node: Tree<K, V>,
    range: Bounds<K>,
    reverse: boolean,
    visitor: (key: K, value: V) => boolean,
  ): boolean {
    if (node === null) return true;
    const { compare } = this.#order;
    const low = range.from === undefined || compare(node.key, range.from) >= 0;
    const high = range.to === undefined || compare(node.key, range.to) < 0;
    const [first, second] = reverse ? [node.right, node.left] : [node.left, node.right];
    const [before, behind] = reverse ? [high, low] : [low, high];
    if (before && !this.#walk(first, range, reverse, visitor)) return false;
    if (low && high && !visitor(node.key, node.value)) return false;
    return !behind || this.#walk(second, range, reverse, visitor);
  }

  #put(node: Tree<K, V>, key: K, value: V): Node<K, V> {
    if (node === null) return this.#node(null, key, value, null);
    const side = this.#order.compare(key, node.key);
    if (side === 0) return this.#node(node.left, key, value, node.right);
    return side < 0
      ? this.#balance(this.#put(node.left, key, value), node, node.right)
      : this.#balance(node.left, node, this.#put(node.right, key, value));
  }

  #remove(node: Tree<K, V>, key: K): Tree<K, V> {
    if (node === null) return null;
    const side = this.#order.compare(key, node.key);
    if (side === 0) return this.#glue(node.left, node.right);
    return side < 0
      ? this.#balance(this.#remove(node.left, key), node, node.right)
      : this.#balance(node.left, node, this.#remove(node.right, key));
  }

  /** The entries below a key. */
  #below(node: Tree<K, V>, key: K): Tree<K, V> {
    if (node === null) return null;
    if (this.#order.compare(node.key, key) >= 0) return this.#below(node.left, key);
    return this.#join(node.left, node, this.#below(node.right, key));
  }

  /** The entries not below a key. */
  #notBelow(node: Tree<K, V>, key: K): Tree<K, V> {
    if (node === null) return null;
    if (this.#order.compare(node.key, key) < 0) return this.#notBelow(node.right, key);
    return this.#join(this.#notBelow(node.left, key), node, node.right);
  }

  /** Joins two trees of any sizes and the entry between them. */
  #join(left: Tree<K, V>, middle: Node<K, V>, right: Tree<K, V>): Node<K, V> {
    if (left === null) return this.#put(right, middle.key, middle.value);
    if (right === null) return this.#put(left, middle.key, middle.value);
    if (balanceMax * left.size < right.size) {
      return this.#balance(this.#join(left, middle, right.left), right, right.right);
    }
    if (balanceMax * right.size < left.size) {
      return this.#balance(left.left, left, this.#join(left.right, middle, right));
    }
    return this.#node(left, middle.key, middle.value, right);
  }

  /** Joins two trees of any sizes. */
  #merge(left: Tree<K, V>, right: Tree<K, V>): Tree<K, V> {
    if (left === null) return right;
    if (right === null) return left;
    return this.#join(left, firstOf(right), this.#withoutFirst(right));
  }

  /** Joins the two sides of a node that goes. */
  #glue(left: Tree<K, V>, right: Tree<K, V>): Tree<K, V> {
    if (left === null) return right;
    if (right === null) return left;
    return this.#balance(left, firstOf(right), this.#withoutFirst(right));
  }

  #withoutFirst(node: Node<K, V>): Tree<K, V> {
    if (node.left === null) return node.right;
    return this.#balance(this.#withoutFirst(node.left), node, node.right);
  }

  /** A node of two sides of which one has lost or won an entry. */
  #balance(left: Tree<K, V>, { key, value }: Node<K, V>, right: Tree<K, V>): Node<K, V> {
    const leftSize = sizeOf(left);
    const rightSize = sizeOf(right);
    if (leftSize + rightSize <= 1) return this.#node(left, key, value, right);
    if (right !== null && rightSize > balanceMax * leftSize) {
      const inner = right.left;
      if (inner === null || inner.size < innerMax * sizeOf(right.right)) {
        return this.#node(this.#node(left, key, value, inner), right.key, right.value, right.right);
      }
      const outer = this.#node(inner.right, right.key, right.value, right.right);
      return this.#node(this.#node(left, key, value, inner.left), inner.key, inner.value, outer);
    }
    if (left !== null && leftSize > balanceMax * rightSize) {
      const inner = left.right;
      if (inner === null || inner.size < innerMax * sizeOf(left.left)) {
        return this.#node(left.left, left.key, left.value, this.#node(inner, key, value, right));
      }
      const outer = this.#node(left.left, left.key, left.value, inner.left);
      return this.#node(outer, inner.key, inner.value, this.#node(inner.right, key, value, right));
    }
    return this.#node(left, key, value, right);
  }

  #node(left: Tree<K, V>, key: K, value: V, right: Tree<K, V>): Node<K, V> {
    const size = sizeOf(left) + sizeOf(right) + 1;
    const weight = (left?.weight ?? 0) + (right?.weight ?? 0) + this.#order.weigh(key, value);
    return { key, value, left, right, size, weight };
  }
}

function sizeOf<K, V>(tree: Tree<K, V>): number {
  return tree === null ? 0 : tree.size;
}

function firstOf<K, V>(node: Node<K, V>): Node<K, V> {
  while (node.left !== null) node = node.left;
  return node;
}
