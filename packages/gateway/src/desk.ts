/**
 * The desk: brings actions of all clients to the store.
 *
 * - Actions that share a key are done in the order in which they came, whoever sent them; others in any order.
 * - While one request on a key is under way, what comes for that key waits, and then leaves as one request: a hundred
 *   clients that count at one key make one entry in a log, not a hundred. Readers of one key share one read: it takes
 *   effect after all of them have asked and before the first is answered.
 * - Where one of several operations in a request is refused, nothing of it was done, and each is done by itself.
 * - At most so many requests are under way at a time.
 */

import {
  Applied,
  Apply,
  type Entry,
  Get,
  Got,
  type Key,
  Refused,
  type StoreAnswer,
  type Update,
} from "@kith/store";
import {
  type Action,
  keysOf,
  type ReadAction,
  refusal,
  type UpdateAction,
} from "./commands/action.ts";
import {
  doAction,
  type Errand,
  type StoreRequest,
  versionsOf,
  type Watched,
  type Wish,
  type World,
} from "./errand.ts";
import { failureOf } from "./failure.ts";
import { type LaneKeys, Lanes } from "./lanes.ts";
import { ok, type Reply } from "./resp/reply.ts";

/** What the desk needs of its surroundings. */
export interface DeskHost extends World {
  /** Requests at a time. */
  readonly requestsMax: number;
  /** Asks the store; null where it is gone. */
  ask(request: StoreRequest | Get, settle: (answer: StoreAnswer | null) => void): void;
  /** Calls `desk.work()` soon, when all that has arrived by now is at the desk. */
  soon(): void;
  /** Says that this gateway itself is wrong, and gives what its client is told: something may have been done. */
  mistaken(problem: unknown): Reply;
  /** Does something after so many milliseconds. */
  after(ms: number, action: () => void): void;
}

/** Takes a reply. */
export type Done = (reply: Reply) => void;

/** An action on one key that others may join, and who waits for it. */
interface Order {
  readonly action: ReadAction | UpdateAction;
  readonly done: Done;
  /** Told what a read has found, before it is done. */
  readonly seen?: (entry: Entry) => void;
}

const ordersMax = 256;
const orderBytesMax = 1024 * 1024;
/** The versions of more keys are read in one request of its own. */
const sharedMax = 16;

/** What is done at a time: orders on one key, or an errand on several. */
class Work {
  readonly keys: readonly Key[];
  /** How many works have to end before it, counted once for each key. */
  blockers = 0;
  readonly followers: Work[] = [];
  begun = false;
  /** Null for an errand. */
  readonly orders: Order[] | null;
  readonly errand: (() => void) | null;
  bytes = 0;
  writes = false;
  /** Whether one of its readers looks at more than a value: an operation of the store does not tell that. */
  exact = false;

  constructor(keys: readonly Key[], errand: ((work: Work) => void) | null) {
    this.keys = keys;
    this.orders = errand === null ? [] : null;
    this.errand = errand === null ? null : () => errand(this);
  }
}

/** Brings actions to the store. */
export class Desk {
  readonly #host: DeskHost;
  /** The last work on each key that has not ended. */
  readonly #last = new Map<Key, Work>();
  readonly #lanes = new Lanes();
  /** What may begin. */
  #ready: (() => void)[] = [];
  #at = 0;
  #underWay = 0;
  #woken = false;

  constructor(host: DeskHost) {
    this.#host = host;
  }

  /** How many requests are under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** How many wait to begin that nothing but their number keeps. */
  get waiting(): number {
    return this.#ready.length - this.#at;
  }

  /** Does an action, after those before it that share a key with it. */
  do(action: Action, done: Done): void {
    if (isOrder(action)) this.#order({ action, done });
    else
      this.#add(
        new Work([...new Set(keysOf(action))], (work) =>
          this.#run(doAction(action, this.#host), (reply) => {
            this.#end(work);
            done(reply);
          }),
        ),
      );
  }

  /** Does an errand, whatever else is under way. */
  run<T>(errand: Errand<T>, done: (result: NoInfer<T> | Reply) => void): void {
    this.#enqueue(() => this.#run(errand, done));
  }

  /** Does a transaction when none that is in its way is under way (`lanes.ts`). */
  transact<T>(keys: LaneKeys, errand: Errand<T>, done: (result: NoInfer<T> | Reply) => void): void {
    const leave = this.#lanes.enter(keys, () =>
      this.run(errand, (result) => {
        leave();
        done(result);
      }),
    );
  }

  /** Finds out which versions keys have, of each for itself, together with others who read it. */
  versionsOf(keys: readonly Key[], done: (versions: Watched | Reply) => void): void {
    const wanted = new Set(keys);
    if (wanted.size > sharedMax) return this.run(versionsOf([...wanted], this.#host), done);
    const versions = new Map<Key, number>();
    let failure: Reply | null = null;
    let open = wanted.size;
    for (const key of wanted) {
      const action: ReadAction = { kind: "read", keys: [key], plain: false, reply: () => ok };
      const seen = ({ version }: Entry): void => void versions.set(key, version);
      this.#order({
        action,
        seen,
        done: (reply) => {
          if (!versions.has(key)) failure ??= reply;
          if (--open === 0) done(failure ?? versions);
        },
      });
    }
    return undefined;
  }

  /** Begins what may begin. */
  work(): void {
    this.#woken = false;
    while (this.#underWay < this.#host.requestsMax && this.#at < this.#ready.length) {
      const next = this.#ready[this.#at++];
      next?.();
    }
    if (this.#at === this.#ready.length) {
      this.#ready = [];
      this.#at = 0;
    } else if (this.#at > 1024) {
      this.#ready = this.#ready.slice(this.#at);
      this.#at = 0;
    }
  }

  #order(order: Order): void {
    const { action } = order;
    const key = keyOf(action);
    const last = this.#last.get(key);
    const bytes = bytesOf(action);
    if (last !== undefined && mayJoin(last, action, bytes)) {
      join(last, order, bytes);
      return;
    }
    const work = new Work([key], null);
    join(work, order, bytes);
    this.#add(work);
  }

  #add(work: Work): void {
    for (const key of work.keys) {
      const last = this.#last.get(key);
      this.#last.set(key, work);
      if (last === undefined) continue;
      last.followers.push(work);
      work.blockers++;
    }
    if (work.blockers === 0) this.#enqueue(() => this.#begin(work));
  }

  #enqueue(begin: () => void): void {
    this.#ready.push(begin);
    if (this.#woken) return;
    this.#woken = true;
    this.#host.soon();
  }

  #begin(work: Work): void {
    work.begun = true;
    if (work.orders === null) work.errand?.();
    else if (!work.writes) this.#read(work, work.orders);
    else if (work.orders.length === 1) this.#single(work, work.orders, 0);
    else this.#apply(work, work.orders);
  }

  #end(work: Work): void {
    for (const key of work.keys) if (this.#last.get(key) === work) this.#last.delete(key);
    for (const follower of work.followers)
      if (--follower.blockers === 0) this.#enqueue(() => this.#begin(follower));
  }

  #read(work: Work, orders: readonly Order[]): void {
    const [key = ""] = work.keys;
    this.#ask(new Get({ key, within: this.#host.withinMs }), (answer) => {
      this.#end(work);
      for (const order of orders) order.done(readReply(order, answer));
    });
  }

  /** All orders in one request. */
  #apply(work: Work, orders: readonly Order[]): void {
    const updates = orders.map(({ action }) => updateOf(action));
    this.#ask(new Apply({ updates, within: this.#host.withinMs }), (answer) => {
      if (answer instanceof Refused) return this.#single(work, orders, 0);
      this.#end(work);
      for (const [i, { action, done }] of orders.entries()) {
        const updated = answer instanceof Applied ? answer.updated[i] : undefined;
        if (updated === undefined) done(failureOf(answer));
        else if (action.kind === "update") done(action.reply([updated]));
        else done(action.reply([{ value: updated.before ?? null, expiresIn: null }]));
      }
      return undefined;
    });
  }

  /** Each order by itself, one after the other. */
  #single(work: Work, orders: readonly Order[], at: number): void {
    const order = orders[at];
    if (order === undefined) return this.#end(work);
    const { action, done } = order;
    const request =
      action.kind === "read"
        ? new Get({ key: keyOf(action), within: this.#host.withinMs })
        : new Apply({ updates: action.updates, within: this.#host.withinMs });
    return this.#ask(request, (answer) => {
      if (action.kind === "read") done(readReply(order, answer));
      else if (answer instanceof Applied) done(action.reply(answer.updated));
      else if (answer instanceof Refused) done(refusal(action, answer.reason, answer.value));
      else done(failureOf(answer));
      this.#single(work, orders, at + 1);
    });
  }

  #run<T>(errand: Errand<T>, done: (result: NoInfer<T> | Reply) => void): void {
    const step = (answer: StoreAnswer | null): void => {
      let next: IteratorResult<Wish, T>;
      try {
        next = errand.next(answer);
      } catch (problem) {
        // What one client has asked for shall not end those of all others.
        return done(this.#host.mistaken(problem));
      }
      if (next.done === true) done(next.value);
      else if ("pauseMs" in next.value) this.#host.after(next.value.pauseMs, () => step(null));
      else this.#ask(next.value, step);
      return undefined;
    };
    step(null);
  }

  #ask(request: StoreRequest | Get, settle: (answer: StoreAnswer | null) => void): void {
    this.#underWay++;
    this.#host.ask(request, (answer) => {
      this.#underWay--;
      settle(answer);
      if (this.#woken || this.#at === this.#ready.length) return;
      this.#woken = true;
      this.#host.soon();
    });
  }
}

function isOrder(action: Action): action is ReadAction | UpdateAction {
  if (action.kind === "change") return false;
  return action.kind === "read" ? action.keys.length === 1 : action.updates.length === 1;
}

function keyOf(action: ReadAction | UpdateAction): Key {
  return (action.kind === "read" ? action.keys[0] : action.updates[0]?.key) ?? "";
}

function mayJoin(work: Work, action: ReadAction | UpdateAction, bytes: number): boolean {
  const { begun, orders, writes, exact } = work;
  if (begun || orders === null || orders.length >= ordersMax) return false;
  if (work.bytes + bytes > orderBytesMax) return false;
  if (action.kind === "read") return action.plain || !writes;
  // A condition that does not hold would undo the others.
  const [first] = orders;
  return !exact && isUnconditional(action) && (first === undefined || !hasCondition(first));
}

/** Only the first order of a work may have a condition. */
function hasCondition({ action }: Order): boolean {
  return action.kind === "update" && !isUnconditional(action);
}

function isUnconditional({ updates }: UpdateAction): boolean {
  return updates.every(({ when }) => when === undefined);
}

function join(work: Work, order: Order, bytes: number): void {
  const { action } = order;
  work.orders?.push(order);
  work.bytes += bytes;
  if (action.kind === "update") work.writes = true;
  else if (!action.plain) work.exact = true;
}

function bytesOf(action: ReadAction | UpdateAction): number {
  if (action.kind === "read") return 0;
  const [one] = action.updates;
  return one?.kind === "put" || one?.kind === "append" ? one.value.length : 0;
}

function updateOf(action: ReadAction | UpdateAction): Update {
  const [one] = action.kind === "update" ? action.updates : [];
  return one ?? { kind: "check", key: keyOf(action) };
}

function readReply({ action, seen }: Order, answer: StoreAnswer | null): Reply {
  if (action.kind !== "read" || !(answer instanceof Got)) return failureOf(answer);
  seen?.(answer.entry);
  return action.reply([answer.entry]);
}
