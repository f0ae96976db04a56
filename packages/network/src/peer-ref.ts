/**
 * Peer references: who a peer is, where its process listens, and which life of that process is meant.
 *
 * A process that starts again is another process, though it has the same address and identity: its
 * memory is gone. So every cached fact about a peer is kept by identity *and* incarnation, and a message
 * to an earlier incarnation is not delivered. All virtual peers of a process share its address and its
 * incarnation. One of them that ends and begins anew while its process goes on has lost its memory too: its
 * *rebirths* are counted, from 0 in each life of the process.
 */

import { setting, type Setting } from "@kith/core";
import { networkError } from "./errors.ts";

/** Who a peer is and where. Plain data: it travels in messages and stands in states. */
export interface PeerRef {
  /** The identity, a safe integer that is not negative: a point of the identifier space. */
  readonly peerId: number;
  /** The host name or address at which the peer's process listens; IPv6 without brackets. */
  readonly host: string;
  /** The port at which it listens, 0 to 65535; 0 for one that only calls. */
  readonly port: number;
  /**
   * Counts the lives of the peer's process, a safe integer that is not negative. Durable: flushed before
   * the first message leaves, never used twice.
   */
  readonly incarnation: number;
  /** How often the peer has begun anew within this life of its process, from 1; left out where it never has. */
  readonly rebirth?: number;
  /** What fails together with this peer: a process, a host, a zone. */
  readonly failureDomain?: string;
}

/**
 * The peer that a subtree speaks for, as text, given by the world and overridden for each virtual
 * peer; `parsePeer(this.setting(self))` reads it. Empty where nobody gave one.
 */
export const self: Setting<string> = setting.text("network.self", "");

const idMax = Number.MAX_SAFE_INTEGER;
const pattern =
  /^(\d{1,16})@(\[[0-9A-Fa-f:.%]+\]|[^\s[\]@:#/]+):(\d{1,5})#(\d{1,16})(?:\.(\d{1,16}))?(?:\/(\S+))?$/;

/** Whether two references name the same peer in the same life. Addresses and labels do not count. */
export function samePeer(a: PeerRef, b: PeerRef): boolean {
  return a.peerId === b.peerId && a.incarnation === b.incarnation && a.rebirth === b.rebirth;
}

/** The life of a peer that a reference names. */
export type Life = Pick<PeerRef, "incarnation" | "rebirth">;

/** Whether one life of a peer came after another. That the two are of one peer, the caller knows. */
export function isLater(one: Life, other: Life): boolean {
  const { incarnation, rebirth = 0 } = one;
  if (incarnation !== other.incarnation) return incarnation > other.incarnation;
  return rebirth > (other.rebirth ?? 0);
}

/** Whether one reference shows that the life which another names is over: by a later one of its process, or of that peer in it. */
export function outlives(one: PeerRef, other: PeerRef): boolean {
  const isOver =
    one.incarnation > other.incarnation || (one.peerId === other.peerId && isLater(one, other));
  return isOver && one.port === other.port && one.host === other.host;
}

/** The same peer in another life. */
export function inLife(peer: PeerRef, { incarnation, rebirth }: Life): PeerRef {
  const { peerId, host, port, failureDomain } = peer;
  return {
    peerId,
    host,
    port,
    incarnation,
    ...(rebirth === undefined ? {} : { rebirth }),
    ...(failureDomain === undefined ? {} : { failureDomain }),
  };
}

/**
 * The key under which a provider of Network hands on what is addressed to a peer, to whoever is connected with it: its identity, and
 * after a rebirth its life with it.
 */
export function peerKey({ peerId, rebirth }: PeerRef): number | string {
  return rebirth === undefined ? peerId : `${peerId}.${rebirth}`;
}

/** A life as text: `3`, and `3.1` after the first rebirth in it. */
export function formatLife({ incarnation, rebirth }: Life): string {
  return rebirth === undefined ? String(incarnation) : `${incarnation}.${rebirth}`;
}

/** Whether two references name peers of the same process in the same life. */
export function sameProcess(a: PeerRef, b: PeerRef): boolean {
  return a.port === b.port && a.incarnation === b.incarnation && a.host === b.host;
}

/** `host:port`, with brackets around an IPv6 address: what a connection is made to. */
export function addressOf(peer: PeerRef): string {
  return `${peer.host.includes(":") ? `[${peer.host}]` : peer.host}:${peer.port}`;
}

/** `host:port#incarnation`: names one life of a process, for tables of connections. */
export function processOf(peer: PeerRef): string {
  return `${addressOf(peer)}#${peer.incarnation}`;
}

/** The reference as text: `7@10.0.0.1:7000#3`, or `#3.1` after a rebirth, followed by `/domain` where it has a failure domain. */
export function formatPeer(peer: PeerRef): string {
  const domain = peer.failureDomain === undefined ? "" : `/${peer.failureDomain}`;
  return `${peer.peerId}@${addressOf(peer)}#${formatLife(peer)}${domain}`;
}

/**
 * Reads what `formatPeer` writes.
 *
 * @throws KithError `KITH_PEER_INVALID`
 */
export function parsePeer(text: string): PeerRef {
  const [, peerId, host = "", port, incarnation, rebirth, failureDomain] = pattern.exec(text) ?? [];
  const peer = {
    peerId: Number(peerId),
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port: Number(port),
    incarnation: Number(incarnation),
    ...(rebirth === undefined ? {} : { rebirth: Number(rebirth) }),
    ...(failureDomain === undefined ? {} : { failureDomain }),
  };
  if (!isPeer(peer)) throw networkError("KITH_PEER_INVALID", `"${text}" names no peer.`);
  return peer;
}

/**
 * Reads an address: `10.0.0.1:7000`, `[::1]:7000`.
 *
 * @throws KithError `KITH_PEER_INVALID`
 */
export function parseAddress(text: string): Pick<PeerRef, "host" | "port"> {
  try {
    const { host, port } = parsePeer(`0@${text}#0`);
    return { host, port };
  } catch (cause) {
    throw networkError(
      "KITH_PEER_INVALID",
      `"${text}" is no address of the form host:port.`,
      cause,
    );
  }
}

/** Whether a value is a peer reference in which every part is of its type and in its range. */
export function isPeer(value: unknown): value is PeerRef {
  if (typeof value !== "object" || value === null) return false;
  if (!("peerId" in value && "host" in value && "port" in value && "incarnation" in value))
    return false;
  return (
    isCount(value.peerId, idMax) &&
    typeof value.host === "string" &&
    value.host !== "" &&
    isCount(value.port, 65_535) &&
    isCount(value.incarnation, idMax) &&
    (!("rebirth" in value) ||
      value.rebirth === undefined ||
      (isCount(value.rebirth, idMax) && value.rebirth !== 0)) &&
    (!("failureDomain" in value) ||
      value.failureDomain === undefined ||
      typeof value.failureDomain === "string")
  );
}

function isCount(value: unknown, max: number): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max;
}
