/**
 * The engine of a Redis port, without a socket: it hosts the clients' sessions and the desk, and asks the Store that it is connected
 * with. What a client says is understood by its `Session`, and what it wants is brought to the store by the `Desk`.
 *
 * `RedisGateway` gives it sockets; a simulation gives it clients that are components.
 */

import {
  AskTimeout,
  CancelTimeout,
  Component,
  SchedulePeriodic,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import { Apply, Browse, Commit, Get, Read, Store, type StoreAnswer } from "@kith/store";
import { Desk } from "./desk.ts";
import type { StoreRequest } from "./errand.ts";
import { mistakeLater } from "./failure.ts";
import { type GatewayLimits, limitsOf } from "./limits.ts";
import { AskTraffic, Listener, Traffic } from "./listening.ts";
import { Past } from "./past.ts";
import { Encoder } from "./resp/encoder.ts";
import { type Counts, type Identity, type Line, Session, type SessionHost } from "./session.ts";
import { redisVersion } from "./talk.ts";

/** What an engine has to know. Plain data. */
export interface RedisEngineInit {
  /** What clients have to give by AUTH or HELLO. */
  readonly password?: string;
  readonly limits?: Partial<GatewayLimits>;
}

class Paused extends timeout("gateway/Paused")<{ readonly pause: number }> {}

class Sweep extends timeout("gateway/Sweep") {}

interface Asked {
  readonly settle: (answer: StoreAnswer | null) => void;
  /** When it is clear that nobody answers any more. */
  readonly until: number;
}

const sweepMs = 1000;

/** Does what clients say with the Store that it is connected with. */
export abstract class RedisEngine extends Component {
  readonly store = this.requires(Store);
  readonly timer = this.requires(Timer);
  readonly listener = this.provides(Listener);

  readonly #get = this.store.onAnswer(Get, (answer, _, ask: number) => this.#took(ask, answer));
  readonly #apply = this.store.onAnswer(Apply, (answer, _, ask: number) => this.#took(ask, answer));
  readonly #read = this.store.onAnswer(Read, (answer, _, ask: number) => this.#took(ask, answer));
  readonly #commit = this.store.onAnswer(Commit, (answer, _, ask: number) =>
    this.#took(ask, answer),
  );
  readonly #browse = this.store.onAnswer(Browse, (answer, _, ask: number) =>
    this.#took(ask, answer),
  );
  /** Requests to the store, in the order of their ends: all have the same time. */
  readonly #asked = new Map<number, Asked>();
  #sweeping = false;
  readonly #pauses = new Map<number, () => void>();
  #last = 0;

  protected readonly limits: GatewayLimits;
  protected readonly counts: Counts = {
    commands: 0,
    errors: 0,
    protocolErrors: 0,
    unknownOutcomes: 0,
    hungUp: 0,
    overtaken: 0,
  };
  readonly #jitter = this.random("jitter");
  readonly #desk: Desk;
  readonly #host: SessionHost;
  readonly #sessions = new Set<Session>();
  #due: Session[] = [];
  #woken = false;
  #connections = 0;
  #startedAt = 0;

  constructor({ password, limits }: RedisEngineInit) {
    super();
    this.limits = limitsOf(limits);
    const world = {
      withinMs: this.limits.withinMs,
      now: () => this.clock.monotonic,
      draw: () => this.#jitter.float(),
      overtaken: () => void this.counts.overtaken++,
      past: new Past(),
    };
    this.#desk = new Desk({
      ...world,
      requestsMax: this.limits.requestsMax,
      ask: (request, settle) => this.#ask(request, settle),
      mistaken: (problem) => {
        this.log.error(`a command could not be done: ${describe(problem)}`);
        return mistakeLater;
      },
      soon: () => this.#wake(),
      after: (ms, action) => this.#after(ms, action),
    });
    this.#host = {
      ...world,
      limits: this.limits,
      desk: this.#desk,
      encoder: new Encoder(),
      password: password ?? null,
      counts: this.counts,
      wall: () => this.clock.wall,
      flushSoon: (session) => {
        this.#due.push(session);
        this.#wake();
      },
      complain: (what, cause) => this.log.error(`${what}: ${describe(cause)}`),
      sessions: () => this.#sessions,
      information: () => this.#information(),
    };
    this.timer.on(Paused, ({ pause }) => {
      const action = this.#pauses.get(pause);
      this.#pauses.delete(pause);
      action?.();
    });
    this.timer.on(Sweep, () => this.#sweep());
    this.listener.on(AskTraffic, (_, token) =>
      this.listener.reply(token, new Traffic({ counts: this.#traffic() })),
    );
    this.onAcquire(() => {
      this.#startedAt = this.clock.monotonic;
    });
  }

  /** Calls `work` soon, when all that has arrived by now is here. */
  protected abstract soon(): void;

  /** Connections that were refused so far. */
  protected abstract get refused(): number;

  /** The port that is told; 0 where there is none. */
  protected abstract get port(): number;

  /** How many clients there are. */
  protected get clients(): number {
    return this.#sessions.size;
  }

  /** A client has come, over this line. */
  protected welcome(line: Line, { address, local }: Pick<Identity, "address" | "local">): Session {
    const identity = { id: ++this.#connections, address, local, since: this.clock.monotonic };
    const session = new Session(identity, this.#host, line);
    this.#sessions.add(session);
    return session;
  }

  /** A client has said something. */
  protected hear(session: Session, chunk: Uint8Array): void {
    session.receive(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk));
    session.flush();
  }

  /** A client is gone. */
  protected forget(session: Session): void {
    session.lost();
    this.#sessions.delete(session);
  }

  /** Sends what is due, and begins what may begin. */
  protected work(): void {
    this.#woken = false;
    const due = this.#due;
    this.#due = [];
    for (const session of due) session.flush();
    this.#desk.work();
  }

  #wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    this.soon();
  }

  #after(ms: number, action: () => void): void {
    const pause = ++this.#last;
    this.#pauses.set(pause, action);
    this.timer.trigger(new ScheduleTimeout({ delay: ms, timeout: new Paused({ pause }) }));
  }

  // --- the store -------------------------------------------------------------------------------------

  #ask(request: StoreRequest | Get, settle: Asked["settle"]): void {
    const ask = ++this.#last;
    const { withinMs, graceMs } = this.limits;
    this.#asked.set(ask, { settle, until: this.clock.monotonic + withinMs + graceMs });
    if (!this.#sweeping) this.#sweepFrom(true);
    const context = { context: ask };
    if (request instanceof Get) this.#get(request, context);
    else if (request instanceof Apply) this.#apply(request, context);
    else if (request instanceof Read) this.#read(request, context);
    else if (request instanceof Commit) this.#commit(request, context);
    else this.#browse(request, context);
  }

  #took(ask: number, answer: StoreAnswer | AskTimeout): void {
    const asked = this.#asked.get(ask);
    this.#asked.delete(ask);
    asked?.settle(answer instanceof AskTimeout ? null : answer);
  }

  /** A store that has gone, or has begun anew, does not say so: no client shall wait for it for ever. */
  #sweep(): void {
    const now = this.clock.monotonic;
    for (const [ask, { settle, until }] of this.#asked) {
      if (until > now) break;
      this.#asked.delete(ask);
      settle(null);
    }
    if (this.#asked.size === 0) this.#sweepFrom(false);
  }

  #sweepFrom(now: boolean): void {
    this.#sweeping = now;
    this.timer.trigger(
      now
        ? new SchedulePeriodic({ period: sweepMs, timeout: new Sweep(), id: "sweep" })
        : new CancelTimeout({ id: "sweep" }),
    );
  }

  // --- what is told ----------------------------------------------------------------------------------

  #traffic(): Readonly<Record<string, number>> {
    return {
      ...this.counts,
      clients: this.clients,
      connections: this.#connections,
      refusedConnections: this.refused,
      requestsUnderWay: this.#desk.underWay,
      requestsWaiting: this.#desk.waiting,
    };
  }

  #information(): Readonly<Record<string, Readonly<Record<string, string | number>>>> {
    const counts = this.#traffic();
    const seconds = Math.floor((this.clock.monotonic - this.#startedAt) / 1000);
    return {
      server: {
        redis_version: redisVersion,
        redis_mode: "standalone",
        server_name: "kith",
        tcp_port: this.port,
        uptime_in_seconds: seconds,
        uptime_in_days: Math.floor(seconds / 86_400),
      },
      clients: { connected_clients: this.clients, maxclients: this.limits.clientsMax },
      memory: { used_memory: 0, maxmemory: 0 },
      persistence: { loading: 0 },
      stats: {
        total_connections_received: this.#connections,
        total_commands_processed: this.counts.commands,
        rejected_connections: this.refused,
        total_error_replies: this.counts.errors,
        unknown_outcomes: this.counts.unknownOutcomes,
        overtaken_transactions: this.counts.overtaken,
        protocol_errors: counts["protocolErrors"] ?? 0,
      },
      replication: { role: "master", connected_slaves: 0 },
      cluster: { cluster_enabled: 0 },
    };
  }
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
