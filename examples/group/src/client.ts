/**
 * The client of the group: finds the leader, asks again where no answer came, and nothing is done twice.
 *
 * - Each `person` has a session with the group and one deed at a time. A deed bears the session's next number in every
 *   copy of it, so it may be proposed as often as it takes: it is applied once.
 * - What was not answered within a while is asked of the next member. A deed that nobody has answered by its deadline is
 *   `unknown`: it may have been done, or may yet be. Its person is not to go on.
 */

import {
  Component,
  event,
  type Millis,
  port,
  type ReplyToken,
  request,
  SchedulePeriodic,
  timeout,
  Timer,
} from "@kith/core";
import {
  ConnectionDown,
  ConnectionUp,
  Dropped,
  Network,
  parsePeer,
  type PeerRef,
  self,
} from "@kith/network";
import { inSession, openSession, sessionResult } from "@kith/paxos";
import { type Answer, Answers, type Ask, Asks, nameOf } from "./messages.ts";
import { type Deed, decodeValue, encodeDeed, encodeLook, isTaken } from "./registers.ts";

/** What became of it: done (or not, where a comparison found something else), or nobody knows. */
export class Ended extends event("group/Ended")<{
  readonly outcome: "done" | "not-done" | "unknown";
  /** What was read. */
  readonly value: Uint8Array | null;
}> {}

/** Does something to a register. */
export class Do extends request("group/Do", Ended)<{
  readonly person: string;
  readonly deed: Deed;
}> {}

/** Reads a register, linearizably. */
export class Look extends request("group/Look", Ended)<{ readonly key: string }> {}

/** Another member is asked from now on: the leader, as far as it is known. */
export class Turned extends event("group/Turned")<{ readonly to: number }> {}

/** Registers somewhere else. */
export const Registers = port("Registers", { requests: [Do, Look], indications: [Turned] });

/** What a client has to know. */
export interface ClientInit {
  /** Where the members are; their lives need not be known. */
  readonly members: readonly PeerRef[];
  /** How long to wait for an answer before another member is asked; default 1,000 ms. */
  readonly patience?: Millis;
  /** How long a deed or a look may take; default 20 seconds. */
  readonly deadline?: Millis;
}

class Tick extends timeout("group/Tick") {}
/** Behind everything that is queued: time to ask. */
class TurnEnds extends event("group/ClientTurnEnds") {}
const Turns = port("GroupClientTurns", { requests: [TurnEnds] });

/** One open operation. */
interface Open {
  readonly token: ReplyToken<Ended>;
  readonly kind: Ask[1];
  body: Uint8Array;
  readonly person: Person | null;
  readonly deed: Deed | null;
  readonly until: Millis;
  sentAt: Millis;
}

interface Person {
  readonly session: string;
  open: boolean;
  nextSeq: number;
}

/** Asks the group for those on this peer. */
export class Client extends Component {
  readonly registers = this.provides(Registers);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  protected readonly turns = this.provides(Turns);
  protected readonly turner = this.requires(Turns);
  /** Begins the names of sessions: another life of this peer numbers its deeds from 1 again. */
  readonly #life = `${nameOf(parsePeer(this.setting(self)))} `;
  readonly #members: PeerRef[];
  readonly #patience: Millis;
  readonly #deadline: Millis;
  readonly #persons = new Map<string, Person>();
  readonly #open = new Map<number, Open>();
  #due: number[] = [];
  #number = 0;
  /** The index of the member that is asked. */
  #target = 0;

  constructor(init: ClientInit) {
    super();
    this.#members = [...init.members];
    this.#patience = init.patience ?? 1000;
    this.#deadline = init.deadline ?? 20_000;
    this.connect(this.turns, this.turner);
    this.registers.on(Do, ({ person: name, deed }, token) => {
      let person = this.#persons.get(name);
      if (person === undefined)
        this.#persons.set(name, (person = { session: this.#life + name, open: false, nextSeq: 1 }));
      const body = person.open ? this.#inSession(person, deed) : openSession(person.session);
      this.#begin("do", token, body, person, deed);
    });
    this.registers.on(Look, ({ key }, token) =>
      this.#begin("look", token, encodeLook(key), null, null),
    );
    this.net.on(Answers, ({ from, answers, leader }) => {
      this.#met(from);
      for (const answer of answers) this.#answered(from, answer, leader);
    });
    this.net.on(ConnectionUp, ({ peer }) => this.#met(peer));
    this.net.on(ConnectionDown, ({ peer }) => this.#lost(peer));
    this.net.on(Dropped, ({ to }) => this.#lost(to));
    this.turns.on(TurnEnds, () => this.#send());
    this.timer.on(Tick, () => this.#tick());
    this.onStart(() => {
      this.#turnTo(0);
      this.timer.trigger(new SchedulePeriodic({ period: 50, timeout: new Tick() }));
    });
  }

  /** The peer that is asked now. */
  get #asked(): number {
    return this.#members[this.#target]?.peerId ?? 0;
  }

  #turnTo(index: number): void {
    this.#target = index % this.#members.length;
    this.registers.trigger(new Turned({ to: this.#asked }));
  }

  #inSession(person: Person, deed: Deed): Uint8Array {
    const { session: client, nextSeq: seq } = person;
    return inSession({ client, seq, ackedBelow: seq, command: encodeDeed(deed) });
  }

  #begin(
    kind: Ask[1],
    token: ReplyToken<Ended>,
    body: Uint8Array,
    person: Person | null,
    deed: Deed | null,
  ): void {
    const now = this.clock.monotonic;
    const number = ++this.#number;
    const until = now + this.#deadline;
    this.#open.set(number, { token, kind, body, person, deed, until, sentAt: now });
    this.#ask(number);
  }

  #ask(number: number): void {
    this.#due.push(number);
    if (this.#due.length === 1) this.turner.trigger(new TurnEnds());
  }

  #send(): void {
    const due = this.#due;
    this.#due = [];
    const to = this.#members[this.#target];
    const now = this.clock.monotonic;
    const asks: Ask[] = [];
    for (const number of due) {
      const open = this.#open.get(number);
      if (open === undefined) continue;
      open.sentAt = now;
      asks.push([number, open.kind, open.body]);
    }
    if (to !== undefined && asks.length > 0) this.net.trigger(new Asks({ to, asks }));
  }

  #answered(from: PeerRef, [number, outcome, result]: Answer, leader: number | null): void {
    const open = this.#open.get(number);
    if (open === undefined) return;
    if (outcome === "done") this.#done(number, open, result);
    // What is asked again by the tick waits that long: a group without a leader is not to be stormed.
    else if (outcome === "moved" && from.peerId === this.#asked) {
      const known = this.#members.findIndex(({ peerId }) => peerId === leader);
      this.#turnTo(known >= 0 ? known : this.#target + 1);
      open.sentAt = -Infinity;
    } else open.sentAt = -Infinity;
  }

  #done(number: number, open: Open, result: Uint8Array): void {
    const { person, deed } = open;
    if (person === null || deed === null) {
      this.#end(number, open, "done", decodeValue(result));
      return;
    }
    const said = sessionResult(result);
    if (said.kind === "opened") {
      if (person.open) return;
      person.open = true;
      open.body = this.#inSession(person, deed);
      this.#ask(number);
    } else if (said.kind === "done") {
      person.nextSeq++;
      this.#end(number, open, isTaken(said.result) ? "done" : "not-done");
    } else this.#end(number, open, "unknown");
  }

  #end(
    number: number,
    { token }: Open,
    outcome: Ended["outcome"],
    value: Uint8Array | null = null,
  ): void {
    this.#open.delete(number);
    this.registers.reply(token, new Ended({ outcome, value }));
  }

  #tick(): void {
    const now = this.clock.monotonic;
    let silent = false;
    for (const [number, open] of this.#open) {
      if (now >= open.until) this.#end(number, open, "unknown");
      else if (now - open.sentAt >= this.#patience) {
        silent ||= open.sentAt !== -Infinity;
        this.#ask(number);
      }
    }
    if (silent) this.#turnTo(this.#target + 1);
  }

  #met(peer: PeerRef): void {
    const index = this.#members.findIndex(({ peerId }) => peerId === peer.peerId);
    const known = this.#members[index];
    if (known !== undefined && known.incarnation <= peer.incarnation) this.#members[index] = peer;
  }

  /** It does not answer now: what waits for it is asked of another one. */
  #lost(peer: PeerRef): void {
    if (peer.peerId !== this.#asked) return;
    this.#turnTo(this.#target + 1);
    for (const open of this.#open.values()) open.sentAt = -Infinity;
  }
}
