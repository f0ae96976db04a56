/**
 * The gate of a member of the store: what clients elsewhere ask goes to the groups, and past the lines at keys that many
 * want (`line.ts`). Groups that are not led here have none, nor have those in which nobody was aborted often: there it
 * is a gate as any other.
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
  Status,
} from "@kith/paxos";
import { type Command, decodeCommand } from "./command.ts";
import {
  end,
  isOver,
  isWanted,
  type Line,
  lineMax,
  look,
  newLine,
  proceed,
  wasRead,
} from "./line.ts";
import type { Position } from "./position.ts";
import { decodeAnswer, decodeQuery, type Query, turnOf } from "./query.ts";

class Tick extends timeout("store/GateTick") {}

const tickMs: Millis = 50;

/** What a call is to the lines, until it is answered. */
interface Mark {
  /** The hold with which it reads. */
  readonly hold: number;
  /** Holds that are over when it is answered. */
  readonly ends: readonly number[];
}

interface GateState {
  readonly batches: GateBatches;
  /** Groups that are led here. */
  readonly leads: Set<string>;
  readonly lines: Map<string, Line<Asked>>;
  ticking: boolean;
}

function noState(): GateState {
  return { batches: new Map(), leads: new Set(), lines: new Map(), ticking: false };
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

  constructor() {
    super();
    this.consensus.on(LeaderChanged, ({ gid, here }) => {
      const { leads, lines } = this.state;
      if (here) leads.add(gid);
      else leads.delete(gid);
      const line = lines.get(gid);
      if (here || line === undefined) return;
      lines.delete(gid);
      // They hear who leads now.
      for (const { who } of line.queue) this.pass(who);
    });
    this.onStart(() => this.#groups(new AskGroups()));
    this.timer.on(Tick, () => {
      this.state.ticking = false;
      for (const gid of this.state.lines.keys()) this.#proceed(gid);
    });
  }

  protected override take(asked: Asked): void {
    const { gid, kind, body } = asked;
    const { lines, leads } = this.state;
    const line = lines.get(gid);
    if (kind === "query") {
      const turn = turnOf(body);
      if (turn === null || !leads.has(gid) || (turn === "joins" && line === undefined))
        return this.pass(asked);
      const query = read(() => decodeQuery(body));
      if (query?.kind !== "read") return this.pass(asked);
      const { keys } = query;
      if (turn === "joins" && line !== undefined && !isWanted(line, keys)) return this.pass(asked);
      return this.#join(asked, keys, true);
    }
    const command = line === undefined ? undefined : read(() => decodeCommand(body));
    if (line === undefined || command === undefined) return this.pass(asked);
    const verdict = look(line, command);
    if (verdict.passes) return this.pass(asked, { hold: 0, ends: verdict.ends });
    return this.#join(asked, verdict.keys, false);
  }

  protected override answered(caller: Caller, answer: object, mark: Mark | undefined): void {
    super.answered(caller, answer, mark);
    const line = mark === undefined ? undefined : this.state.lines.get(caller.gid);
    if (mark === undefined || line === undefined) return;
    if (mark.hold > 0) {
      const found = answer instanceof Done ? decodeAnswer(answer.result) : null;
      wasRead(line, mark.hold, found?.kind === "readings" ? found.readings : null);
    } else if (mark.ends.length > 0) end(line, mark.ends);
    else return;
    this.#proceed(caller.gid);
  }

  #join(asked: Asked, keys: readonly Position[], holds: boolean): void {
    const { lines } = this.state;
    const { gid, client, call } = asked;
    let line = lines.get(gid);
    if (line === undefined) lines.set(gid, (line = newLine()));
    const { queue } = line;
    const at = queue.findIndex(({ who }) => who.client === client && who.call === call);
    // It has asked again: it keeps its place.
    if (at >= 0) queue[at] = { who: asked, keys, holds };
    else if (queue.length >= lineMax) return this.answered(asked, new Busy(), undefined);
    else queue.push({ who: asked, keys, holds });
    return this.#proceed(gid);
  }

  #proceed(gid: string): void {
    const { state } = this;
    const line = state.lines.get(gid);
    if (line === undefined) return;
    for (const { who, hold } of proceed(line, this.clock.monotonic))
      this.pass(who, { hold, ends: [] });
    if (isOver(line)) state.lines.delete(gid);
    else if (!state.ticking) {
      state.ticking = true;
      this.timer.trigger(new ScheduleTimeout({ delay: tickMs, timeout: new Tick() }));
    }
  }
}

/** What comes from outside may be anything: what cannot be read is for the group to answer. */
function read<T extends Command | Query>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
