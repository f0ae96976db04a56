/** How much a client may ask for: every buffer and queue of the Redis port has its bound here. */

import { gatewayError } from "./errors.ts";

/** The bounds, each with what raising it costs. */
export interface GatewayLimits {
  /** Clients at a time; one more gets an error and is hung up on. Each costs some kilobytes. */
  readonly clientsMax: number;
  /** Arguments of a command, its name among them. */
  readonly argumentsMax: number;
  /** Bytes of a command: a client can make the gateway hold so many before anything is done. */
  readonly requestBytesMax: number;
  /** Bytes of a command on one line, and of each length that a command names. */
  readonly lineBytesMax: number;
  /** Commands of one client whose replies are not sent; beyond, nothing more is read from it until some are. */
  readonly pendingMax: number;
  /** Commands that wait between `MULTI` and `EXEC`. */
  readonly queuedMax: number;
  /** Bytes of replies that a client has not read: beyond this, looks are refused, and who writes is hung up on. A quarter of it stops reading. */
  readonly outputBytesMax: number;
  /** Requests to the store at a time; others wait their turn. More than the store takes are refused with `BUSY`. */
  readonly requestsMax: number;
  /** How long a command is tried, in milliseconds, and `EXEC` is tried again. */
  readonly withinMs: number;
  /** How much longer it waits for the store to say what has become of it; then nobody knows. */
  readonly graceMs: number;
}

/** What holds where nothing else is said. */
export const defaultGatewayLimits: GatewayLimits = {
  clientsMax: 1000,
  argumentsMax: 65_536,
  requestBytesMax: 16 * 1024 * 1024,
  lineBytesMax: 65_536,
  pendingMax: 1024,
  queuedMax: 4096,
  outputBytesMax: 64 * 1024 * 1024,
  requestsMax: 800,
  withinMs: 10_000,
  graceMs: 15_000,
};

/** All limits. @throws KithError `KITH_GATEWAY_ARGUMENT` where one is no whole number above 0 */
export function limitsOf(given: Partial<GatewayLimits> = {}): GatewayLimits {
  const limits = { ...defaultGatewayLimits, ...given };
  for (const [name, value] of Object.entries(limits))
    if (!Number.isSafeInteger(value) || value < 1)
      throw gatewayError("KITH_GATEWAY_ARGUMENT", `The limit ${name} is ${value}.`);
  return limits;
}
