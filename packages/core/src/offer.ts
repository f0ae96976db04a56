/**
 * Offers: how a required port that nobody connected finds its provider. The offers of the ancestors
 * are looked through from the nearest to the world's; the channel that comes of it belongs to the
 * component that made the offer. What is connected stays as it is, whatever is offered later.
 */

import type { Match } from "./carry.ts";
import { ChannelCore } from "./channel.ts";
import type { ComponentCore, Offer } from "./component-core.ts";
import { coreError, type KithError } from "./errors.ts";
import type { PortHalf } from "./half.ts";
import { ChildPortRef, resolve } from "./reference.ts";
import type { Key } from "./types.ts";

/** Connects the required ports that nobody has connected to the nearest offers above. */
export function resolveOffers(core: ComponentCore): void {
  for (const half of core.halves()) {
    if (half.provided || half.connected || resolveByOffer(half)) continue;
    throw unresolved(half);
  }
}

/**
 * Sees, before a swap commits, that the ports of the replacement will be resolved, and
 * makes the channels of offers within it: what those of the old tree hold goes over to them.
 *
 * @returns the ports that offers outside resolve; they are connected at the commit
 */
export function settleOffers(core: ComponentCore, match: Match): PortHalf[] {
  const inherited = match.inherited();
  const waiting: PortHalf[] = [];
  for (const half of core.halves()) {
    // One that had a predecessor is as connected as that was, also where somebody has cut its channel.
    if (half.provided || half.connected || inherited.has(half)) continue;
    const found = nearestOffer(half, match);
    if (found === null) throw unresolved(half);
    if (isWithin(found.owner, match.next)) resolveByOffer(half);
    else waiting.push(half);
  }
  return waiting;
}

/** Forgets the parent's offers of a component that is gone: they lead nowhere, and would keep it alive. */
export function withdrawOffers(core: ComponentCore): void {
  const { parent, handle } = core;
  if (!parent?.offers) return;
  const left = parent.offers.filter(
    ({ reference }) => !(reference instanceof ChildPortRef && reference.child === handle),
  );
  parent.offers = left.length === 0 ? null : left;
}

/** Connects a port to the nearest offer. @returns whether there was one */
export function resolveByOffer(half: PortHalf): boolean {
  const found = nearestOffer(half);
  if (found === null) return false;
  const { owner, offer, key } = found;
  const channel = new ChannelCore(owner, offer.reference, half, key === undefined ? {} : { key });
  (owner.channels ??= new Set()).add(channel);
  return true;
}

function nearestOffer(half: PortHalf, match?: Match): Found | null {
  let narrowed: Key | undefined;
  for (let owner = half.core.parent; owner !== null; owner = owner.parent) {
    for (const offer of owner.offers ?? []) {
      if (offer.type.name !== half.type.name) continue;
      const offered = resolve(offer.reference);
      if (offered.core.phase === "destroyed") continue;
      // A port of the component itself, or of something inside it, cannot be what it needs from above.
      if (isWithin((match?.half(offered) ?? offered).core, half.core)) continue;
      if (narrowed !== undefined && offered.extractor === null)
        throw coreError(
          "KITH_BAD_ARGUMENT",
          `The ${half.describe()} takes the offer of ${offered.describe()} under a key, which has no key extractor (see \`by\`).`,
        );
      return { owner, offer, key: offer.key ?? narrowed };
    }
    narrowed ??= owner.narrowed?.get(half.type.name);
  }
  return null;
}

/** The offer that a port takes, and the key of the channel that comes of it. */
interface Found {
  readonly owner: ComponentCore;
  readonly offer: Offer;
  readonly key: Key | undefined;
}

function unresolved(half: PortHalf): KithError {
  const offered: string[] = [];
  for (let at = half.core.parent; at !== null; at = at.parent) {
    for (const offer of at.offers ?? [])
      offered.push(`${offer.type.name} by ${at.path === "" ? "the world" : at.path}`);
  }
  const offers =
    offered.length === 0
      ? "nothing is offered above it"
      : `offered above it: ${offered.join(", ")}`;
  return coreError("KITH_PORT_UNRESOLVED", `The ${half.describe()} is not connected; ${offers}.`);
}

function isWithin(core: ComponentCore, tree: ComponentCore): boolean {
  for (let at: ComponentCore | null = core; at !== null; at = at.parent)
    if (at === tree) return true;
  return false;
}
