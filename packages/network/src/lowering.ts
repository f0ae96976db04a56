/**
 * Brings plain data into the form that a library can write: what the library knows stays as it is, and
 * what it does not know, or would change on the way, is put into a form that a codec chooses.
 *
 * It looks at every value once, refuses what is no plain data, and copies only what has to change: a
 * value in which nothing has is returned itself. It never changes what it is given.
 */

import { Event, type EventClass } from "@kith/core";
import { networkError } from "./errors.ts";
import type { Message } from "./message.ts";
import { isPeer, type PeerRef } from "./peer-ref.ts";
import {
  bigintBytesMax,
  depthMax,
  frameBytesMax,
  hasFields,
  isForbiddenField,
} from "./plain-format.ts";
import { classOf, isRegistered, register } from "./registry.ts";

/** What a message is made of, each part in the form of the codec. */
export interface Lowered {
  readonly tag: string;
  readonly to: PeerRef;
  readonly from: PeerRef;
  /** Names and values by turns. */
  readonly fields: readonly unknown[];
}

/** One message after another; a codec derives from it and says what becomes of each kind of value. */
export abstract class Lowering {
  readonly #bytesMax: number;
  /** The class whose message is being looked at, for errors. */
  #name = "";
  /** The content of strings and byte arrays so far, in units and bytes: a lower bound of the frame. */
  #content = 0;

  /** @param bytesMax the longest frame */
  constructor(bytesMax: number = frameBytesMax) {
    this.#bytesMax = Math.min(bytesMax, frameBytesMax);
  }

  /** The message in the form of the codec; throws what `encode` throws. */
  message(message: Message, from: PeerRef | undefined): Lowered {
    this.#name = message.constructor.name;
    this.#content = 0;
    const tag = this.#tagOf(message);
    const to = this.#envelope(message.to, "receiver");
    const sender = this.#envelope(message.from ?? from, "sender");
    const fields: unknown[] = [];
    if (hasFields(message)) {
      for (const name of Object.keys(message)) {
        if (name === "to" || name === "from") continue;
        if (isForbiddenField(name)) throw this.#notPlain(`a field named ${name}`);
        fields.push(this.#text(name), this.#value(message[name], 1));
      }
    }
    return { tag, to, from: sender, fields };
  }

  /** Raises the error of a frame that has become too long, where it has. */
  checkLength(bytes: number): void {
    if (bytes > this.#bytesMax) {
      throw networkError(
        "KITH_MESSAGE_TOO_LARGE",
        `A ${this.#name} takes more than ${this.#bytesMax} bytes.`,
      );
    }
  }

  protected abstract number(value: number): unknown;
  protected abstract text(value: string): unknown;
  protected abstract bigint(value: bigint): unknown;
  protected abstract bytes(value: Uint8Array): unknown;
  /** @param elements lowered; the array itself where nothing had to change */
  protected abstract array(elements: readonly unknown[]): unknown;
  /** @param pairs keys and values by turns, lowered */
  protected abstract map(pairs: readonly unknown[]): unknown;
  /** @param members lowered */
  protected abstract set(members: readonly unknown[]): unknown;
  /** An object with a key that the library may not see. @param pairs keys and values by turns, lowered */
  protected abstract object(pairs: readonly unknown[]): unknown;
  /** @param pairs names and values of its fields by turns, lowered */
  protected abstract event(tag: string, pairs: readonly unknown[]): unknown;
  /** An object that is a valid peer reference and nothing more. */
  protected abstract peer(peer: PeerRef): unknown;
  /** Whether the library would keep a key as it is. */
  protected abstract isCommonKey(key: string): boolean;

  #value(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case "number":
        return this.number(value);
      case "string":
        return this.#text(value);
      case "boolean":
      case "undefined":
        return value;
      case "object":
        return value === null ? null : this.#object(value, depth);
      case "bigint":
        if (BigInt.asIntN(bigintBytesMax * 8 + 1, value) !== value)
          throw this.#notPlain(`a bigint of more than ${bigintBytesMax} bytes`);
        return this.bigint(value);
      case "function":
      case "symbol":
        throw this.#notPlain(`a ${typeof value}`);
    }
  }

  #text(value: string): unknown {
    this.checkLength((this.#content += value.length));
    return this.text(value);
  }

  #object(value: object, depth: number): unknown {
    if (depth >= depthMax)
      throw this.#notPlain(`a value ${depthMax} levels deep, or one that contains itself`);
    if (Array.isArray(value)) return this.array(this.#elements(value, depth));
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      if (this.#isExactPeer(value)) return this.peer(value);
      return this.#fields(value, prototype === null, depth);
    }
    if (prototype === Map.prototype && value instanceof Map) {
      const pairs: unknown[] = [];
      for (const [key, held] of value)
        pairs.push(this.#value(key, depth + 1), this.#value(held, depth + 1));
      return this.map(pairs);
    }
    if (prototype === Set.prototype && value instanceof Set) {
      const members: unknown[] = [];
      for (const member of value) members.push(this.#value(member, depth + 1));
      return this.set(members);
    }
    if (value instanceof Uint8Array) {
      this.checkLength((this.#content += value.length));
      return this.bytes(value);
    }
    if (value instanceof Event) {
      for (const name of Object.keys(value))
        if (isForbiddenField(name)) throw this.#notPlain(`a field named ${name}`);
      return this.event(this.#tagOf(value), this.#pairs(value, depth));
    }
    throw this.#notPlain(`an instance of ${value.constructor?.name ?? "a class without a name"}`);
  }

  #elements(value: readonly unknown[], depth: number): readonly unknown[] {
    let copy: unknown[] | null = null;
    for (let i = 0; i < value.length; i++) {
      const element = value[i];
      const lowered = this.#value(element, depth + 1);
      // A hole becomes undefined. `NaN` is like itself here.
      if (
        copy === null &&
        (!Object.is(lowered, element) || (lowered === undefined && !(i in value)))
      )
        copy = value.slice(0, i);
      copy?.push(lowered);
    }
    // An array of a class of its own, or with fields of its own, is no more than its elements.
    return copy ?? (Object.getPrototypeOf(value) === Array.prototype ? value : [...value]);
  }

  #fields(value: object, mustCopy: boolean, depth: number): unknown {
    if (!hasFields(value)) return value;
    let copy: Record<string, unknown> | null = mustCopy ? {} : null;
    const keys = Object.keys(value);
    for (const [i, key] of keys.entries()) {
      if (!this.isCommonKey(key)) return this.object(this.#pairs(value, depth));
      this.checkLength((this.#content += key.length));
      const held = value[key];
      const lowered = this.#value(held, depth + 1);
      if (copy === null && !Object.is(lowered, held)) {
        copy = {};
        for (const before of keys.slice(0, i)) copy[before] = value[before];
      }
      if (copy !== null) copy[key] = lowered;
    }
    return copy ?? value;
  }

  #pairs(value: object, depth: number): readonly unknown[] {
    const pairs: unknown[] = [];
    if (hasFields(value)) {
      for (const key of Object.keys(value))
        pairs.push(this.#text(key), this.#value(value[key], depth + 1));
    }
    return pairs;
  }

  #isExactPeer(value: object): value is PeerRef {
    if (!hasFields(value) || typeof value["peerId"] !== "number" || !isPeer(value)) return false;
    const { failureDomain, rebirth } = value;
    const more = (failureDomain === undefined ? 0 : 1) + (rebirth === undefined ? 0 : 1);
    return Object.keys(value).length === 4 + more;
  }

  #envelope(peer: PeerRef | undefined, role: string): PeerRef {
    if (isPeer(peer)) return peer;
    throw networkError("KITH_PEER_INVALID", `The ${role} of a ${this.#name} is no peer reference.`);
  }

  /** The tag of an event, whose class must be registered or can be. */
  #tagOf(value: Event): string {
    const cls: unknown = value.constructor;
    if (!isEventClass(cls)) throw this.#notPlain("an event without a class");
    if (!isRegistered(cls)) {
      if (classOf(cls.tag) === undefined)
        throw this.#notPlain(`a ${cls.name}, whose class is not registered`);
      register(cls);
    }
    return cls.tag;
  }

  #notPlain(what: string): Error {
    return networkError("KITH_MESSAGE_NOT_PLAIN", `A ${this.#name} holds ${what}.`);
  }
}

function isEventClass(value: unknown): value is EventClass {
  return typeof value === "function" && "tag" in value && typeof value.tag === "string";
}
