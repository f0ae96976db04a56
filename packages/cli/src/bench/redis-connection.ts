/** A connection to a Redis port that costs whoever measures little: bytes that are made beforehand go out, and of replies only what counts is read. */

import { connect, type Socket } from "node:net";

/** What came back for what was sent in one piece. */
export interface Replies {
  readonly errors: number;
  /** What the first error says; empty where there is none. */
  readonly error: string;
  /** Whether the last reply is nil: an EXEC that was not done. */
  readonly isNil: boolean;
}

interface Waiting {
  readonly resolve: (replies: Replies) => void;
  readonly reject: (cause: Error) => void;
}

/** One connection, one piece at a time. */
export class RedisConnection {
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #due = 0;
  #errors = 0;
  #error = "";
  #waiting: Waiting | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => this.#waiting?.reject(gone()));
  }

  /** Opens one to a port of loopback. */
  static open(port: number): Promise<RedisConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new RedisConnection(socket));
      });
    });
  }

  /** Sends bytes, and waits for so many replies. @throws Error where the connection has ended */
  ask(request: Buffer, replies: number): Promise<Replies> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(gone());
      this.#due = replies;
      this.#errors = 0;
      this.#error = "";
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
      return undefined;
    });
  }

  /** Ends it. */
  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    let isNil = false;
    while (this.#due > 0) {
      const end = replyEnd(bytes, at);
      if (end < 0) break;
      isNil = bytes[at + 1] === minus && (bytes[at] === bulk || bytes[at] === array);
      if (bytes[at] === minus) {
        this.#errors++;
        if (this.#error === "") this.#error = bytes.toString("utf8", at + 1, end - 2);
      }
      this.#due--;
      at = end;
    }
    this.#rest = bytes.subarray(at);
    if (this.#due > 0) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ errors: this.#errors, error: this.#error, isNil });
  }
}

const minus = 45;
const bulk = 36;
const array = 42;

function gone(): Error {
  return new Error("The server has ended the connection.");
}

/** Where the reply ends that begins here; -1 where it is not whole yet. */
export function replyEnd(bytes: Buffer, from: number): number {
  const line = bytes.indexOf(10, from);
  if (line < 0) return -1;
  const kind = bytes[from];
  if (kind !== bulk && kind !== array) return line + 1;
  const length = Number(bytes.toString("latin1", from + 1, line - 1));
  if (kind === bulk) {
    const end = length < 0 ? line + 1 : line + 1 + length + 2;
    return end <= bytes.length ? end : -1;
  }
  let at = line + 1;
  for (let i = 0; i < length && at >= 0; i++) at = replyEnd(bytes, at);
  return at;
}

/** A command, as it is sent. */
export function command(...words: readonly string[]): Buffer {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join("")}`);
}
