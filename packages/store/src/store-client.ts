/**
 * A client of the store: takes what is asked of the ports Store and Registers to the groups that have the keys.
 *
 * The thinking is the transaction manager's (`manager/`), a machine without a world; here are its ears, its mouth and
 * its clock. It knows groups by descriptors, some of them to begin with, and learns of others when they have split. Nothing of it is
 * durable: every life is another client, and what an earlier one has left open, anyone finds the outcome of.
 *
 * It asks over `Replicated`, whose provider must be one without sessions (`GroupClient` with `sessions: false`): the groups have
 * sessions of their own.
 */

import {
  type AskTimeout,
  Component,
  type Millis,
  type ReplyToken,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import { Network, parsePeer, type PeerRef, self as ownPeer } from "@kith/network";
import {
  type ConsensusAnswer,
  Execute,
  Executed,
  Inquire,
  Know,
  type PeerAddress,
  Refused as NotHere,
  Replicated,
} from "@kith/paxos";
import { begin, conclude, heard, nextDue, statusOf, tickManager, told } from "./manager/manager.ts";
import { type ManagerSettings, managerOf } from "./manager/state.ts";
import {
  Apply,
  Browse,
  Changes,
  Commit,
  Delete,
  Get,
  Put,
  Read,
  Refused,
  Registers,
  Resync,
  Scan,
  Store,
  type StoreAnswer,
  Unwatch,
  Watch,
} from "./port.ts";
import type { Octets } from "./position.ts";
import type { KnownTx } from "./query.ts";
import { Conclude, Concluded, Recovery } from "./recovery.ts";
import { answerTo, type Asked, type Planned, Planner, refused } from "./requests.ts";
import type { Descriptor } from "./rows.ts";
import { TxAsk, TxTold } from "./status-messages.ts";
import { Watcher, Watches } from "./watcher.ts";

/** A group of the store, and peers that are members of it: some of them at least. */
export interface KnownGroup {
  readonly descriptor: Descriptor;
  readonly members: readonly PeerAddress[];
}

/** The init of a client of the store. */
export interface StoreClientInit {
  /** Groups to begin with. Those that they have given keys away to are learnt of. */
  readonly groups: readonly KnownGroup[];
  /** Whether positions are the keys themselves, as the groups were founded; default false. */
  readonly ordered?: boolean;
  readonly settings?: Partial<ManagerSettings>;
}

/** A request whose end somebody waits for. Plain data. */
interface Waiting {
  readonly asked: Asked;
  readonly token: ReplyToken<StoreAnswer>;
  /** Whether it came over `Registers`. */
  readonly single: boolean;
}

class Wake extends timeout("store/Wake")<{ readonly at: Millis }> {}

const callMs = 5000;

/** Provides Store and Registers to a process that may be a member of no group. */
export class StoreClient extends Component {
  readonly store = this.provides(Store);
  readonly registers = this.provides(Registers);
  readonly recovery = this.provides(Recovery);
  readonly replicated = this.requires(Replicated);
  readonly watches = this.requires(Watches);
  readonly watcher;
  readonly network = this.requires(Network);
  readonly timer = this.requires(Timer);

  readonly state;
  readonly #planner: Planner;
  readonly #execute = this.replicated.onAnswer(Execute, (answer, _, call: number) =>
    this.#heard(call, answer),
  );
  readonly #inquire = this.replicated.onAnswer(Inquire, (answer, _, call: number) =>
    this.#heard(call, answer),
  );

  constructor({ groups, ordered = false, settings = {} }: StoreClientInit) {
    super();
    this.#planner = new Planner(ordered);
    const draw = this.random("client");
    let client: Octets = "";
    while (client.length < 16) client += String.fromCharCode(draw.below(256));
    const descriptors = groups.map(({ descriptor }) => descriptor);
    this.state = this.declareState({
      manager: managerOf(client, descriptors, { hint: this.setting(ownPeer), settings }),
      waiting: new Map<number, Waiting>(),
      /** Who waits for the end of a transaction of somebody else, by the manager's jobs. */
      concluding: new Map<number, ReplyToken<Concluded>[]>(),
      members: new Map(groups.map(({ descriptor, members }) => [descriptor.gid, members])),
      /** Groups that the provider of Replicated was told of. */
      told: new Set<string>(),
      /** When the clock is looked at next; Infinity where there is nothing to do. */
      wakeAt: Infinity,
    });
    for (const half of [this.store, this.registers]) {
      const single = half === this.registers;
      half.on(Get, (ask, token) => this.#begin(this.#planner.get(ask), ask, token, single));
      half.on(Put, (ask, token) => this.#begin(this.#planner.put(ask), ask, token, single));
      half.on(Delete, (ask, token) => this.#begin(this.#planner.delete(ask), ask, token, single));
    }
    this.store.on(Apply, (ask, token) => this.#begin(this.#planner.apply(ask), ask, token));
    this.store.on(Read, (ask, token) => this.#begin(this.#planner.read(ask), ask, token));
    this.store.on(Commit, (ask, token) => this.#begin(this.#planner.commit(ask), ask, token));
    this.store.on(Scan, (ask, token) => this.#begin(this.#planner.scan(ask), ask, token));
    this.store.on(Browse, (ask, token) => this.#begin(this.#planner.browse(ask), ask, token));
    // The watches have a component of their own.
    this.watcher = this.create(Watcher, { groups, ordered }, { name: "watcher" });
    this.connect(this.watcher.ports.watches, this.watches);
    this.store.on(Watch, (watch) => this.watches.trigger(watch));
    this.store.on(Unwatch, (watch) => this.watches.trigger(watch));
    this.watches.on(Changes, (changes) => this.store.trigger(changes));
    this.watches.on(Resync, (resync) => this.store.trigger(resync));
    this.network.on(TxAsk, ({ from, tx }) => {
      const status = statusOf(this.state.manager, tx);
      if (status !== null) this.network.trigger(new TxTold({ to: from, tx, status }));
    });
    this.network.on(TxTold, ({ tx, status }) => {
      told(this.state.manager, tx, status, this.clock.monotonic);
      this.#flush();
    });
    this.recovery.on(Conclude, ({ tx }, token) => this.#conclude(tx, token));
    this.timer.on(Wake, ({ at }) => {
      if (at !== this.state.wakeAt) return;
      this.state.wakeAt = Infinity;
      tickManager(this.state.manager, this.clock.monotonic);
      this.#flush();
    });
  }

  #begin(
    { work, asked }: Planned,
    { within }: { readonly within?: Millis },
    token: ReplyToken<StoreAnswer>,
    single = false,
  ): void {
    if (work instanceof Refused) return this.#reply(token, work, single);
    if (Number.isNaN(within)) return this.#reply(token, refused(0, "no-number"), single);
    const { manager, waiting } = this.state;
    const number = begin(manager, work, this.clock.monotonic, within);
    waiting.set(number, { asked, token, single });
    return this.#flush();
  }

  #conclude(tx: KnownTx, token: ReplyToken<Concluded>): void {
    const { manager, concluding } = this.state;
    const job = conclude(manager, tx, this.clock.monotonic);
    if (job === null) return this.recovery.reply(token, new Concluded({ known: false }));
    const others = concluding.get(job);
    if (others === undefined) concluding.set(job, [token]);
    else others.push(token);
    return this.#flush();
  }

  #heard(call: number, answer: ConsensusAnswer | AskTimeout): void {
    // Who takes the calls began anew, and has forgotten a group that it was told of.
    if (answer instanceof NotHere && answer.reason === "no-group")
      this.state.told.delete(this.state.manager.calls.get(call)?.gid ?? "");
    const what = answer instanceof Executed ? answer.result : "nothing";
    heard(this.state.manager, call, what, this.clock.monotonic);
    this.#flush();
  }

  /** Says and asks what the manager wants to have said and asked. */
  #flush(): void {
    const { manager, waiting, concluding } = this.state;
    const { out } = manager;
    for (const [job, tokens] of concluding) {
      if (manager.jobs.has(job)) continue;
      concluding.delete(job);
      for (const token of tokens) this.recovery.reply(token, new Concluded({ known: true }));
    }
    for (const { work, ended } of out.replies) {
      const one = waiting.get(work);
      if (one === undefined) continue;
      waiting.delete(work);
      this.#reply(one.token, answerTo(this.#planner, one.asked, ended), one.single);
    }
    out.replies = [];
    for (const { hint, tx } of out.asks) {
      const to = peerAt(hint);
      // What cannot be read is as good as silence.
      if (to !== null) this.network.trigger(new TxAsk({ to, tx }));
    }
    out.asks = [];
    for (const { call, gid, kind, body } of out.calls) {
      this.#know(gid);
      const options = { context: call };
      if (kind === "command")
        this.#execute(new Execute({ gid, command: body, within: callMs }), options);
      else this.#inquire(new Inquire({ gid, query: body, within: callMs }), options);
    }
    out.calls = [];
    this.#arm();
  }

  #reply(token: ReplyToken<StoreAnswer>, answer: StoreAnswer, single: boolean): void {
    if (single) this.registers.reply(token, answer);
    else this.store.reply(token, answer);
  }

  /** Tells who the members of a group are: those of the group that it came from, where nothing else is known. */
  #know(gid: string): void {
    const { told, members, manager } = this.state;
    if (told.has(gid)) return;
    told.add(gid);
    let from: string | undefined = gid;
    while (from !== undefined && !members.has(from)) from = manager.origins.get(from);
    const known = from === undefined ? undefined : members.get(from);
    if (known !== undefined) this.replicated.trigger(new Know({ gid, members: known }));
  }

  #arm(): void {
    const { state } = this;
    const at = nextDue(state.manager);
    if (at >= state.wakeAt) return;
    state.wakeAt = at;
    const delay = Math.max(1, at - this.clock.monotonic);
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Wake({ at }) }));
  }
}

/** The peer that a transaction names as its manager's; null where that is no name of any. */
function peerAt(hint: string): PeerRef | null {
  try {
    return parsePeer(hint);
  } catch {
    return null;
  }
}
