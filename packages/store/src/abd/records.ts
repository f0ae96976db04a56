/** What a member keeps on its disk: a row for each view, handover, decision, chain that is past, and key. */

import { streamKey } from "@kith/core";
import { bytesText, ByteReader, ByteWriter, octetBytes, textBytes } from "@kith/paxos";
import { type Instance, putInstance, readRows } from "@kith/paxos/decide";
import type { Entry, Operation } from "@kith/storage";
import { storeError } from "../errors.ts";
import type { Position } from "../position.ts";
import type { Installed, Remembered, Replica, RowName } from "./replica.ts";
import { readStamped, type Stamped, writeStamped } from "./stamp.ts";
import { decodeViews, encodeViews, type View, viewName } from "./view.ts";

const lifeKey = textBytes("life");
/** A longer position lies under a hash: a key of a Storage has 1,024 bytes at most. */
const positionMax = 900;

/** Says that so many lives have begun. */
export function putLife(life: number): Operation {
  return { kind: "put", key: lifeKey, value: new ByteWriter().count(life).done() };
}

/** A row as it is now. */
export function rowOperation(state: Replica, row: RowName): Operation {
  const name = row.slice(1);
  switch (row.charAt(0)) {
    case "v": {
      const one = [...state.views.values()].find(({ view }) => viewName(view) === name);
      return put(row, one === undefined ? null : encodeInstalled(one));
    }
    case "h": {
      const one = state.handovers.get(name);
      const views = one === undefined ? null : encodeViews([one.view, ...one.next]);
      return put(row, views);
    }
    case "d": {
      const instance = state.deciders.get(name)?.instances.get(name);
      return put(row, instance === undefined ? null : decisionBytes(name, instance));
    }
    case "p":
      return put(
        row,
        new ByteWriter()
          .count(state.past.get(name) ?? 0)
          .bytes(encodeViews(hintsOf(state, name)))
          .done(),
      );
    default: {
      const has = state.data.get(name);
      const key = positionKey(name);
      return has === undefined
        ? { kind: "delete", key }
        : { kind: "put", key, value: encodeKey(name, has) };
    }
  }
}

/** What the rows of earlier lives say. @throws KithError `KITH_STORE_CORRUPT`, `KITH_PAXOS_CORRUPT` */
export function remember(rows: readonly Entry[]): Remembered & { readonly lives: number } {
  const views: Installed[] = [];
  const handovers: Remembered["handovers"][number][] = [];
  const decisions: [string, Instance][] = [];
  const past: [string, number][] = [];
  const hints: View[] = [];
  const data = new Map<Position, Stamped>();
  let lives = 0;
  for (const { key, value } of rows) {
    const kind = String.fromCharCode(key[0] ?? 0);
    const name = bytesText(key.subarray(1));
    if (kind === "l") lives = new ByteReader(value).count();
    else if (kind === "v") views.push(decodeInstalled(value));
    else if (kind === "h") {
      const [view, ...next] = decodeViews(value);
      if (view !== undefined) handovers.push({ view, next });
    } else if (kind === "d") {
      const instance = readRows([{ key: textBytes(`i/${name}`), value }]).instances.get(name);
      if (instance !== undefined) decisions.push([name, instance]);
    } else if (kind === "p") {
      const reader = new ByteReader(value);
      past.push([name, reader.count()]);
      hints.push(...decodeViews(reader.bytes()));
    } else if (kind === "k") {
      const reader = new ByteReader(value);
      data.set(reader.octets(), readStamped(reader));
    } else throw storeError("KITH_STORE_CORRUPT", `A row begins with ${kind}.`);
  }
  return { views, handovers, decisions, past, hints, data, lives };
}

function hintsOf({ hints }: Replica, rid: string): View[] {
  const view = hints.get(rid);
  return view === undefined ? [] : [view];
}

function put(row: string, value: Uint8Array | null): Operation {
  const key = textBytes(row);
  return value === null ? { kind: "delete", key } : { kind: "put", key, value };
}

function decisionBytes(name: string, instance: Instance): Uint8Array | null {
  const operation = putInstance(name, instance);
  return operation.kind === "put" ? operation.value : null;
}

function positionKey(position: Position): Uint8Array {
  if (position.length <= positionMax) return octetBytes(`k${position}`);
  const [a, b] = [streamKey(position), streamKey("long", position)];
  const hash = [a.high, a.low, b.high, b.low].map((word) => word.toString(16)).join(".");
  return octetBytes(`k${position.slice(0, positionMax)}${hash}`);
}

function encodeKey(position: Position, has: Stamped): Uint8Array {
  const writer = new ByteWriter().octets(position);
  writeStamped(writer, has);
  return writer.done();
}

function encodeInstalled({ view, active, before, next }: Installed): Uint8Array {
  return new ByteWriter()
    .count(active ? 1 : 0)
    .bytes(encodeViews([view]))
    .bytes(encodeViews(before === null ? [] : [before]))
    .count(next === null ? 0 : 1)
    .bytes(encodeViews(next ?? []))
    .done();
}

function decodeInstalled(bytes: Uint8Array): Installed {
  const reader = new ByteReader(bytes);
  const active = reader.count() === 1;
  const [view] = decodeViews(reader.bytes());
  const [before = null] = decodeViews(reader.bytes());
  const decided = reader.count() === 1;
  const next = decodeViews(reader.bytes());
  if (view === undefined) throw storeError("KITH_STORE_CORRUPT", "A row names no view.");
  return { view, active, before, next: decided ? next : null };
}
