/**
 * The transport in a browser: the browser's own WebSocket, which calls and cannot listen. It says nothing of
 * why a connection was not made, cannot be made to read more slowly, and does not tell when bytes have left:
 * that is looked at again and again as long as some wait.
 */

import { nonceBytes } from "./greeting.ts";
import type { Place, Transport, Wire, WireOptions, WireUser } from "./transport.ts";

/** What is used of the browser's WebSocket; Node's types know none. */
export interface BrowserSocket {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

declare const WebSocket: new (url: string) => BrowserSocket;

const path = "/kith";
const open = 1;
const lookAgainMs = 5;

/** A wire on the browser's WebSocket. */
export class BrowserWire implements Wire {
  readonly #socket: BrowserSocket;
  readonly #user: WireUser;
  #looking = false;
  #over = false;

  constructor(socket: BrowserSocket, user: WireUser, { frameBytesMax }: WireOptions) {
    this.#socket = socket;
    this.#user = user;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => user.opened();
    socket.onmessage = ({ data }) => {
      if (this.#over) return;
      if (!(data instanceof ArrayBuffer)) user.received(null);
      else if (data.byteLength <= frameBytesMax) user.received(new Uint8Array(data));
      else {
        this.#end(1009, "a frame is too long");
        socket.close(4100, "a frame is too long");
      }
    };
    socket.onclose = ({ code, reason }) => this.#end(code, reason);
  }

  get waiting(): number {
    return this.#socket.bufferedAmount;
  }

  send(frame: Uint8Array): void {
    if (this.#socket.readyState !== open) return;
    this.#socket.send(frame);
    this.#look();
  }

  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    setTimeout(() => {
      this.#looking = false;
      if (this.#over) return;
      this.#user.drained();
      if (this.waiting > 0) this.#look();
    }, lookAgainMs);
  }

  close(code: number, reason: string): void {
    this.#over = true;
    this.#socket.close(code, reason);
  }

  #end(code: number, detail: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#user.ended({ code, detail });
  }

  pause(): void {}
  resume(): void {}
  admit(): void {}
}

function dial({ host, port }: Place, user: WireUser, options: WireOptions): Wire {
  const name = host.includes(":") ? `[${host}]` : host;
  const scheme = options.tls === null ? "ws" : "wss";
  return new BrowserWire(new WebSocket(`${scheme}://${name}:${port}${path}`), user, options);
}

/** The transport of browsers. */
export const browserTransport: Transport = {
  now: () => performance.now(),
  nonce: () => crypto.getRandomValues(new Uint8Array(nonceBytes)),
  every: (ms, callback) => {
    const timer = setInterval(callback, ms);
    return () => clearInterval(timer);
  },
  soon: (callback) => queueMicrotask(callback),
  dial,
  listen: null,
};
