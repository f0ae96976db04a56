/**
 * Calls of gRPC on a socket of their own, written by hand so that the client of what Kith is measured against costs as
 * little as it can: a call is two frames, whose headers are the same bytes each time, and of the answers only what
 * is in them is read. HTTP/2 is RFC 9113, its headers RFC 7541 (literals only), gRPC's framing that of its specification.
 *
 * An answer with a message is a success. One without is a failure, whose reason stands in headers that are not read.
 */

import { connect, type Socket } from "node:net";

const frame = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  window: 8,
} as const;
const flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8 } as const;
const frameHead = 9;
const windowMax = 0x7fff_ffff;

/** Answers one call: the message, or null where it failed. */
export type Answered = (message: Buffer | null) => void;

/** A connection on which any number of calls are under way. */
export class GrpcConnection {
  readonly #socket: Socket;
  readonly #heads = new Map<string, Buffer>();
  readonly #calls = new Map<number, { readonly answered: Answered; body: Buffer[] }>();
  readonly #queue: { readonly bytes: Buffer; readonly data: number }[] = [];
  readonly #authority: string;
  #rest: Buffer = Buffer.alloc(0);
  readonly #out: Buffer[] = [];
  #lastStream = -1;
  /** How many bytes of messages the server takes now. */
  #window = 65_535;
  #received = 0;

  constructor(host: string, port: number) {
    this.#authority = `${host}:${port}`;
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on("connect", () => {
      // A port of the system's own choice, on which nobody listens, may have been connected with itself.
      if (this.#socket.localPort === this.#socket.remotePort) this.#socket.destroy();
    });
    this.#socket.on("data", (bytes) => this.#read(bytes));
    this.#socket.on("close", () => this.#end());
    this.#socket.on("error", () => undefined);
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(4, 0); // The first window of each stream.
    settings.writeUInt32BE(windowMax, 2);
    this.#out.push(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1"));
    this.#push(frame.settings, 0, 0, settings);
    this.#push(frame.window, 0, 0, uint32(windowMax - 65_535));
  }

  /** Calls a method (`/package.Service/Method`) with a message. */
  call(method: string, message: Uint8Array, answered: Answered): void {
    if (this.#socket.destroyed) {
      // Its server is gone: nobody else would ever answer.
      setImmediate(() => answered(null));
      return;
    }
    const stream = (this.#lastStream += 2);
    this.#calls.set(stream, { answered, body: [] });
    const head = this.#headers(method);
    const data = Buffer.alloc(5 + message.length);
    data.writeUInt32BE(message.length, 1);
    data.set(message, 5);
    const bytes = Buffer.concat([
      encode(frame.headers, flag.endHeaders, stream, head),
      encode(frame.data, flag.endStream, stream, data),
    ]);
    this.#queue.push({ bytes, data: data.length });
    this.#send();
  }

  /** Ends the connection. */
  close(): void {
    this.#socket.destroy();
  }

  #headers(method: string): Buffer {
    let head = this.#heads.get(method);
    if (head === undefined) {
      // The first two stand in HTTP/2's own table; names of others, too, where they are given by a number.
      head = Buffer.concat([
        Buffer.of(0x83, 0x86),
        literal(4, method),
        literal(1, this.#authority),
        literal(31, "application/grpc"),
        Buffer.of(0),
        text("te"),
        text("trailers"),
      ]);
      this.#heads.set(method, head);
    }
    return head;
  }

  #push(type: number, flags: number, stream: number, payload: Uint8Array): void {
    this.#out.push(encode(type, flags, stream, payload));
    this.#send();
  }

  /** Sends what the server's window lets through, once a turn. */
  #send(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      let taken = 0;
      for (const { bytes, data } of this.#queue) {
        if (data > this.#window) break;
        this.#window -= data;
        this.#out.push(bytes);
        taken++;
      }
      this.#queue.splice(0, taken);
      if (this.#out.length > 0) this.#socket.write(Buffer.concat(this.#out.splice(0)));
    });
  }
  #flushing = false;

  #read(bytes: Buffer): void {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (rest.length >= frameHead) {
      const end = frameHead + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      const payload = rest.subarray(frameHead, end);
      this.#frame(rest[3] ?? 0, rest[4] ?? 0, rest.readUInt32BE(5) & windowMax, payload);
      rest = rest.subarray(end);
    }
    this.#rest = rest;
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case frame.data:
        this.#received += payload.length;
        this.#calls.get(stream)?.body.push(payload);
        if (this.#received > 1 << 29) {
          this.#push(frame.window, 0, 0, uint32(this.#received));
          this.#received = 0;
        }
        break;
      case frame.settings:
        if ((flags & flag.ack) === 0) this.#push(frame.settings, flag.ack, 0, Buffer.alloc(0));
        break;
      case frame.ping:
        if ((flags & flag.ack) === 0) this.#push(frame.ping, flag.ack, 0, payload);
        break;
      case frame.window:
        if (stream === 0) this.#window += payload.readUInt32BE(0);
        this.#send();
        break;
      case frame.goAway:
        this.#socket.destroy();
        return;
      default:
    }
    const ends = type === frame.data || type === frame.headers;
    if (type === frame.reset || (ends && (flags & flag.endStream) !== 0)) this.#answer(stream);
  }

  #answer(stream: number): void {
    const call = this.#calls.get(stream);
    if (call === undefined) return;
    this.#calls.delete(stream);
    const [first, ...more] = call.body;
    const whole = first === undefined || more.length === 0 ? first : Buffer.concat(call.body);
    call.answered(whole === undefined || whole.length < 5 ? null : whole.subarray(5));
  }

  #end(): void {
    for (const stream of [...this.#calls.keys()]) {
      this.#calls.get(stream)?.body.splice(0);
      this.#answer(stream);
    }
  }
}

function encode(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(frameHead + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, frameHead);
  return bytes;
}

/** A header that stays out of the tables; its name has a number in HTTP/2's own. */
function literal(name: number, value: string): Buffer {
  const head = name < 15 ? Buffer.of(name) : Buffer.of(15, name - 15);
  return Buffer.concat([head, text(value)]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value, "latin1")]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
