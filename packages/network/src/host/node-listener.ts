/**
 * The listening socket of a process in Node. Whoever calls is reported from its first byte of TCP on, so that
 * one deadline and one limit hold for all that may be slow or wrong before a WebSocket is open: TCP, TLS,
 * HTTP, and the handshake of Kith.
 *
 * The first byte tells TLS (22) from HTTP. Where the caller speaks the one and the process the other, each side
 * gets a message, and not just an end.
 */

import { createServer as createHttpServer, type IncomingMessage, type Server } from "node:http";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { WebSocketServer } from "ws";
import { farewell } from "./farewell.ts";
import { closing, explain, NodeWire } from "./node-wire.ts";
import type { ListenerUser, Place, WireOptions } from "./transport.ts";

/** The path of the only resource there is. */
export const path = "/kith";

const tlsFirstByte = 22;
/** The alert `protocol_version` of TLS: whoever speaks TLS to a plain port understands it. */
const tlsAlert = Uint8Array.of(21, 3, 1, 0, 2, 2, 70);

/** An address that is bound, before the Network that will listen there exists. */
export interface BoundAddress extends Place {
  /** Gives it up, if no Network has taken it over. */
  close(): void;
}

const boundServers = new Map<string, NetServer>();

/**
 * Binds an address now, so that a port chosen by the system is known before there is a peer reference with it.
 * The Network that is told to listen there takes it over.
 *
 * @param host default 127.0.0.1
 * @param port default 0: any that is free
 * @throws (rejects with) the system's error where that cannot be
 */
export function bindAddress(host = "127.0.0.1", port = 0): Promise<BoundAddress> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      const address = server.address();
      const at = {
        host,
        port: typeof address === "object" && address !== null ? address.port : port,
      };
      const key = keyOf(at);
      boundServers.set(key, server);
      server.on("connection", hangUp);
      resolve({
        ...at,
        close: () => {
          if (boundServers.get(key) === server) {
            boundServers.delete(key);
            server.close();
          }
        },
      });
    });
  });
}

/** Listens, until what it returns is called. */
export function listen(at: Place, user: ListenerUser, options: WireOptions): () => void {
  const listener = new Listener(user, options);
  const bound = boundServers.get(keyOf(at));
  boundServers.delete(keyOf(at));
  const server = bound ?? createServer();
  server.off("connection", hangUp);
  server.on("connection", (socket: Socket) => listener.called(socket));
  reportErrors(server, user);
  if (bound === undefined) server.listen({ host: at.host, port: at.port });
  return () => void server.close();
}

/** Reports what befalls a listening socket: once it listens, a call that could not be taken is not its end. */
export function reportErrors(
  server: NetServer,
  user: Pick<ListenerUser, "failed" | "troubled">,
): void {
  server.on("error", (cause) => {
    if (server.listening) user.troubled(cause);
    else user.failed(cause);
  });
}

class Listener {
  readonly #user: ListenerUser;
  readonly #options: WireOptions;
  readonly #secure: SecureContext | null;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #wires = new WeakMap<Duplex, NodeWire>();

  constructor(user: ListenerUser, options: WireOptions) {
    this.#user = user;
    this.#options = options;
    const { tls, frameBytesMax, closeMs } = options;
    const { cert = "", key = "" } = tls ?? {};
    this.#secure = tls === null ? null : createSecureContext({ cert, key });
    this.#http = createHttpServer({ maxHeaderSize: 8192 }, (_, response) => {
      response.writeHead(426, { connection: "close", upgrade: "websocket" });
      response.end("This port is for the peers of a Kith cluster.\n");
    });
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on("clientError", (error, socket) => {
      this.#wires.get(socket)?.end(1006, `it does not speak HTTP (${error.message})`);
      answer(socket, 400, "this port speaks WebSocket");
    });
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      skipUTF8Validation: true,
      maxPayload: frameBytesMax,
      ...closing(closeMs),
    });
    this.#webSockets.on("wsClientError", (error, socket, request) => {
      this.#wires.get(request.socket)?.end(1006, error.message);
      answer(socket, 400, error.message);
    });
  }

  called(socket: Socket): void {
    const wire = new NodeWire({ turnAway: (code, reason) => turnAway(socket, code, reason) });
    socket.setNoDelay(true);
    socket.on("error", (error) => wire.explain(explain(error)));
    socket.on("close", () => {
      if (!wire.open) wire.end(1006, "it hung up before it was a WebSocket");
    });
    this.#wires.set(socket, wire);
    const { remoteAddress = "somewhere", remotePort = 0 } = socket;
    wire.user = this.#user.called(wire, `${remoteAddress}:${remotePort}`);
    socket.once("data", (first: Uint8Array) => {
      if (wire.over) return;
      socket.pause();
      socket.unshift(first);
      this.#route(socket, wire, first[0] === tlsFirstByte);
    });
  }

  #route(socket: Socket, wire: NodeWire, speaksTls: boolean): void {
    if (this.#secure === null) {
      if (!speaksTls) this.#speak(socket);
      else {
        wire.end(1006, "it speaks TLS, and this process does not");
        socket.end(tlsAlert);
        endSoon(socket, this.#options.closeMs);
      }
    } else if (speaksTls) {
      const secure = new TLSSocket(socket, { isServer: true, secureContext: this.#secure });
      this.#wires.set(secure, wire);
      secure.on("error", (error) => {
        wire.end(1006, `TLS failed: ${error.message}`);
        socket.destroy();
      });
      secure.on("secure", () => this.#speak(secure));
    } else {
      wire.end(1006, "it does not speak TLS");
      answer(socket, 426, "this port speaks TLS only");
    }
  }

  #speak(socket: Socket): void {
    this.#http.emit("connection", socket);
    socket.resume();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const wire = this.#wires.get(socket);
    if (wire === undefined || wire.over) return;
    const { origins } = this.#options;
    const { origin } = request.headers;
    const refuse = (status: number, reason: string): void => {
      wire.end(1006, reason);
      answer(socket, status, reason);
    };
    if (request.url !== path) refuse(404, "there is nothing at this path");
    else if (origin !== undefined && origins !== null && !origins.includes(origin))
      refuse(403, "this origin may not call");
    else {
      wire.watch(socket, this.#options.callerBytesMax - head.length);
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        wire.use(webSocket);
        wire.user?.opened();
      });
    }
  }
}

function turnAway(socket: Socket, code: number, reason: string): void {
  const status = code === farewell.slow ? 408 : code === farewell.callers ? 503 : 400;
  answer(socket, status, reason);
}

/** Answers in HTTP, also whoever has not asked yet, and hangs up. */
function answer(socket: Duplex, status: number, reason: string): void {
  if (socket.writable)
    socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  endSoon(socket, 1000);
}

/** Whoever does not read the last word does not get to keep the socket. */
function endSoon(socket: Duplex, ms: number): void {
  socket.on("error", () => undefined);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), ms);
  timer.unref();
  socket.once("close", () => clearTimeout(timer));
}

function hangUp(socket: Socket): void {
  socket.destroy();
}

function keyOf({ host, port }: Place): string {
  return `${host}|${port}`;
}
