/**
 * What every server of this package tells and is asked: where it listens, and what passed through it.
 *
 * A server begins to listen when it starts, which takes a moment: `Listening` comes when clients may call. Where it
 * cannot listen it faults with `KITH_GATEWAY_LISTEN`.
 */

import { event, port, request } from "@kith/core";

/** The server takes calls here; the port is the one that was bound, also where any was asked for. */
export class Listening extends event("gateway/Listening")<{
  readonly host: string;
  readonly port: number;
}> {}

/** What passed through a server since it started, and what is there now. Numbers only, by name. */
export class Traffic extends event("gateway/Traffic")<{
  readonly counts: Readonly<Record<string, number>>;
}> {}

/** Asks for that. */
export class AskTraffic extends request("gateway/AskTraffic", Traffic) {}

/** A server. Provider: `RedisGateway`, `HttpServer`. */
export const Listener = port("Listener", { requests: [AskTraffic], indications: [Listening] });
