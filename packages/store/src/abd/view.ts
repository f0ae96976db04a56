/**
 * Views: who has a range of the keys, and since which change of that (Arad, Shafaat and Haridi, "CATS: Linearizability
 * and partition tolerance in scalable and self-organizing key-value stores", 2012; algorithms.md §6.2).
 *
 * The views of a range are a chain: what follows a view is decided once, by its members.
 */

import { ByteReader, ByteWriter, type PeerAddress } from "@kith/paxos";
import { storeError } from "../errors.ts";
import { covers, type Position, type Range } from "../position.ts";
import { readList, writeList } from "../rows.ts";

/** Who has a range. Plain data. */
export interface View extends Range {
  /** Names the chain. */
  readonly rid: string;
  /** The place in the chain, from 1 on. */
  readonly version: number;
  readonly members: readonly PeerAddress[];
  /** What was split off this chain, as it was then: so that who finds this view finds those too. None by default. */
  readonly halves?: readonly View[];
}

/** What is to follow a view. */
export type ViewChange =
  /** Others have the range: as many as before. */
  | { readonly kind: "replace"; readonly members: readonly PeerAddress[] }
  /** The same members have it in two parts. */
  | { readonly kind: "split"; readonly at: Position };

/** Names a view. */
export function viewName({ rid, version }: Pick<View, "rid" | "version">): string {
  return `${rid}@${version}`;
}

/** How many members have to answer, so that any two who hear so many share one of them. */
export function majorityOf({ members }: View): number {
  return Math.floor(members.length / 2) + 1;
}

/** Whether a peer is a member. */
export function isMember({ members }: View, peerId: number): boolean {
  return members.some((one) => one.peerId === peerId);
}

/** The views that follow. @throws KithError `KITH_STORE_ARGUMENT` for a change that cannot follow this view */
export function followersOf(view: View, change: ViewChange): View[] {
  const { rid, version, lo, hi, members, halves = [] } = view;
  if (change.kind === "split") {
    if (change.at <= lo || !covers(view, change.at))
      throw storeError("KITH_STORE_ARGUMENT", `A split of ${viewName(view)} lies outside of it.`);
    const half = { rid: `${rid}/${version}`, version: 1, lo: change.at, hi, members };
    return [
      { rid, version: version + 1, lo, hi: change.at, members, halves: [...halves, half] },
      half,
    ];
  }
  const ids = new Set(change.members.map(({ peerId }) => peerId));
  if (ids.size !== members.length || change.members.length !== members.length)
    throw storeError(
      "KITH_STORE_ARGUMENT",
      `${viewName(view)} has ${members.length} members, and ${ids.size} others were to follow.`,
    );
  return [{ rid, version: version + 1, lo, hi, members: change.members, halves }];
}

/** Of the views of a position the newest; undefined where none is known. */
export function viewAt(views: Iterable<View>, position: Position): View | undefined {
  let found: View | undefined;
  for (const view of views)
    // What has been split off begins later than what it was split from, which is older than its second view.
    if (covers(view, position) && (found === undefined || view.lo > found.lo)) found = view;
  return found;
}

/** Takes note of a view, and of what was split off it, unless newer ones are known. */
export function noteView(views: Map<string, View>, view: View): void {
  for (const one of [view, ...(view.halves ?? [])]) {
    const known = views.get(one.rid);
    if (known === undefined || known.version < one.version) views.set(one.rid, one);
  }
}

/** Views as bytes. */
export function encodeViews(views: readonly View[]): Uint8Array {
  const writer = new ByteWriter();
  writeList(writer, views, (view) => writeView(writer, view));
  return writer.done();
}

/** Reads what `encodeViews` wrote. @throws KithError `KITH_PAXOS_CORRUPT` */
export function decodeViews(bytes: Uint8Array): View[] {
  const reader = new ByteReader(bytes);
  return readList(reader, () => readView(reader));
}

function writeView(writer: ByteWriter, { rid, version, lo, hi, members, halves = [] }: View): void {
  writer.text(rid).count(version).octets(lo);
  if (hi === null) writer.count(0);
  else writer.count(1).octets(hi);
  writeList(writer, members, ({ peerId, host, port }) =>
    writer.count(peerId).text(host).count(port),
  );
  writeList(writer, halves, (half) => writeView(writer, half));
}

function readView(reader: ByteReader): View {
  const rid = reader.text();
  const version = reader.count();
  const lo = reader.octets();
  const hi = reader.count() === 0 ? null : reader.octets();
  const members = readList(reader, () => ({
    peerId: reader.count(),
    host: reader.text(),
    port: reader.count(),
  }));
  return { rid, version, lo, hi, members, halves: readList(reader, () => readView(reader)) };
}
