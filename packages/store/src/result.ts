/**
 * What became of a command: the results, and their form in the table and on the way.
 *
 * Some are kept with the number of the command, and given again to each copy of it: whatever the client may
 * act upon (`done`, `refused`, `aborted`, `cancelled`). The others say only that this copy was not executed.
 */

import { ByteReader, ByteWriter } from "@kith/paxos";
import { storeError } from "./errors.ts";
import type { Position } from "./position.ts";
import {
  type Descriptor,
  readDescriptor,
  readList,
  readState,
  type RegisterState,
  type TxName,
  writeDescriptor,
  writeList,
  writeState,
} from "./rows.ts";

/** What one operation did. */
export interface Outcome {
  /** The version that the key has now; of a deleted key that of the deletion, 0 where it was absent all along. */
  readonly version: number;
  /** What was there before; null where the key was absent. Not given by `add` and `append`. */
  readonly before?: Uint8Array | null | undefined;
  /** What is there now, given by `add`; by `append`, the length. */
  readonly after?: Uint8Array | undefined;
}

/** Why an operation was refused. */
export type RefusalReason =
  /** Its condition does not hold. */
  | "condition"
  /** The value is no integer. */
  | "not-an-integer"
  /** The sum has more than 64 bits. */
  | "overflow"
  /** The value would be longer than a value may be. */
  | "too-large";

/** The register of a transaction at a key. */
export interface Vote {
  readonly position: Position;
  readonly state: RegisterState;
}

/** A result. */
export type Result =
  // Kept with the command's number.
  | { readonly kind: "done"; readonly outcomes: readonly Outcome[] }
  /** Nothing of it was done: the operation at `at` could not be. `version` and `value` are what is there. */
  | {
      readonly kind: "refused";
      readonly at: number;
      readonly reason: RefusalReason;
      readonly version: number;
      readonly value: Uint8Array | null;
    }
  /** Nothing of it was done: what was read has changed, or another transaction has it. */
  | { readonly kind: "aborted"; readonly position: Position }
  | { readonly kind: "cancelled" }
  // Of transactions.
  | { readonly kind: "votes"; readonly votes: readonly Vote[] }
  /** The client has done with it: it is final everywhere. */
  | { readonly kind: "forgotten" }
  /** It was never prepared here, and will never be. */
  | { readonly kind: "no-session" }
  | { readonly kind: "finished" }
  /** The same, of a leader at whose line others wait. No machine says that. */
  | { readonly kind: "finished-awaited" }
  /** Another body has come under the same number: the client is wrong. */
  | { readonly kind: "mismatch" }
  // Of sessions.
  | {
      readonly kind: "opened";
      readonly index: number;
      readonly gid: string;
      readonly firstSeq: number;
      readonly ackedBelow: number;
      /** The group as it is now, and what it has given away: so that nothing of that is sent here. */
      readonly descriptors: readonly Descriptor[];
    }
  | { readonly kind: "forgot"; readonly ackedBelow: number }
  /** Whether the session has ended. */
  | { readonly kind: "session-expired"; readonly ended: boolean }
  // Of groups.
  | { readonly kind: "founded" }
  | { readonly kind: "expired"; readonly count: number }
  | { readonly kind: "split"; readonly left: Descriptor; readonly right: Descriptor }
  | { readonly kind: "epoch-mismatch"; readonly descriptor: Descriptor }
  // Not executed by this copy.
  | { readonly kind: "wrong-range"; readonly descriptors: readonly Descriptor[] }
  | {
      readonly kind: "locked";
      readonly position: Position;
      readonly by: TxName;
      readonly hint: string;
      readonly since: number;
    }
  | { readonly kind: "unknown-session" }
  | { readonly kind: "stale" }
  | { readonly kind: "busy" };

/** One kind of result. */
export type ResultOf<K extends Result["kind"]> = Extract<Result, { kind: K }>;

const kinds = [
  "done",
  "refused",
  "aborted",
  "cancelled",
  "votes",
  "forgotten",
  "no-session",
  "finished",
  "mismatch",
  "opened",
  "forgot",
  "session-expired",
  "founded",
  "expired",
  "split",
  "epoch-mismatch",
  "wrong-range",
  "locked",
  "unknown-session",
  "stale",
  "busy",
  "finished-awaited",
] as const satisfies readonly Result["kind"][];

const reasons: readonly RefusalReason[] = ["condition", "not-an-integer", "overflow", "too-large"];

/** The last result that was encoded: one that is kept is given back in the same moment. */
let last: { readonly result: Result; readonly bytes: Uint8Array } | null = null;

/** A result as bytes. */
export function encodeResult(result: Result): Uint8Array {
  if (last?.result !== result) last = { result, bytes: encoded(result) };
  return last.bytes;
}

function encoded(result: Result): Uint8Array {
  const writer = new ByteWriter().count(kinds.indexOf(result.kind));
  switch (result.kind) {
    case "done":
      writeList(writer, result.outcomes, ({ version, before, after }) => {
        writer.count(version);
        writeMaybe(writer, before);
        writeMaybe(writer, after);
      });
      break;
    case "refused":
      writer.count(result.at).count(reasons.indexOf(result.reason)).count(result.version);
      writeMaybe(writer, result.value);
      break;
    case "aborted":
      writer.octets(result.position);
      break;
    case "votes":
      writeList(writer, result.votes, ({ position, state }) =>
        writeState(writer.octets(position), state),
      );
      break;
    case "opened":
      writer.text(result.gid).count(result.index).count(result.firstSeq).count(result.ackedBelow);
      writeList(writer, result.descriptors, (one) => writeDescriptor(writer, one));
      break;
    case "forgot":
      writer.count(result.ackedBelow);
      break;
    case "session-expired":
      writer.count(result.ended ? 1 : 0);
      break;
    case "expired":
      writer.count(result.count);
      break;
    case "split":
      writeDescriptor(writeDescriptor(writer, result.left), result.right);
      break;
    case "epoch-mismatch":
      writeDescriptor(writer, result.descriptor);
      break;
    case "wrong-range":
      writeList(writer, result.descriptors, (one) => writeDescriptor(writer, one));
      break;
    case "locked":
      writer.octets(result.position).octets(result.by).text(result.hint).float(result.since);
      break;
    case "busy":
    case "cancelled":
    case "finished":
    case "finished-awaited":
    case "forgotten":
    case "founded":
    case "mismatch":
    case "no-session":
    case "stale":
    case "unknown-session":
      break;
  }
  return writer.done();
}

/** Reads what `encodeResult` wrote. @throws KithError `KITH_STORE_CORRUPT` */
export function decodeResult(bytes: Uint8Array): Result {
  const reader = new ByteReader(bytes);
  const kind = kinds[reader.count()];
  if (kind === undefined) throw storeError("KITH_STORE_CORRUPT", "A result is of no known kind.");
  switch (kind) {
    case "done":
      return {
        kind,
        outcomes: readList(reader, () => {
          const version = reader.count();
          const before = readMaybe(reader);
          const after = readMaybe(reader) ?? undefined;
          return {
            version,
            ...(before === undefined ? {} : { before }),
            ...(after === undefined ? {} : { after }),
          };
        }),
      };
    case "refused":
      return {
        kind,
        at: reader.count(),
        reason: reasons[reader.count()] ?? "condition",
        version: reader.count(),
        value: readMaybe(reader) ?? null,
      };
    case "aborted":
      return { kind, position: reader.octets() };
    case "votes":
      return {
        kind,
        votes: readList(reader, () => ({ position: reader.octets(), state: readState(reader) })),
      };
    case "opened":
      return {
        kind,
        gid: reader.text(),
        index: reader.count(),
        firstSeq: reader.count(),
        ackedBelow: reader.count(),
        descriptors: readList(reader, () => readDescriptor(reader)),
      };
    case "forgot":
      return { kind, ackedBelow: reader.count() };
    case "session-expired":
      return { kind, ended: reader.count() === 1 };
    case "expired":
      return { kind, count: reader.count() };
    case "split":
      return { kind, left: readDescriptor(reader), right: readDescriptor(reader) };
    case "epoch-mismatch":
      return { kind, descriptor: readDescriptor(reader) };
    case "wrong-range":
      return { kind, descriptors: readList(reader, () => readDescriptor(reader)) };
    case "locked":
      return {
        kind,
        position: reader.octets(),
        by: reader.octets(),
        hint: reader.text(),
        since: reader.float(),
      };
    case "busy":
    case "cancelled":
    case "finished":
    case "finished-awaited":
    case "forgotten":
    case "founded":
    case "mismatch":
    case "no-session":
    case "stale":
    case "unknown-session":
      return { kind };
  }
}

function writeMaybe(writer: ByteWriter, value: Uint8Array | null | undefined): void {
  if (value === undefined) writer.count(0);
  else if (value === null) writer.count(1);
  else writer.count(2).bytes(value);
}

function readMaybe(reader: ByteReader): Uint8Array | null | undefined {
  const kind = reader.count();
  return kind === 0 ? undefined : kind === 1 ? null : reader.bytes();
}
