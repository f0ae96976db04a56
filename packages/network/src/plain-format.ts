/**
 * The format of the plain codec, as far as writer and reader have to agree on it.
 *
 * A frame is: version, tag, receiver, sender, fields. A value begins with one byte, its kind; small
 * integers and the lengths of short strings stand in that byte. Numbers of variable length are written
 * seven bits at a time, the low ones first. Fields and objects are pairs of key and value, each key
 * preceded by its length plus 1, up to a 0. Strings are UTF-8, where a surrogate without its partner is
 * written like any other code point of three bytes, so that every string survives.
 */

/** The first byte of every frame. */
export const version = 1;

/** The kinds of values; what is below 0x80 is an integer, below 0xc0 a string of up to 63 bytes. */
export const kind = {
  shortString: 0x80,
  null: 0xc0,
  undefined: 0xc1,
  false: 0xc2,
  true: 0xc3,
  /** A safe integer, not negative. */
  integer: 0xc4,
  /** A safe integer below 0, written as its amount minus 1. */
  negative: 0xc5,
  /** Eight bytes, little-endian. */
  double: 0xc6,
  /** The number of bytes of the amount, then these, the low ones first. */
  bigint: 0xc7,
  negativeBigint: 0xc8,
  string: 0xc9,
  bytes: 0xca,
  array: 0xcb,
  object: 0xcc,
  map: 0xcd,
  set: 0xce,
  /** An event within a message: tag, fields. */
  event: 0xcf,
  /** A peer reference; `domainPeer` ends with its failure domain. */
  peer: 0xd0,
  domainPeer: 0xd1,
  /** How often a peer has begun anew in this life of its process, before its reference. */
  rebornPeer: 0xd2,
} as const;

/** How deep values may lie in one another. */
export const depthMax = 64;
/** How many bytes the amount of a bigint may have: its conversion costs the square of that. */
export const bigintBytesMax = 512;
/** How many bytes a frame may have. */
export const frameBytesMax = 16 * 1024 * 1024;
/** 2 to the power of 28: integers are written in a low part of so many bits and a high part. */
export const lowPart = 0x1000_0000;
/** Where a short string ends and a long one begins, in bytes. */
export const shortStringEnd = 64;

/** A key that would change what an event is, not what it says. */
export function isForbiddenField(key: string): boolean {
  return key === "__proto__" || key === "constructor";
}

/** A view of an object by its keys. Every object has this type; the compiler only does not know. */
export function hasFields(value: object): value is Record<string, unknown> {
  return value !== null;
}
