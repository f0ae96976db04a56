/**
 * A checkpoint: what a frozen layer of memory means for the rows on disk, as a sequence of rows, so that
 * it can be written in slices while the components run.
 *
 * Each slice may be there or not after a crash: the journal of the layer is removed only after the last
 * one, and replaying it over some of the rows gives the same. Nothing sees the rows before that, for the
 * layer covers all that they change; the last slice, one transaction, makes them those of the namespaces.
 */

import type { Layer, NamespaceLayer } from "./layer.ts";
import { gone, noRows } from "./layer.ts";
import { visited } from "./reading.ts";
import type { Meta } from "./reading.ts";
import {
  type Row,
  rowOfKey,
  rowOfMeta,
  rowOfNoMeta,
  rowOfRecord,
  type TablesFile,
} from "./tables-file.ts";

/** How much is written at a time: short enough for the thread of the components. */
const sliceRows = 1024;
const sliceBytes = 1024 * 1024;

/** What a checkpoint will have done. */
export interface Outcome {
  /** The namespaces that it touches; null for those that are gone. */
  readonly metas: ReadonlyMap<string, Meta | null>;
  /** Identities whose rows nobody needs any more. */
  readonly garbage: readonly number[];
}

/** Decides under which identities the rows of a layer go. */
export function outcomeOf(layer: Layer, tables: TablesFile, newIdentity: () => number): Outcome {
  const metas = new Map<string, Meta | null>();
  const garbage: number[] = [];
  for (const [name, at] of layer.namespaces) {
    const before = tables.metas.get(name);
    const meta = at.exists ? metaOf(name, at, before, newIdentity) : null;
    metas.set(name, meta);
    garbage.push(...at.superseded);
    if (before === undefined) continue;
    for (const id of [before.keys, before.log]) {
      if (id !== meta?.keys && id !== meta?.log) garbage.push(id);
    }
  }
  return { metas, garbage };
}

function metaOf(
  name: string,
  at: NamespaceLayer,
  before: Meta | undefined,
  newIdentity: () => number,
): Meta {
  const kept = at.rows === null ? before?.keys : at.rows;
  return {
    name,
    keys: kept === undefined || kept === noRows ? newIdentity() : kept,
    log: before === undefined || at.logReset ? newIdentity() : before.log,
    first: at.first,
    last: at.last,
  };
}

/** All rows that a layer changes, but for those of the namespaces. */
export function* rowsOf(layer: Layer, { metas }: Outcome, tables: TablesFile): Generator<Row> {
  for (const [name, at] of layer.namespaces) {
    const meta = metas.get(name);
    if (meta === undefined || meta === null) continue;
    for (const range of at.ranges.all) yield* removed(tables.keyRows(meta.keys, range));
    for (const { key, value } of visited(at.keys, {}, false))
      yield rowOfKey(meta.keys, key, value === gone ? null : value);
    yield* removed(tables.strayRecords(meta.log, meta.first, meta.last));
    for (let index = at.log.first; index <= at.last; index++) {
      const record = at.log.at(index);
      if (record !== undefined) yield rowOfRecord(meta.log, index, record);
    }
  }
}

/** The rows of the namespaces, which end a checkpoint. */
export function* metaRowsOf({ metas }: Outcome): Generator<Row> {
  for (const [name, meta] of metas) yield meta === null ? rowOfNoMeta(name) : rowOfMeta(meta);
}

/** The rows of identities that nobody needs. */
export function* garbageRows(ids: readonly number[], tables: TablesFile): Generator<Row> {
  for (const id of ids) yield* removed(tables.allRows(id));
}

/** The next rows of a sequence, as many as are written at a time; none at its end. */
export function slice(rows: Iterator<Row>): Row[] {
  const taken: Row[] = [];
  for (let bytes = 0; taken.length < sliceRows && bytes < sliceBytes;) {
    const next = rows.next();
    if (next.done === true) break;
    taken.push(next.value);
    bytes += next.value.key.length + (next.value.value?.length ?? 0);
  }
  return taken;
}

function* removed(keys: Iterable<Buffer>): Generator<Row> {
  for (const key of keys) yield { key, value: null };
}
