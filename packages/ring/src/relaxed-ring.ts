/** The default ring. See `relaxed.ts` for its rules. */

import { relaxed } from "./relaxed.ts";
import { RingNode } from "./ring.ts";

/** A relaxed ring: quick at joins and crashes, with stabilisation as a backstop. Its views are hints: see `Ring`. */
export class RelaxedRing extends RingNode {
  constructor() {
    super(relaxed);
  }
}
