/**
 * Where the switchboard of a Network waits while the component is swapped: between the release of the old
 * instance and the acquisition of the new one, which lie in one step of the scheduler. What nobody has
 * fetched when that step is over is stopped.
 *
 * The place is shared by all copies of this module, so that a replacement that was loaded from another copy can
 * at least stop what it cannot use, and find the address free.
 */

/** What can be parked. */
export interface Parked {
  stop(): void;
}

interface Entry {
  readonly parked: Parked;
  readonly likeness: string;
}

const place = Symbol.for("kith.network.parking");

function entries(): Map<unknown, unknown> {
  const found: unknown = Reflect.get(globalThis, place);
  if (found instanceof Map) return found;
  const made = new Map<unknown, unknown>();
  Reflect.set(globalThis, place, made);
  return made;
}

/**
 * Parks something under a name, until what runs now is over.
 *
 * @param likeness what a successor has to be like to go on with it
 */
export function park(
  name: string,
  parked: Parked,
  likeness: string,
  soon: (callback: () => void) => void,
): void {
  const entry: Entry = { parked, likeness };
  const all = entries();
  all.set(name, entry);
  soon(() => {
    if (all.get(name) !== entry) return;
    all.delete(name);
    parked.stop();
  });
}

/** Fetches what is parked under a name; what is not of that likeness is stopped instead. */
export function fetchParked(name: string, likeness: string): Parked | null {
  const all = entries();
  const entry = all.get(name);
  if (!isEntry(entry)) return null;
  all.delete(name);
  if (entry.likeness === likeness) return entry.parked;
  entry.parked.stop();
  return null;
}

function isEntry(value: unknown): value is Entry {
  return typeof value === "object" && value !== null && "parked" in value && "likeness" in value;
}
