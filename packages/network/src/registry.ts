/**
 * The registry of event classes by tag, by which the codecs decode.
 *
 * One for the process: a tag means the same everywhere, in all systems and in all simulated nodes.
 * Invariants: a registered class has its tag itself and does not merely inherit it; the first class of
 * a tag stays. A second class of the same tag *and name* is taken for a second copy of one package
 * (installed twice, or loaded again for a swap), which the kernel matches by tag; any other is an error.
 */

import type { EventClass } from "@kith/core";
import { networkError } from "./errors.ts";

const byTag = new Map<string, EventClass>();
const known = new Set<unknown>();
let fingerprint: string | null = null;

/** Whether this very class (not another copy of it) has been registered. */
export function isRegistered(cls: unknown): boolean {
  return known.has(cls);
}

/** The class that messages and events of a tag are decoded to. */
export function classOf(tag: string): EventClass | undefined {
  return byTag.get(tag);
}

/**
 * Makes a class known to the codecs. Messages do this by themselves; an event that is no message and
 * travels inside of one has to be registered by whoever declares it.
 *
 * @throws KithError `KITH_MESSAGE_UNTAGGED` where the class has no tag of its own, `KITH_MESSAGE_TAG_TAKEN`
 */
export function register(cls: EventClass): void {
  if (known.has(cls)) return;
  if (!ownsTag(cls)) {
    throw networkError("KITH_MESSAGE_UNTAGGED", `${cls.name} has no tag of its own.`);
  }
  const before = byTag.get(cls.tag);
  if (before === undefined) {
    byTag.set(cls.tag, cls);
    fingerprint = null;
  } else if (before.name !== cls.name) {
    throw networkError(
      "KITH_MESSAGE_TAG_TAKEN",
      `${cls.name} has the tag ${cls.tag}, which ${before.name} has already.`,
    );
  }
  known.add(cls);
}

/** A hash over the registered tags; independent of the order in which they came. */
export function schemaFingerprint(): string {
  if (fingerprint === null) {
    let low = 0x811c9dc5;
    let high = 0x01000193;
    for (const tag of [...byTag.keys()].sort()) {
      for (let i = 0; i <= tag.length; i++) {
        const unit = i === tag.length ? 0x1_0000 : tag.charCodeAt(i);
        low = Math.imul(low ^ unit, 0x01000193);
        high = Math.imul(high ^ low, 0x85ebca6b) ^ (high >>> 15);
      }
    }
    fingerprint = hex(high) + hex(low);
  }
  return fingerprint;
}

/** Whether the tag stands on the class itself or, as `event(tag)` makes it, on its nameless base. */
function ownsTag(cls: EventClass): boolean {
  const base: unknown = Object.getPrototypeOf(cls);
  return Object.hasOwn(cls, "tag") || (typeof base === "function" && Object.hasOwn(base, "tag"));
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
