/**
 * What a process knows of its way to one other process: the connection, if there is one, the calls that may
 * become one, what waits, and when it may be tried again.
 */

import { addressOf, type PeerRef, processOf } from "../peer-ref.ts";
import type { Call } from "./call.ts";
import { type QueueLimits, SendQueue } from "./send-queue.ts";

/**
 * By which name a process is known: its address; where it has none because it only calls, also its
 * incarnation. Two that only call need hosts of their own, or they are taken for one.
 */
export function processName(peer: PeerRef): string {
  return peer.port === 0 ? processOf(peer) : addressOf(peer);
}

/** For how long failures are remembered after the pause that they have caused. */
const forgetMs = 60_000;

/** The way to one process. */
export class Link {
  readonly name: string;
  /** The process's peer where a connection was; else the first receiver of a message. */
  peer: PeerRef;
  readonly queue: SendQueue;
  /** The connection. */
  call: Call | null = null;
  /** The call that this side has made. */
  dial: Call | null = null;
  /** The call of the other side that waits for the end of `dial`. */
  parked: Call | null = null;
  /** The connection that this side has said goodbye on. */
  leaving: Call | null = null;
  /** The latest life of the process that was connected; 0 where none was. */
  life = 0;
  /** What was last complained of, a close code or like one, since it was connected; 0 for nothing. */
  blamed = 0;
  /** How many attempts have failed in a row. */
  failures = 0;
  /** Until when no call may be made. */
  notBefore = 0;
  /** Whether a flush is due. */
  flushing = false;

  constructor(peer: PeerRef, limits: QueueLimits) {
    this.name = processName(peer);
    this.peer = peer;
    this.queue = new SendQueue(limits);
  }

  /** Whether nothing is known that would be worth keeping. Failures are, for a while: the pauses grow with them. */
  idle(now: number): boolean {
    const known = this.failures > 0 && this.peer.port !== 0 ? forgetMs : 0;
    return (
      this.call === null &&
      this.dial === null &&
      this.parked === null &&
      this.leaving === null &&
      this.queue.length === 0 &&
      now >= this.notBefore + known
    );
  }
}
