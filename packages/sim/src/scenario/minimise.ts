/**
 * Delta debugging (Zeller and Hildebrandt 2002): the smallest part of a list that still has a property,
 * in the sense that nothing more can be taken out of it alone.
 */

/**
 * @param list what has the property
 * @param holds whether a part has it; called often
 * @param stop true where there is no more time: what has been reached is returned
 */
export function minimise<T>(
  list: readonly T[],
  holds: (part: readonly T[]) => boolean,
  stop: () => boolean = () => false,
): readonly T[] {
  let best = list;
  if (best.length === 0 || holds([])) return [];
  let chunks = 2;
  while (best.length > 1 && !stop()) {
    const size = Math.ceil(best.length / chunks);
    let smaller: readonly T[] | null = null;
    for (let at = 0; at < best.length && smaller === null && !stop(); at += size) {
      const rest = [...best.slice(0, at), ...best.slice(at + size)];
      if (holds(rest)) smaller = rest;
    }
    if (smaller !== null) {
      best = smaller;
      chunks = Math.max(2, chunks - 1);
    } else if (chunks >= best.length) {
      return best;
    } else {
      chunks = Math.min(best.length, chunks * 2);
    }
  }
  return best;
}
