/** The default router. See `flexible.ts` for its table. */

import { flexible } from "./flexible.ts";
import { RouterNode } from "./router.ts";
import { tableMax } from "./settings.ts";

/** A router with a flexible table: one hop while all peers fit in, O(log n) beyond. What it finds are hints: see `Router`. */
export class FlexibleRouter extends RouterNode {
  constructor() {
    super((read) => flexible(read(tableMax)));
  }
}
