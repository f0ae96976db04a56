/**
 * Why a connection ends, as both sides say it to each other: a code of the WebSocket close frame, and what
 * it means for those who use the Network.
 *
 * The codes are part of the protocol: a later version may add some, and must not change one. Text that
 * comes from the other side is shown, never acted upon.
 */

import type { ConnectionDownReason } from "../port.ts";

/** Codes from 4000 on are a program's own (RFC 6455, section 7.4.2). */
export const farewell = {
  stopped: 4000,
  idle: 4001,
  duplicate: 4002,
  silent: 4003,
  replaced: 4004,
  restarted: 4005,
  malformed: 4100,
  slow: 4101,
  version: 4102,
  cluster: 4103,
  secret: 4104,
  codec: 4105,
  address: 4106,
  oneself: 4107,
  superseded: 4108,
  connections: 4109,
  callers: 4110,
  flooded: 4111,
} as const;

/** One of the codes. */
export type FarewellCode = (typeof farewell)[keyof typeof farewell];

/** What a code says to a person; the end of a sentence that begins with the peer. */
export const farewellTexts: Readonly<Record<FarewellCode, string>> = {
  [farewell.stopped]: "the process stops",
  [farewell.idle]: "nobody used the connection",
  [farewell.duplicate]: "there is another connection between the two",
  [farewell.silent]: "nothing was heard for too long",
  [farewell.replaced]: "a newer connection takes its place",
  [farewell.restarted]: "the process has a new life",
  [farewell.malformed]: "a frame is malformed",
  [farewell.slow]: "the handshake took too long",
  [farewell.version]: "the other side speaks another version of the protocol",
  [farewell.cluster]: "the other side belongs to another cluster",
  [farewell.secret]: "the other side did not prove that it knows the cluster's secret",
  [farewell.codec]: "the other side uses another codec",
  [farewell.address]: "another peer was called",
  [farewell.oneself]: "the process called itself",
  [farewell.superseded]: "a later life of the caller is known",
  [farewell.connections]: "there are too many connections",
  [farewell.callers]: "there are too many callers that have not said who they are",
  [farewell.flooded]: "more came than can be dealt with, and it could not be kept from coming",
};

/** What users are told of a connection that was up. */
export function downReason(code: number): ConnectionDownReason {
  if (code === farewell.stopped || code === farewell.idle || code === 1000 || code === 1001)
    return "closed";
  if (code === farewell.restarted) return "restarted";
  // 1002 to 1009: what the WebSocket itself says of frames that it cannot take.
  if (
    code === farewell.malformed ||
    (code >= 1002 && code <= 1009 && code !== 1006 && code !== 1005)
  )
    return "malformed";
  return "lost";
}

/**
 * What a log complains of once, for as long as it lasts: that a process cannot be reached, however that shows,
 * or for what it refuses or is refused.
 */
export function grievance(code: number): number {
  return code > farewell.slow || code === farewell.malformed ? code : 1006;
}

/** Text of the other side, fit for a log: short, and of printable ASCII. */
export function printable(text: string): string {
  return text.slice(0, 200).replaceAll(/[^\x20-\x7e]/g, "?");
}

/** A reason as the close frame may carry it: 123 bytes at most. */
export function reasonOf(code: FarewellCode, detail = ""): string {
  const text = farewellTexts[code];
  return printable(detail === "" ? text : `${text}: ${detail}`).slice(0, 123);
}
