/** A wire on `ws`, for both sides, and what the errors of sockets mean in words. */

import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import type { Wire, WireUser } from "./transport.ts";

/** How a caller is sent away that is no WebSocket yet. */
export interface Door {
  /** Answers what the other side understands at this stage, and hangs up. */
  turnAway(code: number, reason: string): void;
}

/** A wire on a WebSocket of `ws`, or on what may become one. */
export class NodeWire implements Wire {
  user: WireUser | null = null;
  readonly #door: Door;
  #socket: WebSocket | null = null;
  #stream: Duplex | null = null;
  #over = false;
  #error = "";
  /** The close code that belongs to what `ws` found wrong with a frame; 0 where it found nothing. */
  #errorCode = 0;
  #callerBytesLeft = 0;
  readonly #written = (): void => this.user?.drained();
  readonly #counted = (chunk: Uint8Array): void => this.#count(chunk.length);

  constructor(door: Door) {
    this.#door = door;
  }

  get waiting(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Whether it is a WebSocket, which tells of its end itself. */
  get open(): boolean {
    return this.#socket !== null;
  }

  /** Whether it has ended, or was sent away. */
  get over(): boolean {
    return this.#over;
  }

  /** Listens to a WebSocket from now on. */
  use(socket: WebSocket): void {
    this.#socket = socket;
    socket.binaryType = "nodebuffer";
    socket.on("message", (data: RawData, binary: boolean) => {
      if (!this.#over) this.user?.received(binary && data instanceof Uint8Array ? data : null);
    });
    socket.on("error", (error: Error) => {
      this.#error ||= explain(error);
      const code: unknown = Reflect.get(error, "code");
      if (typeof code === "string" && code.startsWith("WS_ERR_"))
        this.#errorCode = code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH" ? 1009 : 1002;
    });
    socket.on("close", (code: number, reason: Buffer) => {
      const own = this.#errorCode === 0 ? code : this.#errorCode;
      this.end(own, this.#error === "" ? reason.toString() : this.#error);
    });
    socket.on("open", () => this.user?.opened());
  }

  /** Grants so many bytes of this stream until the other side is admitted. */
  watch(stream: Duplex, bytesMax: number): void {
    this.#stream = stream;
    this.#callerBytesLeft = bytesMax;
    stream.on("data", this.#counted);
  }

  #count(bytes: number): void {
    this.#callerBytesLeft -= bytes;
    if (this.#callerBytesLeft >= 0 || this.#over) return;
    const detail = "it sent too much before it had shown who it is";
    this.end(1009, detail);
    this.#stream?.off("data", this.#counted);
    this.#socket?.close(1009, detail);
    // Nothing more of it is read: it ends when the time to close is over.
    this.#socket?.pause();
  }

  /** It is over: tells so, once. */
  end(code: number, detail: string): void {
    if (this.#over) return;
    this.#over = true;
    this.user?.ended({ code, detail });
  }

  /** What went wrong, for when it ends. */
  explain(why: string): void {
    this.#error ||= why;
  }

  send(frame: Uint8Array): void {
    if (this.#socket?.readyState === 1) this.#socket.send(frame, this.#written);
  }

  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    const state = this.#socket?.readyState ?? 0;
    if (state === 0) this.#door.turnAway(code, reason);
    else if (state === 1) {
      this.#socket?.resume();
      this.#socket?.close(code, reason);
    }
    // Otherwise it closes already, for which it has not more than its time.
  }

  pause(): void {
    if (this.#socket?.readyState === 1) this.#socket.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Breaks it, without a word to the other side. */
  cut(): void {
    this.#socket?.terminate();
  }

  admit(): void {
    this.#stream?.off("data", this.#counted);
  }
}

/** How long `ws` waits for the other side's close frame; its types do not know the option. */
export function closing(closeMs: number): { readonly closeTimeout: number } {
  return { closeTimeout: closeMs };
}

/** What an error of a socket means, where its own text does not say it. */
export function explain(error: Error): string {
  const code: unknown = Reflect.get(error, "code");
  const text = error.message;
  if (code === "ECONNREFUSED") return `nobody listens there (${text})`;
  if (code === "EPROTO" || /wrong version number|alert protocol version/i.test(text))
    return `the other side does not speak TLS (${String(code)})`;
  if (code === "ECONNRESET") return `the other side hung up (${text})`;
  return text;
}
