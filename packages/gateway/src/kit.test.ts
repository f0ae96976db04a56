/** Gateways for tests, and clients that show each reply as it stands on the wire. */

import { connect, type Socket } from "node:net";
import { Component, run, type System } from "@kith/core";
import { real } from "@kith/node";
import { RedisGateway, type RedisGatewayInit } from "./gateway.ts";
import { AskTraffic, Listener, Listening } from "./listening.ts";
import { MemoryStore, type MemoryStoreInit } from "./memory/index.ts";

/** Groups of hashed keys. */
export const bounds = ["", "\u0040", "\u0080", "\u00c0"];

interface ServedInit {
  readonly redis: RedisGatewayInit;
  readonly memory: MemoryStoreInit;
}

/** A gateway on a store in memory. */
class Served extends Component {
  readonly listener = this.requires(Listener);
  readonly memory;
  readonly redis;
  readonly #ask = this.listener.onAnswer(AskTraffic, (traffic) => {
    if ("counts" in traffic) this.told?.(traffic.counts);
  });
  listening: ((port: number) => void) | null = null;
  told: ((counts: Readonly<Record<string, number>>) => void) | null = null;
  port = 0;

  constructor({ redis, memory }: ServedInit) {
    super();
    this.memory = this.create(MemoryStore, memory);
    this.redis = this.create(RedisGateway, redis);
    this.connect(this.memory.ports.store, this.redis.ports.store);
    this.connect(this.redis.ports.listener, this.listener);
    this.listener.on(Listening, ({ port }) => {
      this.port = port;
      this.listening?.(port);
    });
  }

  traffic(): Promise<Readonly<Record<string, number>>> {
    return new Promise((resolve) => {
      this.told = resolve;
      this.enter(() => this.#ask(new AskTraffic()));
    });
  }
}

/** A gateway that serves. */
export interface ServedGateway {
  readonly port: number;
  readonly traffic: () => Promise<Readonly<Record<string, number>>>;
  readonly close: () => Promise<void>;
}

const open = new Set<() => Promise<unknown>>();

/** Closes all gateways and clients of a test. */
export async function closeAll(): Promise<void> {
  const closing = [...open];
  open.clear();
  await Promise.all(closing.map((close) => close()));
}

/** Starts a gateway on a store in memory. @throws (rejects with) the fault where it cannot listen */
export async function gatewayOnMemory(
  redis: Partial<RedisGatewayInit> = {},
  memory: MemoryStoreInit = { bounds },
): Promise<ServedGateway> {
  const init = { redis: { port: 0, ...redis }, memory };
  const system: System<Served> = await run(Served, init, real({ log: () => undefined }));
  const { instance } = system;
  const listening = new Promise<number>((resolve) => {
    if (instance.port > 0) resolve(instance.port);
    instance.listening = resolve;
  });
  const failed = system.done.then(() => {
    throw new Error("It has stopped.");
  });
  failed.catch(() => undefined);
  open.add(() => system.stop());
  const port = await Promise.race([listening, failed]);
  return { port, traffic: () => instance.traffic(), close: () => system.stop() };
}

/** Where a reply ends that begins there; -1 where it is not whole. */
export function replyEnd(bytes: Buffer, from: number): number {
  const line = bytes.indexOf("\r\n", from);
  if (line < 0) return -1;
  const mark = String.fromCharCode(bytes[from] ?? 0);
  const count = Number(bytes.toString("latin1", from + 1, line));
  let at = line + 2;
  if (mark === "$" || mark === "=") {
    if (count >= 0) at += count + 2;
    return at <= bytes.length ? at : -1;
  }
  if (!"*~%>".includes(mark)) return at;
  for (let left = mark === "%" ? 2 * count : count; left > 0; left--) {
    at = replyEnd(bytes, at);
    if (at < 0) return -1;
  }
  return at;
}

/** A command as it is sent. */
export function encoded(words: readonly (string | Uint8Array)[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? Buffer.from(word, "latin1") : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n"));
  }
  return Buffer.concat(parts);
}

/** A client that shows replies as they come, with a space for each end of a line. */
export class Client {
  readonly socket: Socket;
  /** When the connection has ended. */
  readonly closed: Promise<void>;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #waiting: ((reply: string) => void)[] = [];
  #over = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#take();
    });
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#over = true;
        for (const one of this.#waiting.splice(0)) one("closed");
        resolve();
      });
    });
    open.add(() => this.close());
  }

  /** A client of a port. */
  static to(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new Client(socket)));
      socket.setNoDelay(true);
      socket.once("error", reject);
    });
  }

  /** Sends bytes. */
  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** The next reply, or `closed`. */
  reply(): Promise<string> {
    return new Promise((resolve) => {
      if (this.#over) return resolve("closed");
      this.#waiting.push(resolve);
      return this.#take();
    });
  }

  /** Sends a command, and gives the reply. */
  ask(...words: readonly (string | Uint8Array)[]): Promise<string> {
    this.send(encoded(words));
    return this.reply();
  }

  /** Sends commands in one piece, and gives the replies. */
  all(commands: readonly (readonly (string | Uint8Array)[])[]): Promise<string[]> {
    const replies = commands.map(() => this.reply());
    this.send(Buffer.concat(commands.map(encoded)));
    return Promise.all(replies);
  }

  /** Hangs up. */
  close(): Promise<void> {
    this.socket.destroy();
    return this.closed;
  }

  #take(): void {
    while (this.#waiting.length > 0) {
      const end = this.#bytes.length === 0 ? -1 : replyEnd(this.#bytes, 0);
      if (end < 0) return;
      const reply = this.#bytes.toString("latin1", 0, end - 2).replaceAll("\r\n", " ");
      this.#bytes = this.#bytes.subarray(end);
      this.#waiting.shift()?.(reply);
    }
  }
}
