/** What clients tell the judges beside the history. */

import { event } from "@kith/core";
import { Fact } from "@kith/sim/scenario";

/** Something that must never be. */
export class Wrong extends event("gateway/Wrong", Fact)<{ readonly what: string }> {}

/** Something that should come up in some run. */
export class Met extends event("gateway/Met", Fact)<{ readonly what: string }> {}

/** What an INCR has answered. */
export class Counted extends event("gateway/Counted", Fact)<{
  readonly key: string;
  readonly value: number;
}> {}

/** A line of the history of commands that were sent in one piece; each is a process of its own. */
export class Aside extends event("gateway/Aside", Fact)<{
  readonly process: number;
  readonly type: "invoke" | "ok" | "fail" | "info";
  readonly op: string;
  readonly key: string;
  readonly value: number | null;
}> {}
