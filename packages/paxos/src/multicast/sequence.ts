/**
 * The machine of a multicast group: its log is the order of messages and views (total order from a replicated group).
 *
 * - A place is given once, and places have no gap.
 * - A member is removed by an entry of the log, so that all agree which of its messages came before that.
 * - The messages of a member are numbered from 1 on; a number is placed once, and after the one before it. A copy of
 *   anything that was done, or is outdated, changes nothing.
 *
 * The last entries are kept in the table for members that have missed some.
 */

import { isLater } from "@kith/network";
import { ByteReader, ByteWriter } from "../bytes.ts";
import type { Applying, Machine, Querying, TableReader, TableWriter } from "../machine.ts";
import type { MulticastView, Participant } from "./port.ts";

/** What stands at a place of the sequence. */
export type Placed = { readonly place: number } & (
  | { readonly kind: "view"; readonly view: MulticastView }
  | {
      readonly kind: "message";
      readonly from: Participant;
      /** The sender's number of it. */
      readonly number: number;
      readonly payload: Uint8Array;
    }
);

/** A command. */
export type SequenceCommand =
  | { readonly kind: "join"; readonly member: Participant }
  | { readonly kind: "leave"; readonly member: Participant }
  | {
      readonly kind: "send";
      readonly member: Participant;
      /** The number of the first message. */
      readonly first: number;
      readonly payloads: readonly Uint8Array[];
    };

/** What a command or a query has found. */
export interface Sequel {
  /** Whether the command's member is one, after it. */
  readonly isMember: boolean;
  /** The first place that is kept, and the one that comes next. */
  readonly first: number;
  readonly next: number;
  readonly placed: readonly Placed[];
}

interface MemberState {
  readonly member: Participant;
  /** The number of its last message. */
  sent: number;
}

interface State {
  next: number;
  first: number;
  view: number;
  members: MemberState[];
}

const kinds = ["join", "leave", "send"] as const;
const stateKey = "s";
const entryPrefix = "e";
const lastPrefix = "p";
const bytesMax = 256 * 1024;

/** The machine. `keep`: how many places are kept for those who have missed some. */
export function multicastSequence(keep = 4096): Machine {
  return {
    versions: [1],
    apply: (applying) => apply(applying, keep),
    query,
  };
}

/** A command as bytes. */
export function sequenceCommand(command: SequenceCommand): Uint8Array {
  const writer = new ByteWriter().count(kinds.indexOf(command.kind));
  writeMember(writer, command.member);
  if (command.kind !== "send") return writer.done();
  writer.count(command.first).count(command.payloads.length);
  for (const payload of command.payloads) writer.bytes(payload);
  return writer.done();
}

/** A command out of its bytes; null where these are none: whoever has sent them must not stop the group. */
function readCommand(bytes: Uint8Array): SequenceCommand | null {
  try {
    const reader = new ByteReader(bytes);
    const kind = kinds[reader.count()];
    if (kind === undefined) return null;
    const member = readMember(reader);
    if (kind !== "send") return { kind, member };
    const first = reader.count();
    return {
      kind,
      member,
      first,
      payloads: Array.from({ length: reader.count() }, () => reader.bytes()),
    };
  } catch {
    return null;
  }
}

/** The query for what stands from a place on. */
export function sequenceQuery(from: number): Uint8Array {
  return new ByteWriter().count(from).done();
}

/** Reads what the machine answers. @throws KithError `KITH_PAXOS_CORRUPT` */
export function readSequel(bytes: Uint8Array): Sequel {
  const reader = new ByteReader(bytes);
  const isMember = reader.count() === 1;
  const first = reader.count();
  const next = reader.count();
  const placed = Array.from({ length: reader.count() }, () => readPlaced(reader));
  return { isMember, first, next, placed };
}

/** Whether two participants are the same. */
export function sameParticipant(a: Participant, b: Participant): boolean {
  return a.peerId === b.peerId && compareLives(a, b) === 0;
}

function apply({ command, table }: Applying, keep: number): Uint8Array {
  const asked = readCommand(command);
  const state = readState(table);
  const placed: Placed[] = [];
  if (asked === null)
    return writeSequel({ isMember: false, first: state.first, next: state.next, placed });
  const { kind, member } = asked;
  const put = (one: Placed): void => {
    placed.push(one);
    const writer = new ByteWriter();
    writePlaced(writer, one);
    table.put(entryKey(one.place), writer.done());
  };
  const place = (): number => state.next++;
  const change = (members: MemberState[]): void => {
    state.members = members;
    state.view++;
    const view = { number: state.view, members: members.map((one) => one.member) };
    put({ place: place(), kind: "view", view });
  };
  const known = state.members.find((one) => sameParticipant(one.member, member));
  const others = state.members.filter((one) => one.member.peerId !== member.peerId);
  if (kind === "join") {
    // Who has joined later, or has left since, is not brought back by a late copy.
    const last = readLast(table, member.peerId);
    if (last === null || compareLives(last, member) < 0) {
      writeLast(table, member);
      change([...others, { member, sent: 0 }]);
    }
  } else if (kind === "leave") {
    if (known !== undefined) change(state.members.filter((one) => one !== known));
  } else if (known !== undefined) {
    const { first, payloads } = asked;
    for (const [i, payload] of payloads.entries()) {
      if (first + i !== known.sent + 1) continue;
      known.sent++;
      put({ place: place(), kind: "message", from: member, number: known.sent, payload });
    }
  }
  for (; state.next - state.first > keep; state.first++) table.delete(entryKey(state.first));
  if (placed.length > 0) writeState(table, state);
  const isMember = state.members.some((one) => sameParticipant(one.member, member));
  return writeSequel({ isMember, first: state.first, next: state.next, placed });
}

function query({ query: asked, table }: Querying): Uint8Array {
  const from = new ByteReader(asked).count();
  const { first, next } = readState(table);
  const placed: Placed[] = [];
  let bytes = 0;
  for (let place = Math.max(from, first); place < next && bytes < bytesMax; place++) {
    const saved = table.get(entryKey(place));
    if (saved === undefined) break;
    bytes += saved.length;
    placed.push(readPlaced(new ByteReader(saved)));
  }
  return writeSequel({ isMember: false, first, next, placed });
}

function writeSequel({ isMember, first, next, placed }: Sequel): Uint8Array {
  const writer = new ByteWriter().count(isMember ? 1 : 0);
  writer.count(first).count(next).count(placed.length);
  for (const one of placed) writePlaced(writer, one);
  return writer.done();
}

/** Lives of one peer, and how often they joined. */
function compareLives(a: Participant, b: Participant): number {
  if (isLater(a, b)) return 1;
  return isLater(b, a) ? -1 : a.joined - b.joined;
}

// --- the table -----------------------------------------------------------------------------------

function entryKey(place: number): string {
  // In the order of the places; a safe integer has fourteen digits of this base at most.
  return entryPrefix + place.toString(16).padStart(14, "0");
}

function readState(table: TableReader): State {
  const saved = table.get(stateKey);
  if (saved === undefined) return { next: 1, first: 1, view: 0, members: [] };
  const reader = new ByteReader(saved);
  const next = reader.count();
  const first = reader.count();
  const view = reader.count();
  const members = Array.from({ length: reader.count() }, () => {
    const member = readMember(reader);
    return { member, sent: reader.count() };
  });
  return { next, first, view, members };
}

function writeState(table: TableWriter, { next, first, view, members }: State): void {
  const writer = new ByteWriter().count(next).count(first).count(view).count(members.length);
  for (const { member, sent } of members) {
    writeMember(writer, member);
    writer.count(sent);
  }
  table.put(stateKey, writer.done());
}

function readLast(table: TableReader, peerId: number): Participant | null {
  const saved = table.get(lastPrefix + peerId.toString(16));
  return saved === undefined ? null : readMember(new ByteReader(saved));
}

function writeLast(table: TableWriter, member: Participant): void {
  const writer = new ByteWriter();
  writeMember(writer, member);
  table.put(lastPrefix + member.peerId.toString(16), writer.done());
}

function writeMember(writer: ByteWriter, member: Participant): void {
  const { peerId, incarnation, rebirth = 0, joined } = member;
  writer.count(peerId).count(incarnation).count(rebirth).count(joined);
}

function readMember(reader: ByteReader): Participant {
  const peerId = reader.count();
  const incarnation = reader.count();
  const rebirth = reader.count();
  const joined = reader.count();
  return { peerId, incarnation, ...(rebirth === 0 ? {} : { rebirth }), joined };
}

function writePlaced(writer: ByteWriter, one: Placed): void {
  writer.count(one.place);
  if (one.kind === "view") {
    writer.count(0).count(one.view.number).count(one.view.members.length);
    for (const member of one.view.members) writeMember(writer, member);
  } else {
    writer.count(1);
    writeMember(writer, one.from);
    writer.count(one.number).bytes(one.payload);
  }
}

function readPlaced(reader: ByteReader): Placed {
  const place = reader.count();
  if (reader.count() === 0) {
    const number = reader.count();
    const members = Array.from({ length: reader.count() }, () => readMember(reader));
    return { place, kind: "view", view: { number, members } };
  }
  const from = readMember(reader);
  const number = reader.count();
  return { place, kind: "message", from, number, payload: reader.bytes() };
}
