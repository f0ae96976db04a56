/** What a client is told where the store has not done what was asked: a code, whether it may have happened, what to do. */

import { Aborted, Ambiguous, Busy, NotDone, Refused, type StoreAnswer } from "@kith/store";
import { refused } from "./commands/action.ts";
import { err, error, type Reply } from "./resp/reply.ts";

/** Nothing was done: too much waits. */
export const busy = error("BUSY too much waits at the store: nothing was done, ask again later");
/** Nothing was done: the client has asked for more than it has read. */
export const unread = error(
  "BUSY too many bytes of replies wait for this client to read them: nothing was done, ask for less at a time",
);
/** Nothing was done: others were faster. */
export const overtaken = error(
  "TRYAGAIN others have changed the same keys all the time: nothing was done, ask again",
);
/** Nobody knows. */
export const unknown = error(
  "UNKNOWN nobody can know whether this was done, or may yet be: read before you ask again",
);
/** There is a defect here. It has shown before anything was done; or later, when nobody can know. */
export const mistake = err("the gateway has made a mistake: nothing was done");
export const mistakeLater = error(
  "UNKNOWN the gateway has made a mistake, and nobody can know whether this was done: read before you ask again",
);
const late = error("TRYAGAIN the store could not do this in time: nothing was done, ask again");
const stopping = error("TRYAGAIN this peer stops: nothing was done, ask another one");

/** The error for an answer that is not what was asked for; null where there was none, because the store is gone. */
export function failureOf(answer: StoreAnswer | null): Reply {
  if (answer === null || answer instanceof Ambiguous) return unknown;
  if (answer instanceof Busy) return busy;
  if (answer instanceof Aborted) return overtaken;
  if (answer instanceof Refused) return refused(answer.reason);
  if (answer instanceof NotDone) return answer.reason === "stopped" ? stopping : late;
  return unknown;
}
