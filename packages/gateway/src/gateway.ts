/**
 * The Redis port of a peer: a server in front of a Store, for any client that speaks RESP2 or RESP3.
 *
 * The component holds the sockets and asks the store; what a client says is understood by its `Session`, and what it
 * wants is brought to the store by the `Desk`. Nothing of a connection outlives the instance that has accepted it: after
 * a restart or a swap clients call again.
 */

import { createServer, type Server, type Socket } from "node:net";
import { AskTimeout, Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { Apply, Browse, Commit, Get, Read, Store, type StoreAnswer } from "@kith/store";
import { Desk } from "./desk.ts";
import type { StoreRequest } from "./errand.ts";
import { gatewayError } from "./errors.ts";
import { type GatewayLimits, limitsOf } from "./limits.ts";
import { AskTraffic, Listener, Listening, Traffic } from "./listening.ts";
import { Encoder } from "./resp/encoder.ts";
import { type Counts, type Line, Session, type SessionHost } from "./session.ts";
import { redisVersion } from "./talk.ts";

/** What a Redis port has to know. Plain data. */
export interface RedisGatewayInit {
  /** An address of this machine; default 127.0.0.1. Beyond loopback a password is needed. */
  readonly host?: string;
  /** 0 for any that is free: `Listening` tells which. */
  readonly port: number;
  /** What clients have to give by AUTH or HELLO. */
  readonly password?: string;
  readonly limits?: Partial<GatewayLimits>;
}

class Paused extends timeout("gateway/Paused")<{ readonly pause: number }> {}

type Settle = (answer: StoreAnswer | null) => void;

const acceptedMax = 511;
const keepAliveInitialDelay = 60_000;
const lastWordMs = 1000;

/** Serves the Store that it is connected with to clients of Redis. */
export class RedisGateway extends Component {
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
  readonly #settles = new Map<number, Settle>();
  readonly #pauses = new Map<number, () => void>();
  #last = 0;

  readonly #init: RedisGatewayInit;
  readonly #limits: GatewayLimits;
  readonly #jitter = this.random("jitter");
  readonly #desk: Desk;
  readonly #host: SessionHost;
  readonly #counts: Counts = {
    commands: 0,
    errors: 0,
    protocolErrors: 0,
    unknownOutcomes: 0,
    hungUp: 0,
  };
  #server: Server | null = null;
  readonly #sockets = new Map<Session, Socket>();
  #due: Session[] = [];
  #woken = false;
  #connections = 0;
  #refusedConnections = 0;
  #startedAt = 0;

  // What comes from outside, each in a turn of this component.
  readonly #turn = this.entrance<null>(() => this.#work());
  readonly #received = this.entrance(
    ({ session, chunk }: { readonly session: Session; readonly chunk: Buffer }) => {
      session.receive(chunk);
      session.flush();
    },
  );
  readonly #ended = this.entrance((session: Session) => session.ended());
  readonly #drained = this.entrance((session: Session) => session.drained());
  readonly #closed = this.entrance((session: Session) => this.#forget(session));
  readonly #called = this.entrance((socket: Socket) => this.#accept(socket));
  readonly #listening = this.entrance((port: number) =>
    this.listener.trigger(new Listening({ host: this.#address, port })),
  );
  readonly #failed = this.entrance((cause: Error) => {
    const what = `${this.#address}:${this.#init.port} cannot be listened on: ${cause.message}.`;
    throw gatewayError("KITH_GATEWAY_LISTEN", what, cause);
  });

  constructor(init: RedisGatewayInit) {
    super();
    this.#init = init;
    this.#limits = limitsOf(init.limits);
    this.#check();
    const world = {
      withinMs: this.#limits.withinMs,
      now: () => this.clock.monotonic,
      draw: () => this.#jitter.float(),
    };
    this.#desk = new Desk({
      ...world,
      requestsMax: this.#limits.requestsMax,
      ask: (request, settle) => this.#ask(request, settle),
      soon: () => this.#wake(),
      after: (ms, action) => this.#after(ms, action),
    });
    this.#host = {
      ...world,
      limits: this.#limits,
      desk: this.#desk,
      encoder: new Encoder(),
      password: init.password ?? null,
      counts: this.#counts,
      wall: () => this.clock.wall,
      flushSoon: (session) => {
        this.#due.push(session);
        this.#wake();
      },
      complain: (what, cause) => this.log.error(`${what}: ${describe(cause)}`),
      sessions: () => this.#sockets.keys(),
      information: () => this.#information(),
    };
    this.timer.on(Paused, ({ pause }) => {
      const action = this.#pauses.get(pause);
      this.#pauses.delete(pause);
      action?.();
    });
    this.listener.on(AskTraffic, (_, token) =>
      this.listener.reply(token, new Traffic({ counts: this.#traffic() })),
    );
    this.onAcquire(() => this.#open());
    this.onRelease(() => this.#close());
  }

  get #address(): string {
    return this.#init.host ?? "127.0.0.1";
  }

  #check(): void {
    const { password, port } = this.#init;
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw gatewayError("KITH_GATEWAY_ARGUMENT", `${port} is no port.`);
    const host = this.#address;
    const isLoopback = host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
    if (!isLoopback && (password ?? "") === "")
      throw gatewayError(
        "KITH_GATEWAY_PASSWORD",
        `The Redis port would listen on ${host}, for everybody, without a password.`,
      );
  }

  // --- sockets ---------------------------------------------------------------------------------------

  #open(): void {
    this.#startedAt = this.clock.monotonic;
    const options = {
      noDelay: true,
      // Who has sent all that it wants done is still told what became of it.
      allowHalfOpen: true,
      // Who has vanished without a word is found out.
      keepAlive: true,
      keepAliveInitialDelay,
    };
    const server = createServer(options, (socket) => this.#called(socket));
    this.#server = server;
    server.on("error", (cause) => {
      // Once it listens, a call that could not be taken is not its end.
      if (!server.listening) this.#failed(cause);
    });
    server.listen({ host: this.#address, port: this.#init.port, backlog: acceptedMax }, () => {
      const at = server.address();
      this.#listening(typeof at === "object" && at !== null ? at.port : this.#init.port);
    });
  }

  #close(): void {
    this.#server?.close();
    this.#server = null;
    for (const [session, socket] of this.#sockets) {
      session.lost();
      socket.destroy();
    }
    this.#sockets.clear();
  }

  #accept(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    if (this.#server === null) return void socket.destroy();
    if (this.#sockets.size >= this.#limits.clientsMax) {
      this.#refusedConnections++;
      socket.resume();
      return hangUp(socket, "-ERR max number of clients reached\r\n");
    }
    this.#connections++;
    const identity = {
      id: this.#connections,
      address: `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`,
      local: `${socket.localAddress ?? ""}:${socket.localPort ?? 0}`,
      since: this.clock.monotonic,
    };
    const session = new Session(identity, this.#host, lineTo(socket));
    this.#sockets.set(session, socket);
    socket.on("data", (chunk: Buffer) => this.#received({ session, chunk }));
    socket.on("end", () => this.#ended(session));
    socket.on("drain", () => this.#drained(session));
    socket.on("close", () => this.#closed(session));
    return undefined;
  }

  #forget(session: Session): void {
    session.lost();
    this.#sockets.delete(session);
  }

  // --- turns -----------------------------------------------------------------------------------------

  #wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    setImmediate(() => this.#turn(null));
  }

  #work(): void {
    this.#woken = false;
    const due = this.#due;
    this.#due = [];
    for (const session of due) session.flush();
    this.#desk.work();
  }

  #after(ms: number, action: () => void): void {
    const pause = ++this.#last;
    this.#pauses.set(pause, action);
    this.timer.trigger(new ScheduleTimeout({ delay: ms, timeout: new Paused({ pause }) }));
  }

  // --- the store -------------------------------------------------------------------------------------

  #ask(request: StoreRequest | Get, settle: Settle): void {
    const ask = ++this.#last;
    this.#settles.set(ask, settle);
    const context = { context: ask };
    if (request instanceof Get) this.#get(request, context);
    else if (request instanceof Apply) this.#apply(request, context);
    else if (request instanceof Read) this.#read(request, context);
    else if (request instanceof Commit) this.#commit(request, context);
    else this.#browse(request, context);
  }

  #took(ask: number, answer: StoreAnswer | AskTimeout): void {
    const settle = this.#settles.get(ask);
    this.#settles.delete(ask);
    settle?.(answer instanceof AskTimeout ? null : answer);
  }

  // --- what is told ----------------------------------------------------------------------------------

  #traffic(): Readonly<Record<string, number>> {
    return {
      ...this.#counts,
      clients: this.#sockets.size,
      connections: this.#connections,
      refusedConnections: this.#refusedConnections,
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
        tcp_port: this.#init.port,
        uptime_in_seconds: seconds,
        uptime_in_days: Math.floor(seconds / 86_400),
      },
      clients: { connected_clients: this.#sockets.size, maxclients: this.#limits.clientsMax },
      memory: { used_memory: 0, maxmemory: 0 },
      persistence: { loading: 0 },
      stats: {
        total_connections_received: this.#connections,
        total_commands_processed: this.#counts.commands,
        rejected_connections: this.#refusedConnections,
        total_error_replies: this.#counts.errors,
        unknown_outcomes: this.#counts.unknownOutcomes,
        protocol_errors: counts["protocolErrors"] ?? 0,
      },
      replication: { role: "master", connected_slaves: 0 },
      cluster: { cluster_enabled: 0 },
    };
  }
}

function lineTo(socket: Socket): Line {
  return {
    send: (pieces) => {
      if (pieces.length > 1) socket.cork();
      for (const piece of pieces) socket.write(piece);
      if (pieces.length > 1) socket.uncork();
      return socket.writableNeedDrain ? socket.writableLength : 0;
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    end: () => hangUp(socket),
    destroy: () => socket.destroy(),
  };
}

/** Whoever does not read the last word, or goes on to talk, does not get to keep the socket. */
function hangUp(socket: Socket, lastWord = ""): void {
  socket.end(lastWord);
  const late = setTimeout(() => socket.destroy(), lastWordMs);
  socket.once("close", () => clearTimeout(late));
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
