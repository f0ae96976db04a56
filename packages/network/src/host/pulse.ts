/** What the time says of a connection: that it is silent, that nobody uses it, that a sign of life is due. Pure. */

import type { Call } from "./call.ts";
import type { Limits } from "./limits.ts";

/** What is to be done about a connection. */
export type Pulse = "silent" | "idle" | "beat" | "fine";

/** Looks at a connection that is up, and notes what has happened since it last did. */
export function pulse(call: Call, now: number, limits: Limits): Pulse {
  const { heartbeatMs, silenceMs, idleMs } = limits;
  const { link, wire } = call;
  if (call.heard) call.heardAt = now;
  if (call.spoke) call.spokeAt = now;
  if (call.used) call.usedAt = now;
  call.heard = call.spoke = call.used = false;
  if (link === null || wire === null) return "fine";
  // What is not read here is not heard.
  if (now - call.heardAt >= silenceMs && !call.paused) return "silent";
  // A process that only calls could not be reached any more: it goes by itself.
  const settled = link.queue.openLength === 0 && link.peer.port !== 0;
  if (idleMs > 0 && now - call.usedAt >= idleMs && settled) return "idle";
  return now - call.spokeAt >= heartbeatMs && wire.waiting === 0 ? "beat" : "fine";
}
