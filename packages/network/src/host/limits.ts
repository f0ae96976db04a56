/** The limits of a network on sockets. Each has a default that suits a cluster on one site. */

/** What a network on sockets grants. Durations are in milliseconds, sizes in bytes. */
export interface Limits {
  /**
   * The longest frame that is taken, and the longest message. Default 16 MiB and a bit, the most that a codec
   * writes. Lower it where messages are small: a peer may make this process hold so much.
   */
  readonly frameBytesMax: number;
  /** From this size on what waits for a peer leaves in more frames than one. Default 64 KiB. */
  readonly batchBytes: number;
  /** How many messages may wait for one peer, those included that wait to be acknowledged. Default 16,384. */
  readonly queueMessagesMax: number;
  /** How many bytes may wait for one peer. Default 32 MiB. */
  readonly queueBytesMax: number;
  /** How many bytes are handed to one socket at a time. Default 512 KiB: raise it for a long fat line. */
  readonly windowBytes: number;
  /** How many bytes of one connection may wait to be decoded before no more is read. Default 1 MiB. */
  readonly inboxBytesMax: number;
  /** How many connections there may be. Default 4,096. */
  readonly connectionsMax: number;
  /** How many callers may be on the way to a connection; one more, and the oldest is sent away. Default 256. */
  readonly callersMax: number;
  /** How many bytes a caller may send before it has shown who it is. Default 8 KiB. */
  readonly callerBytesMax: number;
  /** How long it may take to connect and to shake hands. Default 5 s. */
  readonly handshakeMs: number;
  /** After so much time without a word of its own, a side says that it lives. Default 5 s. */
  readonly heartbeatMs: number;
  /** After so much time without a word of the other side, a connection is lost. Default 15 s. */
  readonly silenceMs: number;
  /** After so much time without a message a connection is closed; 0 for never. Default 5 minutes. */
  readonly idleMs: number;
  /** How long the end of a connection may take in which the other side does not take part. Default 2 s. */
  readonly closeMs: number;
  /** The first pause after an attempt that failed; it doubles with each. Default 100 ms. */
  readonly backOffMs: number;
  /** The longest pause. Default 10 s. */
  readonly backOffMsMax: number;
}

/** The limits that hold where nobody says otherwise. */
export const defaultLimits: Limits = {
  frameBytesMax: 16 * 1024 * 1024 + 1024,
  batchBytes: 64 * 1024,
  queueMessagesMax: 16_384,
  queueBytesMax: 32 * 1024 * 1024,
  windowBytes: 512 * 1024,
  inboxBytesMax: 1024 * 1024,
  connectionsMax: 4096,
  callersMax: 256,
  callerBytesMax: 8 * 1024,
  handshakeMs: 5000,
  heartbeatMs: 5000,
  silenceMs: 15_000,
  idleMs: 300_000,
  closeMs: 2000,
  backOffMs: 100,
  backOffMsMax: 10_000,
};
