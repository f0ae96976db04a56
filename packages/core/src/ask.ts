/** Asking: the answer that stands for no answer. */

import { event } from "./event.ts";
import type { Millis } from "./types.ts";

/** The answer to an ask that nobody answered in time. The request may still be executed. */
export class AskTimeout extends event("kith/AskTimeout")<{ readonly timeout: Millis }> {}
