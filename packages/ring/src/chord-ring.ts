/** The plain Chord ring. See `chord.ts` for its rules. */

import { chord } from "./chord.ts";
import { RingNode } from "./ring.ts";

/** A Chord ring: it moves by stabilisation alone. Its views are hints: see `Ring`. */
export class ChordRing extends RingNode {
  constructor() {
    super(chord);
  }
}
