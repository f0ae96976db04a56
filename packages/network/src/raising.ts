/**
 * Puts messages and events together from the parts that a library has read out of a frame.
 *
 * The parts come from outside: nothing that they say may change what an event is, and a tag that no class
 * has makes an UnknownTag of the whole frame. The caller has seen to it that they are plain and not too deep.
 */

import { Event } from "@kith/core";
import { UnknownTag } from "./codec.ts";
import { networkError } from "./errors.ts";
import { Message } from "./message.ts";
import { isPeer, type PeerRef } from "./peer-ref.ts";
import { hasFields, isForbiddenField } from "./plain-format.ts";
import { classOf } from "./registry.ts";

/** What is wrong with a frame; becomes the coded error, which costs more to build. */
export class Malformed extends Error {}

/** The error of a malformed frame, whatever it was that failed while it was read. */
export function malformed(error: unknown): Error {
  // What a class does when its field is set, or a library when it gives up, is told as the cause.
  const known = error instanceof Malformed;
  return networkError(
    "KITH_FRAME_MALFORMED",
    `A frame is malformed: ${known ? error.message : "it cannot be made into a message"}.`,
    known ? undefined : error,
  );
}

/** The events of one frame. */
export class Raising {
  /** The first tag within the frame that no class has. */
  #unknown: string | null = null;

  /**
   * An event within a message.
   *
   * @param pairs names and values of its fields by turns
   */
  event(tag: unknown, pairs: readonly unknown[], from: number): object {
    return this.#filled(this.#make(tag), pairs, from, false);
  }

  /** The message itself, once everything within it has been raised. */
  message(
    tag: string,
    to: PeerRef,
    from: PeerRef,
    pairs: readonly unknown[],
    at: number,
  ): Message | UnknownTag {
    const inner = this.#unknown;
    this.#unknown = null;
    const made = this.#make(tag);
    if (hasFields(made)) {
      made["to"] = to;
      made["from"] = from;
    }
    this.#filled(made, pairs, at, true);
    const unknown = this.#unknown ?? inner;
    if (unknown !== null) return new UnknownTag(unknown, to, from);
    if (!(made instanceof Message)) throw new Malformed(`the tag ${tag} is not that of a message`);
    return made;
  }

  /** An instance without fields, made without running the constructor, which may want arguments. */
  #make(tag: unknown): object {
    if (typeof tag !== "string") throw new Malformed("a tag that is no text");
    const cls = classOf(tag);
    if (typeof cls === "function") return Reflect.construct(Event, [], cls);
    this.#unknown ??= tag;
    return {};
  }

  #filled(made: object, pairs: readonly unknown[], from: number, envelope: boolean): object {
    if (!hasFields(made)) return made;
    if ((pairs.length - from) % 2 !== 0) throw new Malformed("a field without a value");
    for (let i = from; i < pairs.length; i += 2) {
      const name = pairs[i];
      if (typeof name !== "string") throw new Malformed("a field whose name is no text");
      if (isForbiddenField(name)) throw new Malformed(`a field named ${name}`);
      if (envelope && (name === "to" || name === "from"))
        throw new Malformed(`a second field named ${name}`);
      made[name] = pairs[i + 1];
    }
    return made;
  }
}

/** A peer reference with the parts that it must have, and no other. */
export function peerOf(
  peerId: unknown,
  host: unknown,
  port: unknown,
  incarnation: unknown,
  failureDomain?: unknown,
  rebirth?: unknown,
): PeerRef {
  const base = { peerId, host, port, incarnation };
  const life = rebirth === undefined ? base : { ...base, rebirth };
  const peer = failureDomain === undefined ? life : { ...life, failureDomain };
  if (!isPeer(peer)) throw new Malformed("a peer out of range");
  return peer;
}

/** An object of keys and values by turns, whatever its keys are. */
export function objectOf(pairs: readonly unknown[], from: number): object {
  if ((pairs.length - from) % 2 !== 0) throw new Malformed("a key without a value");
  const object: Record<string, unknown> = {};
  for (let i = from; i < pairs.length; i += 2) {
    const key = pairs[i];
    if (typeof key !== "string") throw new Malformed("a key that is no text");
    // An assignment would change the prototype.
    if (key === "__proto__") {
      Object.defineProperty(object, key, {
        value: pairs[i + 1],
        enumerable: true,
        configurable: true,
        writable: true,
      });
    } else object[key] = pairs[i + 1];
  }
  return object;
}
