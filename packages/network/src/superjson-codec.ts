/**
 * The codec of JSON, by the library superjson: what people and browsers read.
 *
 * A frame is JSON text in UTF-8: `{"tag", "to", "from", "json", "meta"}`, where `json` and `meta` are what
 * superjson makes of the fields, with maps, sets, bigints, undefined and odd numbers as it writes them. Three
 * kinds of value are added: `bytes` in base64, `event` with its tag, and `object` for keys that superjson
 * refuses. `SuperjsonGuard` looks through the annotations of a frame before the library follows them.
 */

import { SuperJSON, type SuperJSONResult } from "superjson";
import type { Codec, UnknownTag } from "./codec.ts";
import { Lowering } from "./lowering.ts";
import type { Message } from "./message.ts";
import type { PeerRef } from "./peer-ref.ts";
import { frameBytesMax, hasFields } from "./plain-format.ts";
import { Malformed, malformed, objectOf, peerOf, Raising } from "./raising.ts";
import { schemaFingerprint } from "./registry.ts";
import { checkAnnotations, checkDepth } from "./superjson-guard.ts";

/** An event that superjson meets. */
class TaggedFields {
  readonly tag: string;
  readonly pairs: readonly unknown[];

  constructor(tag: string, pairs: readonly unknown[]) {
    this.tag = tag;
    this.pairs = pairs;
  }
}

/** An object with keys that superjson refuses. */
class Pairs {
  readonly pairs: readonly unknown[];

  constructor(pairs: readonly unknown[]) {
    this.pairs = pairs;
  }
}

const nothing = new Uint8Array(0);

/** Messages as JSON text. One may serve any number of networks of one thread. */
export class SuperjsonCodec implements Codec {
  readonly name = "superjson";
  readonly #lowering: SuperjsonLowering;
  /** Of its own: what others register with the library does not concern frames. */
  readonly #superjson = new SuperJSON();
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #raising = new Raising();
  #bytes = 0;
  #passed: Uint8Array = nothing;

  /** @param options `bytesMax`: the longest frame to write; default and limit 16 MiB */
  constructor(options: { readonly bytesMax?: number } = {}) {
    this.#lowering = new SuperjsonLowering(options.bytesMax);
    const superjson = this.#superjson;
    superjson.registerCustom<Uint8Array, string>(
      {
        isApplicable: (value): value is Uint8Array => value instanceof Uint8Array,
        serialize: toBase64,
        deserialize: fromBase64,
      },
      "bytes",
    );
    superjson.registerCustom<object, SuperJSONResult["json"]>(
      {
        isApplicable: (value): value is object => value instanceof Pairs,
        serialize: (value) => ({
          ...this.#written(value instanceof Pairs ? [...value.pairs] : []),
        }),
        deserialize: (json) => objectFrom(this.#readWhole(json)),
      },
      "object",
    );
    superjson.registerCustom<object, SuperJSONResult["json"]>(
      {
        isApplicable: (value): value is object => value instanceof TaggedFields,
        serialize: (value) =>
          value instanceof TaggedFields
            ? { tag: value.tag, ...this.#written(fieldsOf(value.pairs)) }
            : null,
        deserialize: (json) => this.#event(json),
      },
      "event",
    );
  }

  get bytes(): number {
    return this.#bytes;
  }

  encode(message: Message, from?: PeerRef): Uint8Array {
    const { tag, to, from: sender, fields } = this.#lowering.message(message, from);
    const frame = {
      tag,
      to: partsOf(to),
      from: partsOf(sender),
      ...this.#written(fieldsOf(fields)),
    };
    const bytes = this.#encoder.encode(JSON.stringify(frame));
    this.#bytes = bytes.length;
    this.#lowering.checkLength(bytes.length);
    return bytes;
  }

  decode(bytes: Uint8Array): Message | UnknownTag {
    this.#bytes = bytes.length;
    this.#passed = nothing;
    this.#raising = new Raising();
    try {
      if (bytes.length > frameBytesMax) throw new Malformed("the frame is too long");
      const frame: unknown = JSON.parse(this.#decoder.decode(bytes));
      checkDepth(frame);
      return this.#message(frame);
    } catch (error) {
      throw malformed(error);
    }
  }

  pass(message: Message, from?: PeerRef): Message | UnknownTag {
    const bytes = this.encode(message, from);
    const found = this.decode(bytes);
    this.#passed = bytes;
    return found;
  }

  digest(): number {
    let hash = 0x811c9dc5;
    for (const byte of this.#passed) hash = Math.imul(hash ^ byte, 0x01000193);
    return hash >>> 0;
  }

  fingerprint(): string {
    return schemaFingerprint();
  }

  /** What superjson makes of a value. That a part is there twice is left out: it arrives as two. */
  #written(value: unknown): SuperJSONResult {
    const { json, meta } = this.#superjson.serialize(value);
    return meta?.values === undefined ? { json } : { json, meta: { values: meta.values, v: 1 } };
  }

  #message(frame: unknown): Message | UnknownTag {
    if (!isObject(frame) || typeof frame["tag"] !== "string")
      throw new Malformed("no message in it");
    const to = peerFrom(frame["to"]);
    const from = peerFrom(frame["from"]);
    const fields = this.#readPart(frame);
    return this.#raising.message(frame["tag"], to, from, pairsOf(fields), 0);
  }

  #event(json: unknown): object {
    if (!isObject(json)) throw new Malformed("an event that is none");
    return this.#raising.event(json["tag"], pairsOf(this.#readPart(json)), 0);
  }

  #readWhole(json: unknown): unknown {
    if (!isObject(json)) throw new Malformed("an object that is none");
    return this.#readPart(json);
  }

  /** Reads `json` and `meta` of a frame or a part of it. */
  #readPart(part: Readonly<Record<string, unknown>>): unknown {
    const { json, meta } = part;
    const values = isObject(meta) ? meta["values"] : undefined;
    if (values === undefined) return json;
    checkAnnotations(values, json);
    const result = { json, meta: { values, v: 1 } };
    // Always so; the compiler does not know what the guard has seen.
    if (!isResult(result)) return json;
    return this.#superjson.deserialize(result, { inPlace: true });
  }
}

class SuperjsonLowering extends Lowering {
  protected number(value: number): unknown {
    return value;
  }

  protected text(value: string): unknown {
    return value;
  }

  protected bigint(value: bigint): unknown {
    return value;
  }

  protected bytes(value: Uint8Array): unknown {
    return value;
  }

  protected array(elements: readonly unknown[]): unknown {
    return elements;
  }

  protected map(pairs: readonly unknown[]): unknown {
    const map = new Map<unknown, unknown>();
    for (let i = 0; i < pairs.length; i += 2) map.set(pairs[i], pairs[i + 1]);
    return map;
  }

  protected set(members: readonly unknown[]): unknown {
    return new Set(members);
  }

  protected object(pairs: readonly unknown[]): unknown {
    return new Pairs(pairs);
  }

  protected event(tag: string, pairs: readonly unknown[]): unknown {
    return new TaggedFields(tag, pairs);
  }

  protected peer(peer: PeerRef): unknown {
    return peer;
  }

  protected isCommonKey(key: string): boolean {
    return isCommonKey(key);
  }
}

function isCommonKey(key: unknown): boolean {
  return key !== "__proto__" && key !== "constructor" && key !== "prototype";
}

/** Fields as an object, for people to read, where superjson takes their names. */
function fieldsOf(pairs: readonly unknown[]): unknown {
  for (let i = 0; i < pairs.length; i += 2) if (!isCommonKey(pairs[i])) return new Pairs(pairs);
  return objectOf(pairs, 0);
}

function partsOf({ peerId, host, port, incarnation, rebirth, failureDomain }: PeerRef): PeerRef {
  const parts = { peerId, host, port, incarnation };
  const whole = rebirth === undefined ? parts : { ...parts, rebirth };
  return failureDomain === undefined ? whole : { ...whole, failureDomain };
}

function peerFrom(part: unknown): PeerRef {
  if (!isObject(part)) throw new Malformed("no peer in the envelope");
  const { peerId, host, port, incarnation, rebirth, failureDomain } = part;
  return peerOf(peerId, host, port, incarnation, failureDomain, rebirth);
}

function objectFrom(pairs: unknown): object {
  if (!Array.isArray(pairs)) throw new Malformed("an object that is none");
  return objectOf(pairs, 0);
}

function pairsOf(fields: unknown): readonly unknown[] {
  if (!isObject(fields)) throw new Malformed("fields that are none");
  const pairs: unknown[] = [];
  for (const name of Object.keys(fields)) pairs.push(name, fields[name]);
  return pairs;
}

function isObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || !hasFields(value)) return false;
  return Object.getPrototypeOf(value) === Object.prototype;
}

function isResult(value: object): value is SuperJSONResult {
  return "json" in value;
}

function toBase64(bytes: Uint8Array): string {
  let units = "";
  for (let i = 0; i < bytes.length; i += 4096)
    units += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return btoa(units);
}

function fromBase64(text: unknown): Uint8Array {
  if (typeof text !== "string") throw new Malformed("bytes that are none");
  const units = atob(text);
  const bytes = new Uint8Array(units.length);
  for (let i = 0; i < units.length; i++) bytes[i] = units.charCodeAt(i);
  return bytes;
}
