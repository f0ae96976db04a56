/**
 * The Redis port of a peer: a server in front of a Store, for any client that speaks RESP2 or RESP3.
 *
 * The component holds the sockets; its engine does what comes over them. Nothing of a connection outlives the instance that has
 * accepted it: after a restart or a swap clients call again.
 */

import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { checkCertificate, handshakeMs, type ServerCertificate } from "./certificate.ts";
import { RedisEngine, type RedisEngineInit } from "./engine.ts";
import { gatewayError } from "./errors.ts";
import { Listening } from "./listening.ts";
import { checkReach } from "./reach.ts";
import type { Line, Session } from "./session.ts";

/** What a Redis port has to know. Plain data. */
export interface RedisGatewayInit extends RedisEngineInit {
  /** An address of this machine; default 127.0.0.1. Beyond loopback a password is needed. */
  readonly host?: string;
  /** 0 for any that is free: `Listening` tells which. */
  readonly port: number;
  /** Given: clients have to speak TLS. */
  readonly tls?: ServerCertificate;
}

const acceptedMax = 511;
const keepAliveInitialDelay = 60_000;
const lastWordMs = 1000;
const handshakesMax = 64;

/** Serves the Store that it is connected with to clients of Redis. */
export class RedisGateway extends RedisEngine {
  readonly #init: RedisGatewayInit;
  #server: Server | null = null;
  readonly #sockets = new Map<Session, Socket>();
  #refusedConnections = 0;

  // What comes from outside, each in a turn of this component.
  readonly #turn = this.entrance<null>(() => this.work());
  readonly #received = this.entrance(
    ({ session, chunk }: { readonly session: Session; readonly chunk: Buffer }) =>
      this.hear(session, chunk),
  );
  readonly #ended = this.entrance((session: Session) => session.ended());
  readonly #drained = this.entrance((session: Session) => session.drained());
  readonly #closed = this.entrance((session: Session) => {
    this.forget(session);
    this.#sockets.delete(session);
  });
  readonly #called = this.entrance((socket: Socket) => this.#accept(socket));
  readonly #listening = this.entrance((port: number) =>
    this.listener.trigger(new Listening({ host: this.#address, port })),
  );
  readonly #failed = this.entrance((cause: Error) => {
    const what = `${this.#address}:${this.#init.port} cannot be listened on: ${cause.message}.`;
    throw gatewayError("KITH_GATEWAY_LISTEN", what, cause);
  });

  constructor(init: RedisGatewayInit) {
    super(init);
    this.#init = init;
    this.#check();
    this.onAcquire(() => this.#open());
    this.onRelease(() => this.#close());
  }

  protected override soon(): void {
    setImmediate(() => this.#turn(null));
  }

  protected override get refused(): number {
    return this.#refusedConnections;
  }

  protected override get port(): number {
    return this.#init.port;
  }

  get #address(): string {
    return this.#init.host ?? "127.0.0.1";
  }

  #check(): void {
    const { password, port, tls } = this.#init;
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw gatewayError("KITH_GATEWAY_ARGUMENT", `${port} is no port.`);
    checkReach("The Redis port", this.#address, password);
    if (tls !== undefined) checkCertificate(tls, this.clock.wall);
  }

  #open(): void {
    const server = this.#newServer();
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

  #newServer(): Server {
    const { tls } = this.#init;
    const called = (socket: Socket): void => this.#called(socket);
    const options = {
      noDelay: true,
      // Who has sent all that it wants done is still told what became of it.
      allowHalfOpen: true,
      // Who has vanished without a word is found out.
      keepAlive: true,
      keepAliveInitialDelay,
    };
    if (tls === undefined) return createServer(options, called);
    const { cert, key } = tls;
    const server = createTlsServer(
      { ...options, cert, key, handshakeTimeout: handshakeMs },
      called,
    );
    // Those that do not speak TLS yet are no clients, and are bounded, too.
    server.maxConnections = this.limits.clientsMax + handshakesMax;
    server.on("tlsClientError", (_, socket) => {
      this.counts.hungUp++;
      socket.destroy();
    });
    return server;
  }

  #close(): void {
    this.#server?.close();
    this.#server = null;
    for (const [session, socket] of this.#sockets) {
      this.forget(session);
      socket.destroy();
    }
    this.#sockets.clear();
  }

  #accept(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    if (this.#server === null) return void socket.destroy();
    if (this.#sockets.size >= this.limits.clientsMax) {
      this.#refusedConnections++;
      socket.resume();
      return hangUp(socket, "-ERR max number of clients reached\r\n");
    }
    const session = this.welcome(lineTo(socket), {
      address: `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`,
      local: `${socket.localAddress ?? ""}:${socket.localPort ?? 0}`,
    });
    this.#sockets.set(session, socket);
    socket.on("data", (chunk: Buffer) => this.#received({ session, chunk }));
    socket.on("end", () => this.#ended(session));
    socket.on("drain", () => this.#drained(session));
    socket.on("close", () => this.#closed(session));
    return undefined;
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
