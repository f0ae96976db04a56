/**
 * Every error that the kernel raises, in one place: a stable code, and what to do next.
 *
 * Codes are part of the public contract: they do not change between versions, and programs may
 * branch on them. Texts may change.
 */

const nextSteps = {
  KITH_ALREADY_CONNECTED: "Keep the first channel, or give the second one another key.",
  KITH_ASK_MANY_RECEIVERS:
    "Give the channels keys or filters so that exactly one provider takes the request.",
  KITH_ASK_NO_ANSWER_HANDLER:
    "Declare the continuation once with onAnswer, and ask through the function that it returns.",
  KITH_ASK_NO_RECEIVER:
    "Connect the port to a provider that handles this request, or check that no filter rejects it.",
  KITH_NO_TIMER:
    "Offer a Timer above the component, connect one, or do without the timeout or back-off.",
  KITH_BAD_ARGUMENT: "Pass a value of the documented type and range.",
  KITH_BAD_EVENT:
    "Trigger an instance of one of the event classes that the port declares in this direction.",
  KITH_BAD_POLICY: "Let the policy return resume, stop, escalate, or the value of restart(…).",
  KITH_BAD_RESPONSE: "Answer with an instance of the response class that the request names.",
  KITH_BAD_SETTING: "Give the setting a value of its type and within its range.",
  KITH_CHANNEL_END: "Unplug an end before you plug another port into it.",
  KITH_CHECKPOINT_BUSY:
    "Let the world do a step and ask again: something waits there that is a function and no data.",
  KITH_CHECKPOINT_LOST:
    "Make it again in importState, or declare it in the constructor: a checkpoint cannot hold it.",
  KITH_CHECKPOINT_SWAP: "Let the swap end, then ask again.",
  KITH_CONNECT_MISMATCH: "Connect a provided port to a required port of the same port type.",
  KITH_CONNECT_SCOPE: "A component may wire only its own ports and the ports of its children.",
  KITH_CONSTRUCTOR_TRIGGER: "Move it to an onStart handler: constructors only declare and wire.",
  KITH_DESTROYED: "Drop the handle: the component has been killed.",
  KITH_DUPLICATE_NAME: "Give each child of one parent a name of its own.",
  KITH_HOLD_OVERFLOW: "Resume the channel earlier, slow the sender down, or raise the bound.",
  KITH_INIT_NOT_PLAIN:
    "Pass plain data (numbers, strings, booleans, bigints, null, arrays, plain objects, byte arrays); hand over behaviour by class.",
  KITH_MAILBOX_OVERFLOW:
    "Slow the senders down when the high-water signal comes, or raise the component's mailbox bound.",
  KITH_NAME_INVALID: "Use letters, digits, and . _ - : # in a name, without a slash.",
  KITH_NOT_CREATED:
    "Create components with this.create(Class, init) inside a parent, or with run(Class, init).",
  KITH_NOT_HELD: "Match each resume with one hold before it.",
  KITH_NOT_PLAIN:
    "Keep functions, class instances and symbols out of data that the kernel carries.",
  KITH_NOT_SETTLED: "Look for a component that triggers itself without end, or allow more turns.",
  KITH_NOT_SUBSCRIBED: "Cancel a subscription once, on the handle that subscribing returned.",
  KITH_OUTSIDE_TURN:
    "Enter the component first: this.enter(() => …) from callbacks of the outside world.",
  KITH_PENDING_OVERFLOW: "Give asks a timeout, or ask less at a time.",
  KITH_PORT_NOT_A_FIELD:
    "Keep the port in a field of the component: readonly name = this.provides(…).",
  KITH_PORT_UNRESOLVED: "Connect the port, or let an ancestor offer a provider of its type.",
  KITH_RESTART_LIMIT: "Look at the causes: the component failed again and again after restarts.",
  KITH_STATE_VERSION: "Give the replacement a migrate method that leads from that version.",
  KITH_SUPER_FIRST: "Call super() first, and build one component in each create.",
  KITH_SWAP_CHILD_LOST:
    "Name the replacement's child alike, or pass discard: true to drop the child's state.",
  KITH_SWAP_DRAIN:
    "Let the component reach an empty queue, or keep the ports and children that still have events.",
  KITH_SWAP_FAULTED: "Resolve the fault first (resume, restart or stop), then swap.",
  KITH_SWAP_NO_TRANSFER: "Give the replacement importState, a declared state object, or migrate.",
  KITH_SWAP_PORT:
    "Give the replacement every port that is in use, with the same name, type and direction.",
  KITH_SYSTEM_STOPPED: "Start a new system with run.",
  KITH_UNKNOWN_PATH: "Print system.tree() to see the paths of the running components.",
} as const;

/** The codes of the errors that `@kith/core` raises. */
export type CoreErrorCode = keyof typeof nextSteps;

/**
 * An error with a stable `code`, a `next` step for whoever reads it, and a `cause` where there is
 * one. Every package of Kith raises errors of this class; each keeps its codes in its `errors.ts`.
 */
export class KithError extends Error {
  /** Stable identifier, such as `KITH_OUTSIDE_TURN`. */
  readonly code: string;
  /** One sentence that says what to do about it. */
  readonly next: string;

  constructor(code: string, what: string, next: string, options?: { readonly cause?: unknown }) {
    super(`${what} ${next} [${code}]`, options);
    this.name = "KithError";
    this.code = code;
    this.next = next;
  }
}

/** Builds the kernel's error of the given code; `what` is a sentence that names the culprit. */
export function coreError(code: CoreErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}

/** What was thrown, in words. Anything may be thrown, also what refuses to become text. */
export function describeThrown(cause: unknown): string {
  try {
    return cause instanceof Error ? cause.message : String(cause);
  } catch {
    return "something that cannot be turned into text";
  }
}
