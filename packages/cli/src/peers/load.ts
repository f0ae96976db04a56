/**
 * Load on a server: so many connections, each with one request under way, and how long each answer took. For Redis protocol and for the
 * JSON gateway of etcd.
 */

import { connect, type Socket } from "node:net";

/** What a server did under load. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** What one connection does, again and again. */
export interface Load {
  readonly ports: readonly number[];
  readonly clients: number;
  readonly seconds: number;
  /** The bytes of a request. */
  readonly request: (client: number, count: number) => Buffer;
  /** How an answer ends. */
  readonly answer: (text: string) => Answered;
}

/** Whether an answer is there, and whether it is an error. */
export type Answered = "not-yet" | "ok" | "error";

/** Puts load on a server. A first second is not counted. */
export async function load({
  ports,
  clients,
  seconds,
  request,
  answer,
}: Load): Promise<LoadResult> {
  const times: number[] = [];
  let errors = 0;
  const begin = performance.now() + 1000;
  const end = begin + seconds * 1000;
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const socket = await opened(ports[client % ports.length] ?? 0);
      for (let count = 0; performance.now() < end; count++) {
        const asked = performance.now();
        const result = await exchange(socket, request(client, count), answer);
        if (asked < begin) continue;
        if (result === "error") errors++;
        else times.push(performance.now() - asked);
      }
      socket.destroy();
    }),
  );
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? 0;
  return { perSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), errors };
}

/** A command of Redis. */
export function command(...words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join("")}`);
}

/** Whether a text has so many replies of Redis. */
export function replies(count: number): (text: string) => Answered {
  return (text) => {
    let at = 0;
    let isError = false;
    for (let i = 0; i < count; i++) {
      if (text[at] === "-") isError = true;
      const next = replyEnd(text, at);
      if (next === null) return "not-yet";
      at = next;
    }
    return isError ? "error" : "ok";
  };
}

/** Where a reply ends; null where it does not yet. */
function replyEnd(text: string, from: number): number | null {
  const line = text.indexOf("\r\n", from);
  if (line < 0) return null;
  const kind = text[from];
  const length = Number(text.slice(from + 1, line));
  if (kind === "$") {
    const end = length < 0 ? line + 2 : line + 2 + length + 2;
    return end <= text.length ? end : null;
  }
  if (kind !== "*") return line + 2;
  let at: number | null = line + 2;
  for (let i = 0; i < length && at !== null; i++) at = replyEnd(text, at);
  return at;
}

/** Opens a connection. */
export function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

/** Sends a request, and waits for its answer. A connection that ends is an error. */
export function exchange(
  socket: Socket,
  request: Buffer,
  answer: Load["answer"],
): Promise<Exclude<Answered, "not-yet">> {
  return new Promise((resolve) => {
    let text = "";
    const end = (result: Exclude<Answered, "not-yet">): void => {
      socket.off("data", take);
      socket.off("close", gone);
      resolve(result);
    };
    const take = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      const result = answer(text);
      if (result !== "not-yet") end(result);
    };
    const gone = (): void => end("error");
    socket.on("data", take);
    socket.on("close", gone);
    if (socket.destroyed) gone();
    else socket.write(request);
  });
}
