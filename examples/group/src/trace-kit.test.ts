/**
 * Reading what `strace` has seen of a member: what it had on its disk when it said something to another one.
 *
 * A vote, a request for votes and the acknowledgement of entries are looked for in what leaves over sockets; what they
 * speak of is looked for in what was written to the journal before a sync that had come to its end by then.
 */

import { MsgpackCodec } from "@kith/network/msgpack";
import { Bundle, bundled, ByteReader, ByteWriter, messagesIn, type WireMessage } from "@kith/paxos";

/** What `strace` is asked for. */
export const straceArguments: readonly string[] = [
  ...["-f", "-yy", "-xx", "-s", "1000000"],
  ...["-e", "trace=write,writev,sendto,sendmsg,pwrite64,pwritev,fdatasync,fsync"],
];

/** Something that was said, and what of the journal was synced by then. */
interface Said {
  readonly message: WireMessage;
  readonly synced: number;
}

/** What a trace shows. */
export interface Seen {
  readonly said: readonly Said[];
  /** What was written to the journal, in order; the first parts of it were synced first. */
  readonly journal: Buffer;
}

/** What the traces of all members show: how much was promised, and what of it was not on the disk. */
export interface Judged {
  readonly acknowledgements: number;
  readonly votes: number;
  readonly broken: readonly string[];
}

/** Judges the members' traces. */
export function judge(traces: readonly string[]): Judged {
  const all = traces.map(readTrace);
  // As they stand in the journal, too; their times make them unlike all others.
  const entries = new Map<number, Buffer>();
  for (const { said } of all) {
    for (const { message } of said) {
      if (message.kind !== "append") continue;
      const reader = new ByteReader(message.entries);
      for (let index = message.prevIndex + 1; !reader.ended; index++)
        entries.set(index, Buffer.from(reader.bytes()));
    }
  }
  const broken: string[] = [];
  let acknowledgements = 0;
  let votes = 0;
  for (const { said, journal } of all) {
    const has = (part: Buffer, upTo: number): boolean => {
      const at = journal.indexOf(part);
      return at >= 0 && at + part.length <= upTo;
    };
    // What it needs no more than once.
    let acknowledged = 0;
    for (const { message, synced } of said) {
      const { from, term } = message;
      if (message.kind === "append-answer" && message.match > acknowledged) {
        for (let index = acknowledged + 1; index <= message.match; index++) {
          const entry = entries.get(index);
          if (entry === undefined) continue;
          acknowledgements++;
          if (!has(entry, synced))
            broken.push(`member ${from} acknowledged entry ${index}, which is not on its disk`);
        }
        acknowledged = message.match;
      } else if (message.kind === "vote-answer" && message.granted) {
        votes++;
        if (!has(hardOf(term, message.to), synced))
          broken.push(`member ${from} voted for ${message.to} in term ${term}, not on its disk`);
      } else if (message.kind === "vote") {
        votes++;
        if (!has(hardOf(term, from), synced))
          broken.push(`member ${from} asked for votes in term ${term}, which is not on its disk`);
      }
    }
  }
  return { acknowledgements, votes, broken };
}

/** Reads one trace. */
function readTrace(trace: string): Seen {
  // Registers the class with the codec.
  const to = { peerId: 0, host: "nobody", port: 1, incarnation: 0 };
  const bundle = new Bundle({ to, messages: bundled([]) });
  const codec = new MsgpackCodec();
  const streams = new Map<string, Stream>();
  const syncing = new Map<string, number>();
  const journal: Buffer[] = [];
  const said: Said[] = [];
  let written = 0;
  let synced = 0;
  for (const line of trace.split("\n")) {
    const found = /^(\d+) +(?:(\w+)\(\d+<(.*?)>(?=[,) ])|<\.\.\. (\w+) resumed>)/.exec(line);
    if (found === null) continue;
    const [, thread = "", call = "", place = "", resumed = ""] = found;
    if (/^f(data)?sync$/.test(call) && /\/journal-/.test(unhex(place))) {
      if (line.includes("<unfinished")) syncing.set(thread, written);
      else if (line.endsWith("= 0")) synced = Math.max(synced, written);
    } else if (/^f(data)?sync$/.test(resumed)) {
      if (line.endsWith("= 0")) synced = Math.max(synced, syncing.get(thread) ?? 0);
      syncing.delete(thread);
    } else if (/\/journal-/.test(unhex(place))) {
      const bytes = bytesIn(line);
      journal.push(bytes);
      written += bytes.length;
    } else if (place.startsWith("TCP")) {
      let stream = streams.get(place);
      if (stream === undefined) streams.set(place, (stream = new Stream()));
      for (const record of stream.take(bytesIn(line))) {
        const message = codec.decode(record);
        if (message instanceof bundle.constructor)
          for (const one of messagesIn(message as Bundle)) said.push({ message: one, synced });
      }
    }
  }
  return { said, journal: Buffer.concat(journal) };
}

/** The bytes of a call, as `-xx` shows them. */
function bytesIn(line: string): Buffer {
  const parts = [...line.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = ""]) =>
    Buffer.from(hex.replaceAll("\\x", ""), "hex"),
  );
  const bytes = Buffer.concat(parts);
  const done = Number(/ = (\d+)$/.exec(line)?.[1] ?? bytes.length);
  return bytes.subarray(0, done);
}

/** Paths are shown as bytes, too. */
function unhex(place: string): string {
  return place.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
}

/** What leaves over one socket: HTTP first, then frames of WebSocket, and in them batches of messages. */
class Stream {
  #rest: Buffer = Buffer.alloc(0);
  #upgraded = false;
  /** The frames of the handshake: two from each side. */
  #greetings = 2;

  /** Adds bytes. @returns the messages that are complete with them */
  take(bytes: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (!this.#upgraded) {
      const end = this.#rest.indexOf("\r\n\r\n");
      if (end < 0) return [];
      this.#upgraded = true;
      this.#rest = this.#rest.subarray(end + 4);
    }
    const records: Buffer[] = [];
    for (let frame = this.#frame(); frame !== null; frame = this.#frame())
      if (this.#greetings > 0) this.#greetings--;
      else records.push(...recordsOf(frame));
    return records;
  }

  /** The next binary frame; null where it is not complete. RFC 6455, §5.2. */
  #frame(): Buffer | null {
    const rest = this.#rest;
    const [first = 0, second = 0] = rest;
    const short = second & 0x7f;
    let at = short === 126 ? 4 : short === 127 ? 10 : 2;
    const masked = (second & 0x80) !== 0;
    if (rest.length < at + (masked ? 4 : 0)) return null;
    const length =
      short === 126 ? rest.readUInt16BE(2) : short === 127 ? rest.readUIntBE(4, 6) : short;
    const mask = masked ? rest.subarray(at, at + 4) : null;
    at += masked ? 4 : 0;
    if (rest.length < at + length) return null;
    const payload = Buffer.from(rest.subarray(at, at + length));
    if (mask !== null) for (let i = 0; i < length; i++) payload[i]! ^= mask[i & 3] ?? 0;
    this.#rest = rest.subarray(at + length);
    return (first & 0x0f) === 2 ? payload : Buffer.alloc(0);
  }
}

/** The messages of a batch: each has a head, an integer whose lower two bits are its kind. */
function recordsOf(batch: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < batch.length;) {
    let head = 0;
    for (let unit = 1; ; unit *= 0x80) {
      const byte = batch[at++] ?? 0;
      head += (byte & 0x7f) * unit;
      if (byte < 0x80) break;
    }
    if ((head & 3) > 1) continue;
    records.push(batch.subarray(at, at + Math.floor(head / 4)));
    at += Math.floor(head / 4);
  }
  return records;
}

/** Term and vote as they stand in the journal: a key and a value, each behind its length in four bytes. */
function hardOf(term: number, vote: number): Buffer {
  const value = new ByteWriter().count(term).count(vote).done();
  return Buffer.concat([
    Buffer.of(0, 0, 0, 4),
    Buffer.from("hard"),
    Buffer.of(0, 0, 0, value.length),
    value,
  ]);
}
