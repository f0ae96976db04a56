/**
 * Registers on consistent quorums: a client of the members (`AbdReplica`), which may be a member itself or a guest.
 *
 * Every read and write asks a majority of the members of the key's view; there is no leader, and nobody waits for one
 * that is gone. The price: single keys only, and a write takes two rounds.
 */

import {
  Component,
  type Millis,
  type ReplyToken,
  SchedulePeriodic,
  timeout,
  Timer,
} from "@kith/core";
import { ConnectionUp, Network, parsePeer, type PeerRef, self as ownPeer } from "@kith/network";
import { heardOf, met, type PeerBook } from "@kith/paxos/decide";
import { streamKey } from "@kith/core";
import { keyBytesMax, positionOf, valueBytesMax } from "../position.ts";
import {
  Ambiguous,
  Busy,
  Delete,
  Get,
  Got,
  type Key,
  NotDone,
  Put,
  Refused,
  Registers,
  type StoreAnswer,
  Written,
} from "../port.ts";
import { answered, beginOperation, coordinator, tickCoordinator } from "./coordinator.ts";
import { AskPhases, type Phase, PhaseReplies } from "./messages.ts";
import type { Stamp } from "./stamp.ts";
import type { View } from "./view.ts";

/** The init of a client. */
export interface AbdStoreInit {
  /** Views to begin with: those that the store began with, or later ones. */
  readonly views: readonly View[];
  /** How long to wait for answers before those who have not answered are asked again; default 200 ms. */
  readonly retry?: Millis;
  /** How many operations may be open before one more is answered `Busy`; default and at most 1,000. */
  readonly pendingMax?: number;
}

class Tick extends timeout("store/AbdStoreTick") {}

/** Somebody waits for the end of an operation. */
interface Waiting {
  readonly key: Key;
  readonly reads: boolean;
  readonly token: ReplyToken<StoreAnswer>;
}

const tickMs = 20;
const retryMs = 200;
const withinMs = 10_000;
const pendingLimit = 1000;
const lives = 2 ** 48;

/** Provides registers on consistent quorums. */
export class AbdStore extends Component {
  readonly registers = this.provides(Registers);
  protected readonly network = this.requires(Network);
  protected readonly timer = this.requires(Timer);

  readonly state;
  readonly #pendingMax: number;

  constructor({ views, retry = retryMs, pendingMax = pendingLimit }: AbdStoreInit) {
    super();
    this.#pendingMax = Math.min(pendingMax, pendingLimit);
    const { peerId, incarnation } = parsePeer(this.setting(ownPeer));
    // Another life is another writer, also where it has the incarnation of the one before.
    const life = this.random("life").below(lives).toString(36);
    this.state = this.declareState({
      coordinator: coordinator(`${peerId}.${incarnation}.${life}`, views, retry),
      waiting: new Map<number, Waiting>(),
      book: emptyBook(),
    });
    this.#heardOf(views);
    this.network.on(ConnectionUp, ({ peer }) => met(this.state.book, peer));
    this.network.on(PhaseReplies, ({ from, client, replies }) => {
      met(this.state.book, from);
      const { coordinator: one } = this.state;
      if (client !== one.name) return;
      one.now = this.clock.monotonic;
      for (const reply of replies) {
        this.#heardOf(reply.known);
        if (reply.view !== null) this.#heardOf([reply.view]);
        answered(one, from.peerId, reply);
      }
      this.#turn();
    });
    this.timer.on(Tick, () => {
      tickCoordinator(this.state.coordinator, this.clock.monotonic);
      this.#turn();
    });
    this.registers.on(Get, ({ key, within }, token) =>
      this.#begin({ key, reads: true, token }, undefined, within),
    );
    this.registers.on(Put, ({ key, value, within }, token) => {
      if (value.length <= valueBytesMax)
        return this.#begin({ key, reads: false, token }, value, within);
      const refused = new Refused({ at: 0, reason: "too-large", value: null, version: 0 });
      return this.registers.reply(token, refused);
    });
    this.registers.on(Delete, ({ key, within }, token) =>
      this.#begin({ key, reads: false, token }, null, within),
    );
    this.onStart(() => {
      this.timer.trigger(new SchedulePeriodic({ period: tickMs, timeout: new Tick() }));
    });
  }

  #begin(waiting: Waiting, value: Uint8Array | null | undefined, within: Millis = withinMs): void {
    const { state } = this;
    const { key, token } = waiting;
    const reason =
      key.length > keyBytesMax ? "key-too-long" : isOctets(key) ? null : "key-no-octets";
    if (reason !== null)
      return this.registers.reply(token, new Refused({ at: 0, reason, value: null, version: 0 }));
    if (state.waiting.size >= this.#pendingMax) return this.registers.reply(token, new Busy());
    const { coordinator: one } = state;
    one.now = this.clock.monotonic;
    const id = beginOperation(one, positionOf(key, false), value, one.now + within);
    state.waiting.set(id, waiting);
    return this.#turn();
  }

  #turn(): void {
    const { coordinator: one, waiting, book } = this.state;
    const { asks, ends } = one.out;
    one.out = { asks: [], ends: [] };
    const phases = new Map<PeerRef, Phase[]>();
    for (const { to, phase } of asks) {
      const peer = book.get(to);
      if (peer === undefined) continue;
      const list = phases.get(peer);
      if (list === undefined) phases.set(peer, [phase]);
      else list.push(phase);
    }
    for (const [to, list] of phases)
      this.network.trigger(new AskPhases({ to, client: one.name, phases: list }));
    for (const { id, end } of ends) {
      const its = waiting.get(id);
      waiting.delete(id);
      if (its === undefined) continue;
      if (end.kind === "ambiguous") this.registers.reply(its.token, new Ambiguous());
      else if (end.kind === "not-done")
        this.registers.reply(its.token, new NotDone({ reason: "timeout" }));
      else {
        const { stamp, value } = end.has;
        const version = value === null && its.reads ? 0 : versionOf(stamp);
        this.registers.reply(
          its.token,
          its.reads
            ? new Got({ entry: { key: its.key, value, version, expiresIn: null } })
            : new Written({ version }),
        );
      }
    }
  }

  #heardOf(views: readonly View[]): void {
    for (const { members } of views) for (const member of members) heardOf(this.state.book, member);
  }
}

/** Names a write by a number: two writes have different ones, but for one case in 2^53. */
function versionOf({ count, writer, operation }: Stamp): number {
  const { high, low } = streamKey(count, writer, operation);
  return (high >>> 11) * 2 ** 32 + low + 1;
}

function isOctets(key: Key): boolean {
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) > 0xff) return false;
  return true;
}

function emptyBook(): PeerBook {
  return new Map();
}
