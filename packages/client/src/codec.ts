/** Codecs: how the values of ordinary code become bytes, and values again. */

import superjson from "superjson";
import { ClientError } from "./errors.ts";

/** Turns values into bytes and back. */
export interface Codec<V> {
  /** The bytes of a value. */
  encode(value: V): Uint8Array;
  /** The value of bytes that this codec has made, or somebody else. @throws whatever says that they are none */
  decode(bytes: Uint8Array): V;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Values are bytes as they are. */
export const bytes: Codec<Uint8Array> = {
  encode: (value) => value,
  decode: (value) => value,
};

/** Values are text, as UTF-8: what other clients and Redis see as well. */
export const text: Codec<string> = {
  encode: (value) => encoder.encode(value),
  decode: (value) => decoder.decode(value),
};

/**
 * Values are plain data as JSON: a number is written as its digits, so that `increment` can count on from it.
 *
 * @param isValue says whether what was read is such a value: bytes may have been written by anybody
 */
export function json<V>(isValue: (value: unknown) => value is V): Codec<V> {
  return {
    encode: (value) => encoder.encode(JSON.stringify(value)),
    decode: (value) => checked(JSON.parse(decoder.decode(value)), isValue),
  };
}

/**
 * Values are plain data with what JSON does not know: dates, maps, sets, bigints, undefined (superjson).
 *
 * @param isValue says whether what was read is such a value
 */
export function rich<V>(isValue: (value: unknown) => value is V): Codec<V> {
  return {
    encode: (value) => encoder.encode(superjson.stringify(value)),
    decode: (value) => checked(superjson.parse<unknown>(decoder.decode(value)), isValue),
  };
}

/** The value of bytes. @throws ClientError `KITH_CLIENT_VALUE` */
export function decoded<V>(codec: Codec<V>, stored: Uint8Array): V {
  try {
    return codec.decode(stored);
  } catch (cause) {
    if (cause instanceof ClientError) throw cause;
    const what = "What is stored there cannot be decoded.";
    throw new ClientError("KITH_CLIENT_VALUE", what, "not-done", { cause });
  }
}

function checked<V>(value: unknown, isValue: (value: unknown) => value is V): V {
  if (isValue(value)) return value;
  throw new ClientError(
    "KITH_CLIENT_VALUE",
    "What is stored there is no value of the expected shape.",
    "not-done",
  );
}
