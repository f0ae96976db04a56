/** Payloads as plain data, so that they travel through peers without their class, and stand in a state. */

import { Event, isOf } from "@kith/core";
import { classOf, type PeerRef } from "@kith/network";
import type { Payload } from "./messages.ts";
import { Routed } from "./port.ts";

/** A payload from this source, taken apart. */
export function packed(payload: Routed, source: PeerRef): Payload {
  const fields: Record<string, unknown> = {
    ...Object.fromEntries(Object.entries(payload)),
    source,
  };
  return { tag: tagOf(payload), fields };
}

/** The payload put together again; undefined where there is no such class here. */
export function unpacked({ tag, fields }: Payload): Routed | undefined {
  const cls: unknown = classOf(tag);
  // By the tag, as the class may be of another copy of this package.
  if (typeof cls !== "function" || !isOf(cls, Routed)) return undefined;
  // By the root's constructor, which copies fields: that of the class may want other arguments.
  const made: Routed = Reflect.construct(Event, [fields], cls);
  return made;
}

function tagOf({ constructor }: Routed): string {
  return "tag" in constructor ? String(constructor.tag) : "";
}
