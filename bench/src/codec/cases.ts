/**
 * What a message costs as bytes: encoded and decoded once, by each codec, beside what one would write by
 * hand with `JSON` or msgpackr, which carry the same envelope and check nothing that they read. Sizes
 * are those of a whole frame.
 */

import { type Codec, type Message, message, type PeerRef, PlainCodec } from "@kith/network";
import { MsgpackCodec } from "@kith/network/msgpack";
import { SuperjsonCodec } from "@kith/network/superjson";
import { Packr } from "msgpackr";
import type { Case } from "../harness.ts";

class Beat extends message("bench-codec/Beat")<{ n: number }> {}
class Text extends message("bench-codec/Text")<{ id: number; text: string }> {}
class Nested extends message("bench-codec/Nested")<{
  round: number;
  leader: PeerRef;
  votes: ReadonlyMap<string, number>;
  entries: readonly { index: number; key: string; value: Uint8Array }[];
}> {}

const to: PeerRef = { peerId: 2 ** 52 + 11, host: "10.0.0.17", port: 7000, incarnation: 3 };
const from: PeerRef = { peerId: 2 ** 51 + 7, host: "10.0.0.42", port: 7000, incarnation: 12 };

/** A message, and the same as JSON would have it. */
interface Shape {
  readonly message: Message;
  readonly json: () => object;
  /** Turns what JSON gives back into what it stands for. */
  readonly revive: (json: never) => unknown;
}

const keep = (json: never): unknown => json;

const entries = Array.from({ length: 5 }, (_, i) => ({
  index: 1000 + i,
  key: `user:${i}:balance`,
  value: new Uint8Array(32).fill(i + 1),
}));
const votes = new Map(Array.from({ length: 7 }, (_, i) => [`peer-${i}`, i * 100]));

const shapes: Readonly<Record<string, Shape>> = {
  small: {
    message: new Beat({ to, from, n: 42 }),
    json: () => ({ tag: Beat.tag, to, from, n: 42 }),
    revive: keep,
  },
  "100 bytes": {
    message: new Text({ to, from, id: 123_456, text: "0123456789".repeat(10) }),
    json: () => ({ tag: Text.tag, to, from, id: 123_456, text: "0123456789".repeat(10) }),
    revive: keep,
  },
  nested: {
    message: new Nested({ to, from, round: 9, leader: from, votes, entries }),
    json: () => ({
      tag: Nested.tag,
      to,
      from,
      round: 9,
      leader: from,
      votes: [...votes],
      entries: entries.map((entry) => ({
        ...entry,
        value: Buffer.from(entry.value).toString("base64"),
      })),
    }),
    revive: (json: {
      votes: [string, number][];
      entries: { index: number; key: string; value: string }[];
    }) => ({
      ...json,
      votes: new Map(json.votes),
      entries: json.entries.map((entry) => ({
        ...entry,
        value: new Uint8Array(Buffer.from(entry.value, "base64")),
      })),
    }),
  },
};

const count = 50_000;

function coded(codec: Codec, { message: one }: Shape): Case {
  return {
    unit: "message",
    count,
    run(times) {
      for (let i = 0; i < times; i++) sink = codec.decode(codec.encode(one));
    },
    facts: () => ({ bytes: codec.encode(one).length }),
  };
}

function byJson({ json, revive }: Shape): Case {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const encode = (): Uint8Array => encoder.encode(JSON.stringify(json()));
  return {
    unit: "message",
    count,
    run(times) {
      for (let i = 0; i < times; i++) sink = revive(JSON.parse(decoder.decode(encode())) as never);
    },
    facts: () => ({ bytes: encode().length }),
  };
}

function byMsgpackr({ message: one }: Shape): Case {
  const packr = new Packr();
  const { tag } = one.constructor as unknown as { readonly tag: string };
  const encode = (): Uint8Array => packr.pack(Object.assign({ tag }, one));
  return {
    unit: "message",
    count,
    run(times) {
      for (let i = 0; i < times; i++) sink = packr.unpack(new Uint8Array(encode()));
    },
    facts: () => ({ bytes: encode().length }),
  };
}

/** Takes every result, so that none of the work can be left out. */
export let sink: unknown;

/** The suites of codecs. */
export const codecSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> =
  Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      `codec, ${name}`,
      {
        PlainCodec: coded(new PlainCodec(), shape),
        MsgpackCodec: coded(new MsgpackCodec(), shape),
        SuperjsonCodec: coded(new SuperjsonCodec(), shape),
        "bare msgpackr": byMsgpackr(shape),
        "bare JSON": byJson(shape),
      },
    ]),
  );
