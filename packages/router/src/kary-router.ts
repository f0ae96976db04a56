/** The router with k-ary fingers. See `kary.ts` for its table. */

import { kary } from "./kary.ts";
import { RouterNode } from "./router.ts";
import { arity, candidatesMax } from "./settings.ts";

/** A router with k-ary fingers; Chord's are those of base 2. What it finds are hints: see `Router`. */
export class KaryRouter extends RouterNode {
  constructor() {
    super((read) => kary(read(arity), read(candidatesMax)));
  }
}
