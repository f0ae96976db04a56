/** What strangers may ask of the HTTP server. All of it is bounded. */

/** Bounds. Times in milliseconds. */
export interface HttpLimits {
  /** Connections at a time. */
  readonly connectionsMax: number;
  /** Requests under way at a time; one more is answered with 503. */
  readonly requestsMax: number;
  /** Bytes of all headers of a request. */
  readonly headerBytesMax: number;
  /** Bytes of all bodies that are being read or worked on. */
  readonly bodiesBytesMax: number;
  /** How long the headers, and then all of a request, may take to come; an answer may stand still as long as the latter. */
  readonly headersMs: number;
  readonly requestMs: number;
  /** How long a connection may stay without a request. */
  readonly idleMs: number;
  /** How long the store is asked. */
  readonly withinMs: number;
  /** How much longer it is waited for; then nobody knows what has become of it. */
  readonly graceMs: number;
}

/** The bounds where nobody says otherwise. */
export const defaultHttpLimits: HttpLimits = {
  connectionsMax: 1000,
  requestsMax: 500,
  headerBytesMax: 16 * 1024,
  bodiesBytesMax: 64 * 1024 * 1024,
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 5000,
  withinMs: 5000,
  graceMs: 15_000,
};
