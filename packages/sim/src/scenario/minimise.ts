/**
 * Delta debugging (Zeller and Hildebrandt 2002): the smallest part of a list that still has a property,
 * in the sense that nothing more can be taken out of it alone.
 */

/**
 * Large pieces are taken out first, then smaller ones, each list from its front to its end: where a piece is gone, the
 * next one is tried at its place, so that a list of which nearly all can go takes few tries.
 *
 * @param list what has the property
 * @param holds whether a part has it; called often
 * @param stop true where there is no more time: what has been reached is returned
 */
export function minimise<T>(
  list: readonly T[],
  holds: (part: readonly T[]) => boolean,
  stop: () => boolean = () => false,
): readonly T[] {
  if (list.length === 0 || holds([])) return [];
  let best = list;
  let size = Math.ceil(best.length / 2);
  while (best.length > 1 && !stop()) {
    const before = best.length;
    for (let at = 0; at < best.length && best.length > 1 && !stop();) {
      const rest = [...best.slice(0, at), ...best.slice(at + size)];
      if (rest.length > 0 && holds(rest)) best = rest;
      else at += size;
    }
    // Once more with single ones, as long as one of them could go.
    if (size === 1 && best.length === before) return best;
    size = Math.min(Math.ceil(size / 2), Math.ceil(best.length / 2));
  }
  return best;
}

/**
 * Takes out pieces of every length that lie side by side: of what counts, often just so many have to go that the count
 * has the same rest.
 *
 * @param list what has the property, and of which nothing can be taken out alone
 */
export function minimiseRuns<T>(
  list: readonly T[],
  holds: (part: readonly T[]) => boolean,
  stop: () => boolean = () => false,
): readonly T[] {
  let best = list;
  for (let size = best.length - 1; size > 1 && !stop(); size = Math.min(size, best.length) - 1)
    for (let at = 0; at + size <= best.length && !stop();) {
      const rest = [...best.slice(0, at), ...best.slice(at + size)];
      if (rest.length > 0 && holds(rest)) best = rest;
      else at++;
    }
  return best;
}
