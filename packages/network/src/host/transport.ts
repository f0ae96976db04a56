/**
 * What a network needs of its host: sockets, a clock and random bytes. Everything else of the network is
 * the same in Node, in a browser and in its tests.
 *
 * A wire is one WebSocket, from the first thought of it to its end. It says each thing to its user in
 * order: `opened` once or never, then `received` any number of times, and `ended` once, after which
 * nothing comes. It may do so at any time, also from within a call to it.
 */

/** One WebSocket. */
export interface Wire {
  /** How many bytes were handed over and have not left the process. */
  readonly waiting: number;
  /** Hands over one frame, which is not to be changed afterwards. Only while the wire is open. */
  send(frame: Uint8Array): void;
  /** Ends it in order: what was handed over before still goes out. */
  close(code: number, reason: string): void;
  /** Reads nothing until `resume`; where the host cannot do that, nothing happens. */
  pause(): void;
  resume(): void;
  /** The other side has shown who it is: it may send long frames now. */
  admit(): void;
}

/** How a wire ended. */
export interface WireEnd {
  /** The code of the close frame; 1006 where there was none. */
  readonly code: number;
  /** Why, in words: of the other side, or of the host. */
  readonly detail: string;
}

/** Who uses a wire. */
export interface WireUser {
  /** Frames can be sent. */
  opened(): void;
  /** A binary frame has come; null stands for one of text, of which there should be none. */
  received(frame: Uint8Array | null): void;
  /** Some of what waited has left. */
  drained(): void;
  ended(end: WireEnd): void;
}

/** Certificates, in PEM. */
export interface Certificates {
  /** The chain of this process; a process that only calls needs none. */
  readonly cert?: string;
  /** Its private key. */
  readonly key?: string;
  /** Whom to trust instead of the authorities that the host trusts. */
  readonly ca?: string;
}

/** What a wire has to know of the network. */
export interface WireOptions {
  readonly tls: Certificates | null;
  readonly frameBytesMax: number;
  readonly callerBytesMax: number;
  readonly closeMs: number;
  /** From which web pages calls are taken; null for all. */
  readonly origins: readonly string[] | null;
}

/** A place. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Takes what a listening socket brings. */
export interface ListenerUser {
  /** Somebody calls: from the first byte of TCP on, long before the WebSocket is open. */
  called(wire: Wire, from: string): WireUser;
  /** It cannot listen. */
  failed(cause: unknown): void;
  /** A call could not be taken, because the process has no descriptor left for it, say; it listens on. */
  troubled(cause: unknown): void;
}

/** What a network needs of its host. */
export interface Transport {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** 32 bytes that nobody can guess. */
  nonce(): Uint8Array;
  /** Calls back again and again, until what it returns is called. */
  every(ms: number, callback: () => void): () => void;
  /** Calls back when what runs now has ended. */
  soon(callback: () => void): void;
  dial(to: Place, user: WireUser, options: WireOptions): Wire;
  /** Listens, until what it returns is called; null where the host cannot. */
  readonly listen: ((at: Place, user: ListenerUser, options: WireOptions) => () => void) | null;
}
