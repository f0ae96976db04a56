/**
 * A map that mostly has few entries, of which there are many: the timers of a component, its children. Up to eight stand in a list
 * and are searched; an empty one costs no more than itself, where a `Map` costs two hundred bytes. With more it is a `Map`.
 *
 * Invariant: entries stand in the order in which they were added, as in a `Map`.
 */

const most = 8;
const nothing: unknown[] = [];

/** Keys are compared as a `Map` does. */
export class Few<K, V> {
  /** How many entries it has. */
  size = 0;
  /** Keys and values in turn; behind the last one, nothing. */
  private list: unknown[] = nothing;
  private map: Map<K, V> | null = null;

  constructor(entries: Iterable<readonly [K, V]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get(key: K): V | undefined {
    if (this.map !== null) return this.map.get(key);
    const at = this.find(key);
    return at < 0 ? undefined : (this.list[at + 1] as V);
  }

  has(key: K): boolean {
    return this.map === null ? this.find(key) >= 0 : this.map.has(key);
  }

  set(key: K, value: V): this {
    if (this.map === null) {
      const at = this.find(key);
      if (at >= 0) {
        this.list[at + 1] = value;
        return this;
      }
      const { list, size } = this;
      if (size === most) {
        this.map = new Map(this);
        this.list = nothing;
      } else {
        if (list.length === 2 * size) this.grow();
        this.list[2 * size] = key;
        this.list[2 * size + 1] = value;
        this.size++;
        return this;
      }
    }
    this.map.set(key, value);
    this.size = this.map.size;
    return this;
  }

  delete(key: K): boolean {
    if (this.map !== null) {
      const deleted = this.map.delete(key);
      this.size = this.map.size;
      return deleted;
    }
    const at = this.find(key);
    if (at < 0) return false;
    const { list } = this;
    const end = 2 * --this.size;
    for (let i = at; i < end; i++) list[i] = list[i + 2];
    list[end] = list[end + 1] = undefined;
    return true;
  }

  clear(): void {
    this.size = 0;
    this.list = nothing;
    this.map = null;
  }

  /** The values as they are now. */
  values(): V[] {
    if (this.map !== null) return [...this.map.values()];
    const values: V[] = [];
    for (let i = 1; i < 2 * this.size; i += 2) values.push(this.list[i] as V);
    return values;
  }

  *[Symbol.iterator](): Iterator<[K, V]> {
    if (this.map !== null) yield* this.map;
    else
      for (let i = 0; i < 2 * this.size; i += 2) yield [this.list[i] as K, this.list[i + 1] as V];
  }

  private find(key: K): number {
    const { list } = this;
    const end = 2 * this.size;
    for (let i = 0; i < end; i += 2) if (list[i] === key || Object.is(list[i], key)) return i;
    return -1;
  }

  private grow(): void {
    const wide: unknown[] = new Array(Math.max(4, 4 * this.size)).fill(undefined);
    for (let i = 0; i < 2 * this.size; i++) wide[i] = this.list[i];
    this.list = wide;
  }
}
