/** How a provider of Storage answers reads at once, from what can be read without waiting. */

import type { ProvidedPort } from "@kith/core";
import type { Problem } from "./checks.ts";
import type { Entry, KeyRange } from "./operation.ts";
import {
  CloseView,
  Entries,
  KeyValue,
  ListNamespaces,
  LogBounds,
  LogRecords,
  Namespaces,
  OpenView,
  ReadBounds,
  ReadKey,
  ReadLog,
  Scan,
  type Storage,
  StorageFailed,
  ViewOpened,
} from "./port.ts";

/** Which part of a log is read. */
export interface LogRange {
  readonly namespace: string;
  readonly from: number;
  readonly to?: number;
  readonly bytesMax?: number;
  readonly view?: number;
}

/** Which keys are scanned. */
export interface ScanRange extends KeyRange {
  readonly namespace: string;
  readonly reverse?: boolean;
  readonly limit?: number;
  readonly bytesMax?: number;
  readonly view?: number;
}

/** What can be read; what is handed out belongs to whoever asked. */
export interface Readable {
  names(): readonly string[];
  bounds(
    namespace: string,
    view?: number,
  ): { readonly first: number; readonly last: number } | Problem;
  records(
    range: LogRange,
  ):
    | { readonly from: number; readonly records: readonly Uint8Array[]; readonly more: boolean }
    | Problem;
  value(
    namespace: string,
    key: Uint8Array,
    view?: number,
  ): { readonly value: Uint8Array | null } | Problem;
  scan(range: ScanRange): { readonly entries: readonly Entry[]; readonly more: boolean } | Problem;
  openView(namespace: string): { readonly view: number } | Problem;
  closeView(view: number): void;
}

/**
 * Answers all reads of a port.
 *
 * @param source what is read, or why nothing can be
 */
export function answerReads(
  storage: ProvidedPort<typeof Storage>,
  source: () => Readable | Problem,
): void {
  const read = <T>(action: (from: Readable) => T | Problem): T | Problem => {
    const from = source();
    return "code" in from ? from : action(from);
  };
  storage.on(ReadBounds, ({ namespace, view }, token) => {
    const found = read((from) => from.bounds(namespace, view));
    storage.reply(token, "code" in found ? new StorageFailed(found) : new LogBounds(found));
  });
  storage.on(ReadLog, (request, token) => {
    const found = read((from) => from.records(request));
    storage.reply(token, "code" in found ? new StorageFailed(found) : new LogRecords(found));
  });
  storage.on(ReadKey, ({ namespace, key, view }, token) => {
    const found = read((from) => from.value(namespace, key, view));
    storage.reply(token, "code" in found ? new StorageFailed(found) : new KeyValue(found));
  });
  storage.on(Scan, (request, token) => {
    const found = read((from) => from.scan(request));
    storage.reply(token, "code" in found ? new StorageFailed(found) : new Entries(found));
  });
  storage.on(ListNamespaces, (_, token) => {
    const found = read((from) => ({ names: from.names() }));
    storage.reply(token, "code" in found ? new StorageFailed(found) : new Namespaces(found));
  });
  storage.on(OpenView, ({ namespace }, token) => {
    const opened = read((from) => from.openView(namespace));
    storage.reply(token, "code" in opened ? new StorageFailed(opened) : new ViewOpened(opened));
  });
  storage.on(CloseView, ({ view }) => {
    const from = source();
    if (!("code" in from)) from.closeView(view);
  });
}
