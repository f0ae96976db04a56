/**
 * What the leader of a group does unasked: keys whose time has passed go, transactions that were left open come to their end,
 * and sessions of clients that are gone are closed (algorithms.md §6.5.0 rulings 5 and 6, §6.5.6).
 *
 * All of it is asked of what the replica here has applied, and done by commands that check again when they are applied; so it does
 * no harm where another one leads by now, or where two take care at once. Nothing of it is needed for what clients
 * are promised: they wait for it a little longer where nobody takes care.
 */

import { AskTimeout, Component, type Millis, SchedulePeriodic, timeout, Timer } from "@kith/core";
import {
  AskGroups,
  AskStatus,
  Consensus,
  type ConsensusAnswer,
  Done,
  GroupHalted,
  GroupLeft,
  GroupsHere,
  LeaderChanged,
  Peek,
  Propose,
  Status,
} from "@kith/paxos";
import { type Command, encodeCommand } from "./command.ts";
import { decodeAnswer, encodeQuery, type IdleSession, type KnownTx, type Query } from "./query.ts";
import { Conclude, Recovery } from "./recovery.ts";
import { decodeResult } from "./result.ts";
import { txOf } from "./rows.ts";

/** The init of a caretaker. Plain data. */
export interface CaretakerInit {
  /** Between two looks at a group; default 1 s. A key goes at most so much later than it might. */
  readonly period?: Millis;
  /** How old a transaction has to be before it is ended for its client; default 10 s. Less ends such as are only slow. */
  readonly doubt?: Millis;
  /** How long a session has not to be used before it is closed; default an hour, and the same at all members. */
  readonly idle?: Millis;
}

/** A session whose transactions are being ended. Plain data. */
interface Closing {
  readonly gid: string;
  readonly client: string;
  readonly finished: number[];
  left: number;
  /** Whether it has a transaction of which nobody knows enough. */
  unclear: boolean;
}

/** When the transactions and the sessions of a group are looked at next. Plain data. */
interface Due {
  doubtAt: Millis;
  idleAt: Millis;
}

interface Look {
  readonly gid: string;
  readonly what: "due" | "in-doubt" | "idle";
}

class Tick extends timeout("store/CaretakerTick") {}

const dueMax = 256;
const doubtMax = 64;
const idleMax = 16;
const closingMax = 64;

/** Takes care of the groups that are led here. */
export class Caretaker extends Component {
  readonly consensus = this.requires(Consensus);
  readonly recovery = this.requires(Recovery);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState({
    /** The groups that are led here, and when their transactions and sessions are looked at next. */
    leads: new Map<string, Due>(),
    closing: new Map<number, Closing>(),
    lastClosing: 0,
  });
  readonly #period: Millis;
  readonly #doubt: Millis;
  readonly #idle: Millis;
  readonly #status = this.consensus.onAnswer(AskStatus, (answer, { gid }) => {
    if (answer instanceof Status) this.#look(gid, answer);
  });
  /** A life that begins later than the groups, after a failure, has not heard who leads them. */
  readonly #groups = this.consensus.onAnswer(AskGroups, (answer) => {
    if (!(answer instanceof GroupsHere)) return;
    for (const gid of answer.gids) this.#status(new AskStatus({ gid }));
  });
  readonly #peek = this.consensus.onAnswer(Peek, (answer, _, look: Look) =>
    this.#seen(answer, look),
  );
  readonly #propose = this.consensus.onAnswer(
    Propose,
    (answer, { gid }, { isFull }: { readonly isFull: boolean }) => {
      // There may be more that is due; but what is locked is due for as long as it is.
      if (!isFull || !(answer instanceof Done) || !this.state.leads.has(gid)) return;
      const result = decodeResult(answer.result);
      if (result.kind === "expired" && result.count > 0) this.#status(new AskStatus({ gid }));
    },
  );
  readonly #conclude = this.recovery.onAnswer(
    Conclude,
    (answer, { tx }, { closing }: { readonly closing: number }) => {
      const one = this.state.closing.get(closing);
      if (one === undefined) return;
      one.left--;
      if (answer instanceof AskTimeout || !answer.known) one.unclear = true;
      else one.finished.push(txOf(tx.name).seq);
      this.#close(closing, one);
    },
  );

  constructor({ period = 1000, doubt = 10_000, idle = 3_600_000 }: CaretakerInit = {}) {
    super();
    this.#period = period;
    this.#doubt = doubt;
    this.#idle = idle;
    this.consensus.on(LeaderChanged, ({ gid, here }) => {
      if (here) this.#led(gid);
      else this.state.leads.delete(gid);
    });
    this.consensus.on(GroupLeft, ({ gid }) => void this.state.leads.delete(gid));
    this.consensus.on(GroupHalted, ({ gid }) => void this.state.leads.delete(gid));
    this.timer.on(Tick, () => {
      for (const gid of this.state.leads.keys()) this.#status(new AskStatus({ gid }));
    });
    this.onStart(() => {
      this.timer.trigger(new SchedulePeriodic({ period, timeout: new Tick() }));
      this.#groups(new AskGroups());
    });
  }

  /** A group that is led here. What its leader before has begun to end may have stopped with it: all is looked at soon. */
  #led(gid: string): Due {
    const { leads } = this.state;
    let due = leads.get(gid);
    if (due === undefined) leads.set(gid, (due = { doubtAt: 0, idleAt: 0 }));
    return due;
  }

  #look(gid: string, { role, time }: Status): void {
    if (role !== "leader") return;
    const due = this.#led(gid);
    const now = this.clock.monotonic;
    this.#ask({ gid, what: "due" }, { kind: "due", at: time, limit: dueMax });
    if (now >= due.doubtAt) {
      due.doubtAt = now + this.#doubt / 2;
      const before = time - this.#doubt;
      this.#ask({ gid, what: "in-doubt" }, { kind: "in-doubt", before, limit: doubtMax });
    }
    if (now < due.idleAt || this.state.closing.size >= closingMax) return;
    due.idleAt = now + Math.max(this.#period, this.#idle / 60);
    this.#ask({ gid, what: "idle" }, { kind: "idle", before: time - this.#idle, limit: idleMax });
  }

  #ask(look: Look, query: Query): void {
    this.#peek(new Peek({ gid: look.gid, query: encodeQuery(query) }), { context: look });
  }

  #seen(answer: ConsensusAnswer | AskTimeout, { gid }: Look): void {
    if (!(answer instanceof Done)) return;
    const found = decodeAnswer(answer.result);
    if (found.kind === "keys" && found.keys.length > 0)
      this.#command(gid, { kind: "expire", keys: found.keys }, found.keys.length >= dueMax);
    else if (found.kind === "transactions") for (const tx of found.transactions) this.#end(tx, 0);
    else if (found.kind === "sessions")
      for (const session of found.sessions) this.#closeSession(gid, session);
  }

  #closeSession(gid: string, { client, transactions }: IdleSession): void {
    for (const one of this.state.closing.values())
      if (one.gid === gid && one.client === client) return;
    const number = ++this.state.lastClosing;
    const left = transactions.length;
    const closing = { gid, client, finished: [], left, unclear: false };
    this.state.closing.set(number, closing);
    for (const tx of transactions) this.#end(tx, number);
    this.#close(number, closing);
  }

  /** Its transactions are final everywhere: only then may the group forget them. */
  #close(number: number, { gid, client, finished, left, unclear }: Closing): void {
    if (left > 0) return;
    this.state.closing.delete(number);
    if (unclear) return;
    const idle = Math.round(this.#idle);
    this.#command(gid, { kind: "expire-session", client, idle, finished });
  }

  #end(tx: KnownTx, closing: number): void {
    this.#conclude(new Conclude({ tx }), { context: { closing } });
  }

  #command(gid: string, command: Command, isFull = false): void {
    this.#propose(new Propose({ gid, command: encodeCommand(command) }), { context: { isFull } });
  }
}
