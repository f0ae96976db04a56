/**
 * The HTTP server itself, without a store: takes connections, lets in who may come in, reads bodies within their bounds, and
 * writes answers. What a request asks for is its user's business.
 *
 * - A request is answered exactly once, or its connection is gone.
 * - A page of another site cannot use it through somebody's browser: a foreign `Origin` is refused, and so is a `Host` that is
 *   a name nobody has allowed (a name of an attacker may lead to this address).
 */

import { createHash, timingSafeEqual } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import { isIP } from "node:net";
import { handshakeMs, type ServerCertificate } from "../certificate.ts";
import { bodyBytesMax, type Call, HttpFailure, readCall } from "./call.ts";
import type { HttpLimits } from "./limits.ts";

/** A request whose answer is due. */
export interface Exchange {
  readonly call: Call;
  readonly body: Uint8Array;
  /** The host and port that the client has named. */
  readonly host: string;
  /** Answers. Later answers are dropped: the client may have gone. */
  readonly answer: (answer: Answer) => void;
}

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly type: string;
  readonly headers?: OutgoingHttpHeaders;
}

/** What a door has to know. */
export interface DoorInit {
  readonly listen: { readonly host: string; readonly port: number };
  readonly limits: HttpLimits;
  /** What a client has to know, for everything but health and readiness. */
  readonly password: string | null;
  /** Names by which clients may call it, besides addresses and `localhost`. */
  readonly hosts: readonly string[];
  /** Null: it speaks plain HTTP. */
  readonly tls: ServerCertificate | null;
}

/** Who uses a door. */
export interface DoorUser {
  readonly up: (at: { readonly host: string; readonly port: number }) => void;
  /** It cannot listen. */
  readonly failed: (cause: Error) => void;
  readonly asked: (exchange: Exchange) => void;
  /** There is a defect here: it is told, and gives what the client is told. */
  readonly mistaken: (problem: unknown) => HttpFailure;
  /** An answer has been given. @param route the path without a key @param seconds how long it took */
  readonly answered: (method: string, route: string, status: number, seconds: number) => void;
}

/** The body of a failure. */
export function failureAnswer(failure: HttpFailure): Answer {
  const { status, code, message, more, headers } = failure;
  return jsonAnswer(status, { error: { code, message, ...more } }, headers);
}

/** An answer of JSON. */
export function jsonAnswer(
  status: number,
  json: unknown,
  headers: OutgoingHttpHeaders = {},
): Answer {
  return { status, body: `${JSON.stringify(json)}\n`, type: "application/json", headers };
}

/** The server. */
export class Door {
  readonly #init: DoorInit;
  readonly #user: DoorUser;
  readonly #server: Server;
  /** Requests under way, each with what fails it. */
  readonly #open = new Set<(failure: HttpFailure) => void>();
  #bytes = 0;
  #isClosed = false;

  constructor(init: DoorInit, user: DoorUser) {
    this.#init = init;
    this.#user = user;
    const { limits, listen, tls } = init;
    const bounds = {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: 1000,
    };
    const take = (request: IncomingMessage, response: ServerResponse): void =>
      this.#take(request, response);
    const server =
      tls === null
        ? createServer(bounds, take)
        : createTlsServer(
            { ...bounds, cert: tls.cert, key: tls.key, handshakeTimeout: handshakeMs },
            take,
          );
    this.#server = server;
    server.maxConnections = limits.connectionsMax;
    server.maxHeadersCount = 100;
    // Who does not read its answer, or has vanished, does not get to keep the connection either.
    server.setTimeout(limits.requestMs);
    // Nobody may speak another protocol here, and a request for that is no request for anything else.
    server.on("upgrade", (_, socket) => {
      // Nobody else listens to this socket any more, neither for its errors nor for how long it takes.
      socket.on("error", () => socket.destroy());
      socket.end("HTTP/1.1 501 Not Implemented\r\nConnection: close\r\n\r\n", () =>
        socket.destroy(),
      );
    });
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      // Who does not speak TLS here would not understand an answer.
      if (!socket.writable || !/^(HPE|ERR_HTTP)_/.test(error.code ?? "")) socket.destroy();
      else {
        const status =
          error.code === "HPE_HEADER_OVERFLOW"
            ? "431 Request Header Fields Too Large"
            : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
              ? "408 Request Timeout"
              : "400 Bad Request";
        socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`, () => socket.destroy());
      }
    });
    server.on("error", (cause) => {
      // Once it listens, a call that could not be taken is not its end.
      if (!server.listening) user.failed(cause);
    });
    server.listen({ host: listen.host, port: listen.port }, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : listen.port;
      if (!this.#isClosed) user.up({ host: listen.host, port });
    });
  }

  /** How many requests are under way. */
  get open(): number {
    return this.#open.size;
  }

  /** Lets nobody in any more, and answers who is there. */
  close(): void {
    this.#isClosed = true;
    for (const fail of [...this.#open])
      fail(new HttpFailure(503, "KITH_HTTP_STOPPED", "The peer stops.", outcome("unknown")));
    this.#server.close();
    this.#server.closeIdleConnections();
    // Who does not read its answer shall not keep the process.
    setTimeout(() => this.#server.closeAllConnections(), 500).unref();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const begin = performance.now();
    const { method = "", url = "/" } = request;
    let isOver = false;
    let held = 0;
    let route = "other";
    const answer = ({ status, body, type, headers = {} }: Answer): void => {
      if (isOver) return;
      isOver = true;
      this.#open.delete(fail);
      this.#bytes -= held;
      held = 0;
      this.#user.answered(method, route, status, (performance.now() - begin) / 1000);
      if (response.destroyed) return;
      const rest = request.complete ? {} : { connection: "close" };
      response.writeHead(status, {
        "content-type": type,
        "content-length": Buffer.byteLength(body),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        ...rest,
        ...headers,
      });
      response.end(method === "HEAD" ? undefined : body, () => {
        // What is still on its way was not asked for.
        if (!request.complete) request.destroy();
      });
    };
    const fail = (failure: HttpFailure): void => answer(failureAnswer(failure));
    response.on("close", () => {
      if (isOver) return;
      isOver = true;
      this.#open.delete(fail);
      this.#bytes -= held;
    });
    request.on("error", () => undefined);
    try {
      const call = readCall(method, url);
      route = routeOf(call);
      this.#letIn(request, call);
      this.#open.add(fail);
      const max = bodyBytesMax(call);
      const announced = Number(request.headers["content-length"] ?? 0);
      if (announced > max) throw tooLarge(max);
      const chunks: Uint8Array[] = [];
      request.on("data", (chunk: Uint8Array) => {
        if (isOver) return;
        held += chunk.length;
        this.#bytes += chunk.length;
        chunks.push(chunk);
        if (held > max) fail(tooLarge(max));
        else if (this.#bytes > this.#init.limits.bodiesBytesMax) fail(busy());
      });
      request.on("end", () => {
        if (isOver) return;
        const host = request.headers.host ?? "";
        this.#user.asked({ call, body: Buffer.concat(chunks), host, answer });
      });
    } catch (error) {
      fail(error instanceof HttpFailure ? error : this.#user.mistaken(error));
    }
  }

  #letIn(request: IncomingMessage, call: Call): void {
    const { limits, hosts, password } = this.#init;
    const { host = "", origin, authorization = "" } = request.headers;
    const name = host
      .replace(/:\d*$/, "")
      .replace(/^\[(.*)\]$/, "$1")
      .toLowerCase();
    if (
      isIP(name) === 0 &&
      name !== "localhost" &&
      !hosts.some((one) => one.trim().toLowerCase() === name)
    )
      throw new HttpFailure(
        421,
        "KITH_HTTP_HOST",
        `This peer is not called ${JSON.stringify(name.slice(0, 100))}: use its address, or start it with that name.`,
      );
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`)
      throw new HttpFailure(403, "KITH_HTTP_ORIGIN", "Pages of other sites may not ask here.");
    const isOpen = call.kind === "health" || call.kind === "ready";
    if (password !== null && !isOpen && !knows(authorization, password))
      throw new HttpFailure(
        401,
        "KITH_HTTP_PASSWORD",
        "Give the password, as a bearer token or as that of any user.",
        { headers: { "www-authenticate": 'Basic realm="kith", charset="UTF-8"' } },
      );
    if (this.#open.size >= limits.requestsMax) throw busy();
  }
}

/** What has become of what was asked for. */
export function outcome(of: "not-done" | "unknown"): { json: { outcome: string } } {
  return { json: { outcome: of } };
}

/** The failure of too much at a time. */
export function busy(): HttpFailure {
  return new HttpFailure(503, "KITH_HTTP_BUSY", "Too much waits here; nothing was done.", {
    ...outcome("not-done"),
    headers: { "retry-after": "1" },
  });
}

function tooLarge(max: number): HttpFailure {
  return new HttpFailure(413, "KITH_HTTP_SIZE", `The body may have at most ${max} bytes here.`);
}

function routeOf({ kind }: Call): string {
  if (kind === "get" || kind === "put" || kind === "delete") return "/keys";
  if (kind === "transaction") return "/transactions";
  return kind === "page" ? "/" : `/${kind}`;
}

/** Whether a header of authorization has the password; takes as long for each wrong one. */
function knows(authorization: string, password: string): boolean {
  const [, scheme = "", rest = ""] = /^(\S*) *(.*)$/.exec(authorization) ?? [];
  // Node reads headers as one character for each byte.
  const given =
    scheme.toLowerCase() === "bearer"
      ? Buffer.from(rest, "latin1").toString("utf8")
      : scheme.toLowerCase() === "basic"
        ? Buffer.from(rest, "base64")
            .toString("utf8")
            .replace(/^[^:]*:/, "")
        : "";
  return timingSafeEqual(digest(given), digest(password));
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
