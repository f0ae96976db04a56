/** The router for keys that keep their order. See `chord-sharp.ts` for its table. */

import { chordSharp } from "./chord-sharp.ts";
import { RouterNode } from "./router.ts";

/** A router with Chord#'s fingers: log2 n hops however the identifiers lie. What it finds are hints: see `Router`. */
export class ChordSharpRouter extends RouterNode {
  constructor() {
    super(() => chordSharp());
  }
}
