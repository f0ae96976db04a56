/**
 * What one would write by hand on `ws` and on TCP: the same messages through the same codec, in the framing of
 * the Network (many in one WebSocket message, each behind its length) or one in each write.
 */

import { createConnection, createServer, type Socket } from "node:net";
import { message, PlainCodec, type PeerRef, register } from "@kith/network";
import { WebSocket, WebSocketServer } from "ws";

/** The message of the benchmarks: 100 bytes and a number. */
export class Data extends message("bench/Data")<{ n: number; body: Uint8Array }> {}
/** The answer to it, in round trips. */
export class Echo extends message("bench/Echo")<{ n: number; body: Uint8Array }> {}
// Nobody subscribes to them where there are no components.
register(Data);
register(Echo);

/** The content of all messages. */
export const body = new Uint8Array(100).fill(7);
/** The codec of all cases. */
export const codec = new PlainCodec();

/** How a bare connection carries messages. */
export type Way = "batched" | "single" | "tcp";

/** One end of a bare connection. */
export interface End {
  /** Sends these messages. */
  send(frames: readonly Uint8Array[]): void;
  /** How many bytes have not left. */
  readonly waiting: number;
  close(): void;
}

/** Writes the length, as the Network does. */
function head(length: number): Uint8Array {
  const bytes: number[] = [];
  let left = length * 4;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Uint8Array.from(bytes);
}

/** One WebSocket message of all these frames. */
function batch(frames: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const frame of frames) length += frame.length + (frame.length >= 32 ? 2 : 1);
  const whole = new Uint8Array(length);
  let at = 0;
  for (const frame of frames) {
    let left = frame.length * 4;
    for (; left >= 0x80; left = Math.floor(left / 0x80)) whole[at++] = (left & 0x7f) | 0x80;
    whole[at++] = left;
    whole.set(frame, at);
    at += frame.length;
  }
  return whole;
}

/** The frames of a batch; from a stream, what is left of it at the end. */
function split(whole: Uint8Array, take: (frame: Uint8Array) => void): Uint8Array {
  for (let at = 0; at < whole.length;) {
    const from = at;
    let value = 0;
    for (let unit = 1, byte = 0x80; byte >= 0x80; unit *= 0x80) {
      // Of a stream, even a length may be here in part.
      if (at === whole.length) return whole.subarray(from);
      byte = whole[at++] ?? 0;
      value += (byte & 0x7f) * unit;
    }
    const length = value / 4;
    if (at + length > whole.length) return whole.subarray(from);
    take(whole.subarray(at, at + length));
    at += length;
  }
  return whole.subarray(whole.length);
}

function onWebSocket(socket: WebSocket, way: Way, take: (frame: Uint8Array) => void): End {
  socket.on("message", (data: Buffer) => {
    if (way === "batched") split(data, take);
    else take(data);
  });
  socket.on("error", () => undefined);
  return {
    send: (frames) => {
      if (way === "batched") socket.send(batch(frames));
      else for (const frame of frames) socket.send(frame);
    },
    get waiting() {
      return socket.bufferedAmount;
    },
    close: () => socket.terminate(),
  };
}

function onTcp(socket: Socket, take: (frame: Uint8Array) => void): End {
  let rest: Uint8Array = new Uint8Array(0);
  socket.setNoDelay(true);
  socket.on("data", (data: Uint8Array) => {
    rest = split(rest.length === 0 ? data : Buffer.concat([rest, data]), take);
  });
  socket.on("error", () => undefined);
  return {
    send: (frames) => {
      // One write for each message: its length and itself in one piece.
      for (const frame of frames) socket.write(Buffer.concat([head(frame.length), frame]));
    },
    get waiting() {
      return socket.writableLength;
    },
    close: () => socket.destroy(),
  };
}

/** Listens for one bare connection. @returns resolves with the port */
export function serve(
  way: Way,
  take: (frame: Uint8Array, end: () => End) => void,
): Promise<number> {
  return new Promise((resolve) => {
    if (way === "tcp") {
      const server = createServer((socket) => {
        const end: End = onTcp(socket, (frame) => take(frame, () => end));
      });
      server.listen(0, "127.0.0.1", () => resolve(portOf(server.address())));
    } else {
      const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
      server.on("connection", (socket) => {
        const end: End = onWebSocket(socket, way, (frame) => take(frame, () => end));
      });
      server.on("listening", () => resolve(portOf(server.address())));
    }
  });
}

/** Makes one bare connection. */
export function dial(way: Way, port: number, take: (frame: Uint8Array) => void): Promise<End> {
  return new Promise((resolve) => {
    if (way === "tcp") {
      const socket = createConnection({ host: "127.0.0.1", port });
      const end = onTcp(socket, take);
      socket.on("connect", () => resolve(end));
    } else {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
      const end = onWebSocket(socket, way, take);
      socket.on("open", () => resolve(end));
    }
  });
}

function portOf(address: ReturnType<ReturnType<typeof createServer>["address"]>): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A peer of the benchmarks. */
export function peerAt(peerId: number, port: number): PeerRef {
  return { peerId, host: "127.0.0.1", port, incarnation: 1 };
}
