/**
 * What a request over HTTP asks for: its method, path, query and body as one value, or a refusal with its status.
 *
 * | request | asks for |
 * | --- | --- |
 * | `GET /keys/NAME` | the value, as JSON; with `?raw`, its bytes alone |
 * | `PUT /keys/NAME` | writes the body; `?expires=MS`, `?if=absent`, `?if=present`, `?version=N` |
 * | `DELETE /keys/NAME` | deletes; the same conditions |
 * | `POST /transactions` | `{"operations": […]}` |
 * | `GET /status`, `/health`, `/ready`, `/metrics`, `/` | the peer and its cluster |
 */

import { octetsOf } from "@kith/paxos";
import { type Condition, type Key, keyBytesMax, valueBytesMax } from "@kith/store";
import { type Operation, OperationError, parseOperations } from "./operations.ts";

/** The pages that say something about the peer. */
export type Page = "status" | "health" | "ready" | "metrics" | "page";

/** What is asked for. */
export type Call =
  | { readonly kind: "get"; readonly key: Key; readonly isRaw: boolean }
  | {
      readonly kind: "put";
      readonly key: Key;
      readonly when: Condition | undefined;
      readonly expiresIn: number | null;
    }
  | { readonly kind: "delete"; readonly key: Key; readonly when: Condition | undefined }
  | { readonly kind: "transaction" }
  | { readonly kind: Page };

/** A request that is refused, or has failed; `code` is for programs. */
export class HttpFailure extends Error {
  readonly status: number;
  readonly code: string;
  /** More for the answer. */
  readonly more: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string,
    more: {
      readonly json?: Readonly<Record<string, unknown>>;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.more = more.json ?? {};
    this.headers = more.headers ?? {};
  }
}

/** How many bytes the body of a transaction may have. */
export const transactionBytesMax = 12 * 1024 * 1024;

const pages: ReadonlyMap<string, Page> = new Map([
  ["/", "page"],
  ["/status", "status"],
  ["/health", "health"],
  ["/ready", "ready"],
  ["/metrics", "metrics"],
]);
const keysPath = "/keys/";

/** Reads a request up to its body. HEAD asks for what GET does, without its body. @throws HttpFailure */
export function readCall(asked: string, target: string): Call {
  const method = asked === "HEAD" ? "GET" : asked;
  const [path, query] = splitAt(target, "?");
  if (path.startsWith(keysPath)) return readKeyCall(method, path.slice(keysPath.length), query);
  if (path === "/transactions") {
    allow(method, ["POST"]);
    return { kind: "transaction" };
  }
  const page = pages.get(path);
  if (page === undefined)
    throw new HttpFailure(
      404,
      "KITH_HTTP_PATH",
      `There is nothing at ${path.slice(0, 200)}; there are /keys/NAME, /transactions, ${[...pages.keys()].join(", ")}.`,
    );
  allow(method, ["GET"]);
  return { kind: page };
}

/** How many bytes the body of a request may have. */
export function bodyBytesMax({ kind }: Call): number {
  if (kind === "put") return valueBytesMax;
  return kind === "transaction" ? transactionBytesMax : 0;
}

/** The operations in a body. @throws HttpFailure */
export function readOperations(body: Uint8Array): Operation[] {
  let json: unknown;
  try {
    json = JSON.parse(strictText.decode(body));
  } catch {
    throw new HttpFailure(400, "KITH_HTTP_JSON", "The body is no JSON in UTF-8.");
  }
  if (typeof json !== "object" || json === null || !("operations" in json))
    throw new HttpFailure(400, "KITH_HTTP_JSON", 'The body is no {"operations": […]}.');
  try {
    return parseOperations(json.operations);
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    throw new HttpFailure(400, "KITH_HTTP_OPERATION", error.message);
  }
}

const strictText = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readKeyCall(method: string, name: string, query: string): Call {
  allow(method, ["GET", "PUT", "DELETE"]);
  const key = keyOf(name);
  const options = optionsOf(query);
  const known = { GET: ["raw"], PUT: ["expires", "if", "version"], DELETE: ["if", "version"] };
  const allowed: readonly string[] =
    method === "GET" ? known.GET : method === "PUT" ? known.PUT : known.DELETE;
  for (const option of options.keys())
    if (!allowed.includes(option))
      throw wrongQuery(
        `${method} knows no ?${option.slice(0, 50)}; it knows ${allowed.join(", ")}.`,
      );
  if (method === "GET") return { kind: "get", key, isRaw: options.has("raw") };
  const when = conditionOf(options);
  if (method === "DELETE") return { kind: "delete", key, when };
  const expires = options.get("expires");
  const expiresIn = expires === undefined ? null : numberOf(expires, "expires", 1);
  return { kind: "put", key, when, expiresIn };
}

function allow(method: string, methods: readonly string[]): void {
  if (methods.includes(method)) return;
  const headers = { allow: methods.join(", ") };
  throw new HttpFailure(405, "KITH_HTTP_METHOD", `Here is only ${methods.join(", ")}.`, {
    headers,
  });
}

/** A name is bytes: what is escaped need not be UTF-8. */
function keyOf(name: string): Key {
  if (/%(?![0-9A-Fa-f]{2})/.test(name))
    throw new HttpFailure(400, "KITH_HTTP_KEY", "The key has a % that escapes nothing.");
  const bytes: number[] = [];
  for (let i = 0; i < name.length; i++) {
    if (name[i] !== "%") bytes.push(name.charCodeAt(i) & 0xff);
    else {
      bytes.push(Number.parseInt(name.slice(i + 1, i + 3), 16));
      i += 2;
    }
  }
  if (bytes.length > keyBytesMax)
    throw new HttpFailure(400, "KITH_HTTP_KEY", `A key has at most ${keyBytesMax} bytes.`);
  return octetsOf(Uint8Array.from(bytes));
}

function optionsOf(query: string): Map<string, string> {
  const options = new Map<string, string>();
  if (query === "") return options;
  for (const part of query.split("&")) {
    const [name, value] = splitAt(part, "=");
    if (options.has(name)) throw wrongQuery(`?${name.slice(0, 50)} is there twice.`);
    options.set(name, value);
  }
  return options;
}

function conditionOf(options: ReadonlyMap<string, string>): Condition | undefined {
  const presence = options.get("if");
  const version = options.get("version");
  if (presence !== undefined && version !== undefined)
    throw wrongQuery("?if and ?version exclude each other.");
  if (version !== undefined) return { kind: "version", version: numberOf(version, "version", 0) };
  if (presence === undefined) return undefined;
  if (presence === "absent" || presence === "present") return { kind: presence };
  throw wrongQuery("?if is absent or present.");
}

function numberOf(text: string, name: string, min: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min) return value;
  throw wrongQuery(`?${name} is no number from ${min} on.`);
}

function wrongQuery(what: string): HttpFailure {
  return new HttpFailure(400, "KITH_HTTP_QUERY", what);
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
