/** The engine of the Redis port among simulated peers: its clients are components that send text and get text, as over a socket. */

import { event, port, ScheduleTimeout, timeout } from "@kith/core";
import { octetBytes, octetsOf } from "@kith/paxos";
import { RedisEngine, type RedisEngineInit } from "../src/engine.ts";
import type { Line, Session } from "../src/session.ts";

/** A client has sent something; the first time it has connected before. One character is one byte. */
export class Said extends event("gateway/Said")<{
  readonly client: number;
  readonly text: string;
}> {}

/** A client has hung up. */
export class Left extends event("gateway/Left")<{ readonly client: number }> {}

/** A client is sent something; null: it is hung up on. */
export class Heard extends event("gateway/Heard")<{
  readonly client: number;
  readonly text: string | null;
}> {}

/** Somebody breaks the port: it fails, and begins anew. */
export class Broken extends event("gateway/Broken")<{ readonly why: string }> {}

/** The port begins, for the first time or anew: nobody is connected. */
export class Opened extends event("gateway/Opened") {}

/** Connections with a Redis port. */
export const Wire = port("Wire", {
  requests: [Said, Left, Broken],
  indications: [Heard, Opened],
});

class Soon extends timeout("gateway/Soon") {}

/** A Redis port whose clients are in the same node. */
export class SimulatedPort extends RedisEngine {
  readonly wire = this.provides(Wire);
  readonly #sessions = new Map<number, Session>();

  constructor(init: RedisEngineInit) {
    super(init);
    this.timer.on(Soon, () => this.work());
    this.wire.on(Said, ({ client, text }) => {
      let session = this.#sessions.get(client);
      if (session === undefined) {
        session = this.welcome(this.#lineTo(client), { address: `c${client}`, local: "" });
        this.#sessions.set(client, session);
      }
      this.hear(session, octetBytes(text));
    });
    this.wire.on(Broken, ({ why }) => {
      throw new Error(why);
    });
    this.onStart(() => this.wire.trigger(new Opened()));
    this.wire.on(Left, ({ client }) => {
      const session = this.#sessions.get(client);
      if (session !== undefined) this.forget(session);
      this.#sessions.delete(client);
    });
  }

  protected override soon(): void {
    this.timer.trigger(new ScheduleTimeout({ delay: 0, timeout: new Soon() }));
  }

  protected override get refused(): number {
    return 0;
  }

  protected override get port(): number {
    return 0;
  }

  #lineTo(client: number): Line {
    const hangUp = (): void => this.wire.trigger(new Heard({ client, text: null }));
    return {
      send: (pieces) => {
        const text = pieces.map((piece) => octetsOf(piece)).join("");
        this.wire.trigger(new Heard({ client, text }));
        return 0;
      },
      pause: () => undefined,
      resume: () => undefined,
      end: hangUp,
      destroy: hangUp,
    };
  }
}
