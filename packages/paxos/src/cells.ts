/**
 * The cells of a table: values by key, and the keys in order.
 *
 * A map finds a value; the keys lie in blocks of bounded size beside it, so that a range costs what it holds and
 * not what the table holds. Invariants: keys ascend within a block and from block to block, no block is empty, and the
 * blocks have exactly the keys of the map. Plain data; changed only by the functions of this file.
 */

/** Cells. Plain data. */
export interface Cells {
  readonly values: Map<string, Uint8Array>;
  readonly blocks: string[][];
}

const blockMax = 512;

/** No cells. */
export function noCells(): Cells {
  return { values: new Map(), blocks: [] };
}

/** Sets a value. @returns whether the cell is new */
export function setCell({ values, blocks }: Cells, key: string, value: Uint8Array): boolean {
  const before = values.size;
  values.set(key, value);
  if (values.size === before) return false;
  insert(blocks, key);
  return true;
}

/** Removes a cell. */
export function deleteCell({ values, blocks }: Cells, key: string): void {
  if (!values.delete(key)) return;
  const index = blockOf(blocks, key);
  const block = blocks[index];
  if (block === undefined) return;
  block.splice(lowerBound(block, key), 1);
  if (block.length === 0) blocks.splice(index, 1);
}

/**
 * Visits the keys from `from` (included) to `to` (not included), in order. The cells are not changed meanwhile.
 *
 * @param visit returns false to stop
 */
export function visitKeys(
  { blocks }: Cells,
  from: string,
  to: string | undefined,
  visit: (key: string) => boolean,
): void {
  let index = blockOf(blocks, from);
  let at = lowerBound(blocks[index] ?? [], from);
  for (; index < blocks.length; index++, at = 0) {
    const block = blocks[index] ?? [];
    for (; at < block.length; at++) {
      const key = block[at] ?? "";
      if ((to !== undefined && key >= to) || !visit(key)) return;
    }
  }
}

function insert(blocks: string[][], key: string): void {
  const index = blockOf(blocks, key);
  const block = blocks[index];
  if (block === undefined) {
    blocks.push([key]);
    return;
  }
  const at = lowerBound(block, key);
  block.splice(at, 0, key);
  if (block.length <= blockMax) return;
  // What grows at the end, as while a table is read, leaves a full block behind.
  const middle = at === block.length - 1 ? at : block.length >>> 1;
  blocks.splice(index + 1, 0, block.splice(middle));
}

/** The block in which a key is, or would be: the last one that begins at or below it. */
function blockOf(blocks: readonly (readonly string[])[], key: string): number {
  let low = 0;
  let high = blocks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((blocks[middle]?.[0] ?? "") <= key) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The index of the first key that is not below the given one. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
