/**
 * The gate of a member of the store: what clients elsewhere ask goes to the groups, and past the lines at keys that many
 * want (`line.ts`). Groups that are not led here have none, nor have those in which nobody was aborted lately: there it
 * is a gate as any other.
 *
 * A read that has met a prepared transaction waits here for its end (`parked.ts`) instead of being asked again and again.
 */

import { type Millis, ScheduleTimeout, timeout, Timer } from "@kith/core";
import {
  AskGroups,
  type Asked,
  AskStatus,
  Busy,
  type Caller,
  Done,
  Gate,
  type GateBatches,
  GroupsHere,
  LeaderChanged,
  Peek,
  Status,
} from "@kith/paxos";
import { decodeCommand, endedBy, isPrepare } from "./command.ts";
import {
  end,
  isHeld,
  isOver,
  isWanted,
  leave,
  type Line,
  lineMax,
  look,
  newLine,
  proceed,
  resume,
  type Waiter,
  wasRead,
} from "./line.ts";
import { expired, noneParked, type Parked, park, released } from "./parked.ts";
import { decodeAnswer, decodeQuery, isEntering, isReading, turnOf } from "./query.ts";
import { encodeResult } from "./result.ts";
import type { TxName } from "./rows.ts";

class Tick extends timeout("store/GateTick") {}

const tickMs: Millis = 50;
/** So long after a transaction has prepared, reads may meet its locks. */
const lockedMs: Millis = 3000;

/** What is answered to the end of a transaction where others stand in line: that it is done, and that. */
const awaited = encodeResult({ kind: "finished-awaited" });

/** What a call is to the lines, until it is answered. */
interface Mark {
  /** The hold with which it reads. */
  readonly hold: number;
  /** Holds that are over when it is answered. */
  readonly ends: readonly number[];
  /** A read that waits where it meets a lock. */
  readonly parks?: Asked;
  /** The transaction whose locks are gone when it is answered. */
  readonly frees?: TxName;
}

/** Who enters a line, when its turn has come. */
interface Entrant {
  readonly asked: Asked;
  readonly tx: TxName;
  readonly hold: number;
}

interface GateState {
  readonly batches: GateBatches;
  /** Groups that are led here. */
  readonly leads: Set<string>;
  readonly lines: Map<string, Line<Asked>>;
  /** Who has its turn in a line, and finds another transaction prepared at its keys, by group. */
  readonly entering: Map<string, Entrant[]>;
  readonly parked: Parked;
  /** Until when reads in a group may meet locks. */
  readonly locked: Map<string, Millis>;
  ticking: boolean;
}

function noState(): GateState {
  return {
    batches: new Map(),
    leads: new Set(),
    lines: new Map(),
    entering: new Map(),
    parked: noneParked(),
    locked: new Map(),
    ticking: false,
  };
}

/** Lets clients use the groups of this process. */
export class StoreGate extends Gate<Mark> {
  protected readonly timer = this.requires(Timer);
  readonly state = this.declareState(noState());
  readonly #status = this.consensus.onAnswer(AskStatus, (answer, { gid }) => {
    if (answer instanceof Status && answer.role === "leader") this.state.leads.add(gid);
  });
  /** A life that begins later than the groups, after a failure, has not heard who leads them. */
  readonly #groups = this.consensus.onAnswer(AskGroups, (answer) => {
    if (!(answer instanceof GroupsHere)) return;
    for (const gid of answer.gids) this.#status(new AskStatus({ gid }));
  });
  readonly #peek = this.consensus.onAnswer(Peek, (answer, _, entrant: Entrant) => {
    this.#looked(entrant, answer);
  });

  constructor() {
    super();
    this.consensus.on(LeaderChanged, ({ gid, here }) => {
      if (here) this.state.leads.add(gid);
      else this.#leave(gid);
    });
    this.onStart(() => this.#groups(new AskGroups()));
    this.timer.on(Tick, () => {
      const { state } = this;
      state.ticking = false;
      for (const gid of state.lines.keys()) {
        this.#look(gid);
        this.#proceed(gid);
      }
      for (const asked of expired(state.parked, this.clock.monotonic)) this.pass(asked);
      this.#keepTicking();
    });
  }

  protected override take(asked: Asked): void {
    const { gid, kind, body } = asked;
    const { lines, leads } = this.state;
    const line = lines.get(gid);
    if (kind === "query") return this.#query(asked, line);
    if (!leads.has(gid)) return this.pass(asked);
    if (isPrepare(body)) this.state.locked.set(gid, this.clock.monotonic + lockedMs);
    const ended = read(() => endedBy(body));
    const frees = typeof ended === "string" ? { frees: ended } : {};
    if (line === undefined)
      return this.pass(
        asked,
        frees.frees === undefined ? undefined : { hold: 0, ends: [], ...frees },
      );
    const command = read(() => decodeCommand(body));
    if (command === undefined) return this.pass(asked);
    const verdict = look(line, command);
    if (verdict.passes) return this.pass(asked, { hold: 0, ends: verdict.ends, ...frees });
    return this.#join({ who: asked, keys: verdict.keys, holds: false });
  }

  protected override answered(caller: Caller, answer: object, mark: Mark | undefined): void {
    const now = this.clock.monotonic;
    const { gid } = caller;
    const { parked, lines } = this.state;
    const asked = mark?.parks;
    if (asked !== undefined && answer instanceof Done && park(parked, asked, answer.result, now)) {
      this.#keepTicking();
      return;
    }
    super.answered(caller, mark?.frees === undefined ? answer : this.#tells(gid, answer), mark);
    if (mark === undefined) return;
    if (mark.frees !== undefined)
      for (const one of released(parked, gid, mark.frees)) this.#pass(one);
    const line = lines.get(gid);
    if (line === undefined) return;
    if (mark.hold > 0) {
      const found = answer instanceof Done ? decodeAnswer(answer.result) : null;
      wasRead(line, mark.hold, found?.kind === "readings" ? found.readings : null);
    } else if (mark.ends.length > 0) end(line, mark.ends);
    if (mark.frees !== undefined) this.#look(gid);
    this.#proceed(gid);
  }

  #query(asked: Asked, line: Line<Asked> | undefined): void {
    const { gid, body } = asked;
    if (!this.state.leads.has(gid)) return this.pass(asked);
    if (isEntering(body)) return this.#enter(asked);
    const turn = turnOf(body);
    if (turn === null || (turn === "joins" && line === undefined)) return this.#pass(asked);
    const query = read(() => decodeQuery(body));
    if (query?.kind !== "read") return this.pass(asked);
    const { keys } = query;
    if (turn === "joins" && line !== undefined && !isWanted(line, keys)) return this.#pass(asked);
    return this.#join({ who: asked, keys, holds: true });
  }

  /** Hands a question to its group; where it reads what may be locked, it is looked at what comes back. */
  #pass(asked: Asked): void {
    const { locked } = this.state;
    const { gid, body } = asked;
    const until = locked.get(gid);
    if (until === undefined || !isReading(body)) return this.pass(asked);
    if (until > this.clock.monotonic) return this.pass(asked, { hold: 0, ends: [], parks: asked });
    locked.delete(gid);
    return this.pass(asked);
  }

  #enter(asked: Asked): void {
    const query = read(() => decodeQuery(asked.body));
    if (query?.kind !== "enter") return this.pass(asked);
    const { gid, body } = asked;
    const { name: tx } = query;
    if (tx === "") {
      this.#peek(new Peek({ gid, query: body }), { context: { asked, tx, hold: 0 } });
      return undefined;
    }
    const keys = query.keys.map(({ position }) => position);
    if (keys.length === 0) return this.#goes(asked, tx);
    const line = this.#line(gid);
    const waiter = { who: asked, keys, holds: true, tx };
    return this.#join(waiter, resume(line, query.keys));
  }

  /** A transaction leaves the line, or what it has there. */
  #goes(asked: Asked, name: TxName): void {
    this.pass(asked);
    const line = this.state.lines.get(asked.gid);
    if (line === undefined) return;
    for (const who of leave(line, name)) this.pass(who);
    this.#proceed(asked.gid);
  }

  #line(gid: string): Line<Asked> {
    const { lines } = this.state;
    let line = lines.get(gid);
    if (line === undefined) lines.set(gid, (line = newLine()));
    return line;
  }

  #join(waiter: Waiter<Asked>, first = false): void {
    const { who: asked } = waiter;
    const { gid, client, call } = asked;
    const { queue } = this.#line(gid);
    const isIt = ({ who }: { readonly who: Asked }): boolean =>
      who.client === client && who.call === call;
    const at = queue.findIndex(isIt);
    const { entering } = this.state;
    const inside = entering.get(gid)?.some((one) => isIt({ who: one.asked })) === true;
    // It has asked again: it keeps its place.
    if (at >= 0) queue[at] = waiter;
    else if (inside) return undefined;
    else if (queue.length >= lineMax) return this.answered(asked, new Busy(), undefined);
    else if (first) queue.unshift(waiter);
    else queue.push(waiter);
    return this.#proceed(gid);
  }

  #proceed(gid: string): void {
    const { lines } = this.state;
    const line = lines.get(gid);
    if (line === undefined) return;
    for (const { who, hold, tx } of proceed(line, this.clock.monotonic))
      if (tx === null) this.pass(who, { hold, ends: [] });
      else this.#peek(new Peek({ gid, query: who.body }), { context: { asked: who, tx, hold } });
    if (isOver(line)) lines.delete(gid);
    this.#keepTicking();
  }

  // --- who enters ------------------------------------------------------------------------------------

  /** It was looked whether one that has its turn comes in vain, and whether its keys are free. */
  #looked(entrant: Entrant, answer: object): void {
    const { asked, tx, hold } = entrant;
    const { gid } = asked;
    const line = this.state.lines.get(gid);
    const found = answer instanceof Done ? decodeAnswer(answer.result) : null;
    const goesOn = found?.kind === "entered";
    const isLocked = goesOn && found.lockedBy !== null && found.lockedBy !== tx;
    if (isLocked && line !== undefined && isHeld(line, hold)) {
      const waiting = this.state.entering.get(gid);
      if (waiting === undefined) this.state.entering.set(gid, [entrant]);
      else waiting.push(entrant);
      return;
    }
    this.answered(asked, answer, undefined);
    if (goesOn || line === undefined) return;
    end(line, [hold]);
    this.#proceed(gid);
  }

  /** Who did not enter the line shall hear of it. */
  #tells(gid: string, answer: object): object {
    const { lines, entering } = this.state;
    const isAwaited = (lines.get(gid)?.queue.length ?? 0) > 0 || entering.has(gid);
    return isAwaited && answer instanceof Done
      ? new Done({ index: answer.index, result: awaited })
      : answer;
  }

  /** Looks again at keys that were locked. */
  #look(gid: string): void {
    const { entering } = this.state;
    const waiting = entering.get(gid);
    if (waiting === undefined) return;
    entering.delete(gid);
    for (const entrant of waiting) {
      const { body } = entrant.asked;
      this.#peek(new Peek({ gid, query: body }), { context: entrant });
    }
  }

  /** Another one leads: who waits hears who. */
  #leave(gid: string): void {
    const { leads, lines, entering, parked, locked } = this.state;
    leads.delete(gid);
    locked.delete(gid);
    const queue = lines.get(gid)?.queue ?? [];
    lines.delete(gid);
    const inside = entering.get(gid) ?? [];
    entering.delete(gid);
    for (const { who } of queue) this.pass(who);
    for (const { asked } of inside) this.pass(asked);
    for (const asked of released(parked, gid, null)) this.pass(asked);
  }

  #keepTicking(): void {
    const { state } = this;
    if (state.ticking || (state.lines.size === 0 && state.parked.size === 0)) return;
    state.ticking = true;
    this.timer.trigger(new ScheduleTimeout({ delay: tickMs, timeout: new Tick() }));
  }
}

/** What comes from outside may be anything: what cannot be read is for the group to answer. */
function read<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
