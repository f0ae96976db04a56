/**
 * A plain distributed hash table: each entry stands at the peer that its key belongs to, and nowhere else. It is the
 * example of a service on the stack, and no store: the entries of a peer that crashes are lost, two peers may take
 * a key for their own for a while, and nothing here is agreed on.
 *
 * Entries move when peers come and go:
 * - A peer that gets another predecessor hands it what is no longer its own. The newcomer lets operations wait until then.
 * - Who leaves hands all to the peer behind it first, and passes on what is asked of it in the meantime.
 */

import {
  AskTimeout,
  CancelTimeout,
  Component,
  event,
  type ReplyToken,
  ScheduleTimeout,
  streamKey,
  timeout,
  Timer,
} from "@kith/core";
import { inHalfOpen, ringSize } from "@kith/membership";
import { parsePeer, type PeerRef, self } from "@kith/network";
import { LeaveRing, Ring, RingLeft, RingView } from "@kith/ring";
import { Routed, Router, SendToKey, SendToPeer } from "@kith/router";
import { Ask, Go, Gone, type Op, Outcome, Table } from "./port.ts";

interface Operation {
  readonly client: PeerRef;
  readonly id: number;
  readonly op: Op;
  readonly key: string;
  readonly value: string | null;
}

type Entries = readonly (readonly [key: string, value: string])[];

/** An operation on its way to the owner of its key. */
export class Operate extends event("dht/Operate", Routed)<{ readonly operation: Operation }> {}

/** Its result, on its way back. */
export class Result extends event("dht/Result", Routed)<{
  readonly id: number;
  readonly value: string | null;
}> {}

/** Entries for their new owner: from the peer behind it, or from one before it that leaves. */
export class Hand extends event("dht/Hand", Routed)<{
  readonly entries: Entries;
  readonly leaving: boolean;
}> {}

class Late extends timeout("dht/Late")<{ readonly id: number }> {}
class Unhanded extends timeout("dht/Unhanded") {}

/** How long an operation may take, and how long a newcomer waits for its entries, in milliseconds. */
const lateMillis = 15_000;
const handMillis = 12_000;
/** How many operations may wait. What comes beyond is not answered, and ends as unknown. */
const waitingMax = 1000;

interface State {
  entries: Map<string, string>;
  readonly asks: Map<number, ReplyToken<Outcome>>;
  id: number;
  view: Pick<RingView, "status" | "predecessor" | "successors"> | null;
  /** What waits for entries to come, or to be handed on; null while this peer serves. */
  waiting: Operation[] | null;
  /** Who gets all, once this peer leaves. */
  heir: PeerRef | null;
}

/** Where a key stands on the ring. */
export function pointOf(key: string, size: number): number {
  const { high, low } = streamKey("dht", key);
  return ((high >>> 0) * 2 ** 20 + (low >>> 12)) % size;
}

/** The entries of one peer, and the operations of its users. */
export class Dht extends Component {
  readonly table = this.provides(Table);
  readonly router = this.requires(Router);
  readonly ring = this.requires(Ring);
  readonly timer = this.requires(Timer);
  readonly #self = parsePeer(this.setting(self));
  readonly #size = this.setting(ringSize);
  readonly state = this.declareState<State>({
    entries: new Map(),
    asks: new Map(),
    id: 0,
    view: null,
    waiting: null,
    heir: null,
  });
  readonly #operate = this.router.onAnswer(SendToKey, (answer, _, { id }: { id: number }) => {
    if (answer instanceof AskTimeout || answer.status === "delivered") return;
    this.#end(id, answer.status, null);
  });
  /** What is sent to a peer: entries, of which the context knows, or anything else. */
  readonly #send = this.router.onAnswer(
    SendToPeer,
    (answer, _, { entries, leaving }: { entries: Entries; leaving: boolean }) => {
      const lost = answer instanceof AskTimeout || answer.status !== "delivered";
      if (lost) this.#take(entries, false);
      if (!leaving) return;
      if (lost) this.log.warn("Nobody has taken the entries.", { entries: entries.length });
      const { waiting, heir } = this.state;
      this.state.waiting = null;
      for (const operation of waiting ?? []) this.#pass(operation, heir);
      this.ring.trigger(new LeaveRing());
    },
  );

  constructor() {
    super();
    this.table.on(Ask, ({ op, key, value = null }, token) => {
      const id = ++this.state.id;
      this.state.asks.set(id, token);
      this.timer.trigger(new ScheduleTimeout({ delay: lateMillis, timeout: new Late({ id }), id }));
      const operation = { client: this.#self, id, op, key, value };
      const payload = new Operate({ operation });
      this.#operate(new SendToKey({ key: pointOf(key, this.#size), payload }), { context: { id } });
    });
    this.table.on(Go, () => this.#go());
    this.router.on(Operate, ({ operation }) => this.#handle(operation));
    this.router.on(Result, ({ id, value }) => this.#end(id, "ok", value));
    this.router.on(Hand, ({ entries, leaving }) => {
      this.#take(entries, leaving);
      if (!leaving && this.state.heir === null) this.#serve();
    });
    this.ring.on(RingView, (view) => this.#viewed(view));
    this.ring.on(RingLeft, () => this.table.trigger(new Gone()));
    this.timer.on(Late, ({ id }) => this.#end(id, "unknown", null));
    this.timer.on(Unhanded, () => {
      if (this.state.waiting === null || this.state.heir !== null) return;
      this.log.warn("No entries came from the peer behind.");
      this.#serve();
    });
  }

  // --- operations ----------------------------------------------------------------------------------

  #handle(operation: Operation): void {
    const { waiting, heir, entries } = this.state;
    if (waiting !== null) {
      if (waiting.length < waitingMax) waiting.push(operation);
      return;
    }
    if (heir !== null) {
      this.#pass(operation, heir);
      return;
    }
    const { op, key, value, id, client } = operation;
    const before = entries.get(key) ?? null;
    if (op === "put" && value !== null) entries.set(key, value);
    else if (op === "delete") entries.delete(key);
    const payload = new Result({ id, value: op === "put" ? value : before });
    this.#tell(client, payload);
  }

  #pass(operation: Operation, heir: PeerRef | null): void {
    if (heir !== null) this.#tell(heir, new Operate({ operation }));
  }

  #tell(peer: PeerRef, payload: Routed): void {
    this.#send(new SendToPeer({ peer, payload }), { context: { entries: [], leaving: false } });
  }

  #end(id: number, status: Outcome["status"], value: string | null): void {
    const token = this.state.asks.get(id);
    if (token === undefined) return;
    this.state.asks.delete(id);
    this.timer.trigger(new CancelTimeout({ id }));
    this.table.reply(token, new Outcome({ status, value }));
  }

  // --- coming and going ----------------------------------------------------------------------------

  #viewed({ status, predecessor, successors }: RingView): void {
    const before = this.state.view;
    this.state.view = { status, predecessor, successors };
    if (status !== "in" || this.state.heir !== null) return;
    const alone = successors[0]?.peerId === this.#self.peerId;
    if (before?.status !== "in" && !alone) {
      this.state.waiting = [];
      this.timer.trigger(new ScheduleTimeout({ delay: handMillis, timeout: new Unhanded() }));
    }
    // A newcomer has nothing to hand over before it serves.
    if (this.state.waiting === null && predecessor?.peerId !== before?.predecessor?.peerId)
      this.#release();
  }

  /** Hands the predecessor what is not this peer's own. */
  #release(): void {
    const predecessor = this.state.view?.predecessor ?? null;
    if (predecessor === null || predecessor.peerId === this.#self.peerId) return;
    const mine = (key: string): boolean =>
      inHalfOpen(pointOf(key, this.#size), predecessor.peerId, this.#self.peerId, this.#size);
    this.#handOver(predecessor, (key) => !mine(key), false);
  }

  #handOver(peer: PeerRef, which: (key: string) => boolean, leaving: boolean): void {
    const entries = [...this.state.entries].filter(([key]) => which(key));
    for (const [key] of entries) this.state.entries.delete(key);
    const payload = new Hand({ entries, leaving });
    this.#send(new SendToPeer({ peer, payload }), { context: { entries, leaving } });
  }

  /** Takes entries; those of one that leaves are newer than any that stand here. */
  #take(entries: Entries, newer: boolean): void {
    for (const [key, value] of entries)
      if (newer || !this.state.entries.has(key)) this.state.entries.set(key, value);
  }

  #serve(): void {
    const { waiting } = this.state;
    this.state.waiting = null;
    for (const operation of waiting ?? []) this.#handle(operation);
    // Another newcomer may stand before this one, and wait for it.
    if (waiting !== null) this.#release();
  }

  #go(): void {
    const heir = this.state.view?.successors[0];
    if (heir === undefined || heir.peerId === this.#self.peerId) {
      this.ring.trigger(new LeaveRing());
      return;
    }
    this.state.heir = heir;
    this.state.waiting ??= [];
    this.#handOver(heir, () => true, true);
  }
}
