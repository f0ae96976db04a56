/**
 * A member of a store: holds replicas of its groups, lets clients in, and takes care of the groups that it leads.
 *
 * The same in a simulation and in a process: it wants Network, Storage and Timer, as every world offers them. It has a client of
 * the store of its own, which brings what others have left open to an end, and serves whoever is in this process.
 *
 * A store is founded once, by all members of its groups, with the same list. A member that finds an empty disk founds nothing
 * by itself.
 */

import {
  Component,
  event,
  type Millis,
  port,
  type ReplyToken,
  request,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import { parsePeer, self as ownPeer } from "@kith/network";
import {
  Consensus,
  Done,
  Found,
  GroupClient,
  type GroupSettings,
  LeaderChanged,
  Peek,
  Propose,
  Refused,
  replicatedGroups,
} from "@kith/paxos";
import { Caretaker, type CaretakerInit } from "./caretaker.ts";
import { encodeCommand } from "./command.ts";
import type { ManagerSettings } from "./manager/state.ts";
import { StoreDirectory } from "./directory.ts";
import { StoreOperator } from "./operator.ts";
import { decodeAnswer, encodeQuery } from "./query.ts";
import { type KnownGroup, StoreClient } from "./store-client.ts";
import { StoreGate } from "./store-gate.ts";
import { storeMachine } from "./store-machine.ts";
import { WatchGate, type WatchGateInit } from "./watch-gate.ts";

/** The root of all answers. */
export abstract class FoundingAnswer extends event("store/FoundingAnswer") {}

/** The groups of which this peer is a member are founded, durably, at a majority and here. */
export class StoreFounded extends event("store/StoreFounded", FoundingAnswer) {}

/** Nothing was founded. */
export class FoundingFailed extends event("store/FoundingFailed", FoundingAnswer)<{
  readonly detail: string;
}> {}

/**
 * Founds a store: to be asked at each member of its groups, with the same list. Asked again, it goes on with what an earlier one has
 * begun, also after a crash.
 */
export class FoundStore extends request("store/FoundStore", FoundingAnswer)<{
  /** They tile all positions: the first begins at "", each where the one before ends, and the last has no end. */
  readonly groups: readonly KnownGroup[];
  /** Whether positions are the keys themselves. For good. */
  readonly ordered: boolean;
}> {}

/** Founds stores. Provider: `StoreMember`. */
export const Founding = port("Founding", { requests: [FoundStore] });

/** The init of a member. Plain data. */
export interface StoreMemberInit {
  /** The groups of the store, those of other members as well: where transactions are ended that have keys there. */
  readonly groups: readonly KnownGroup[];
  /** Whether positions are the keys themselves, as the store was founded; default false. */
  readonly ordered?: boolean;
  readonly group?: Partial<GroupSettings>;
  readonly caretaker?: CaretakerInit;
  readonly watching?: WatchGateInit;
  readonly client?: Partial<ManagerSettings>;
  /** Whether each command is applied to a shadow too, and compared; default false. Doubles what applying costs. */
  readonly twice?: boolean;
}

const StoreGroups = replicatedGroups(storeMachine);

/** A member. */
export class StoreMember extends Component {
  readonly groups;
  readonly gate = this.create(StoreGate, {}, { name: "gate" });
  readonly guest;
  readonly client;
  readonly caretaker;
  readonly founder = this.create(Founder, {}, { name: "founder" });
  readonly steward = this.create(StoreOperator, {}, { name: "operator" });
  /** The groups themselves: members, leadership, status. */
  readonly consensus;
  readonly store;
  readonly registers;
  /** The groups of all members, as the client of this one uses them. */
  readonly replicated;
  readonly founding = this.exposes(this.founder.ports.founding);
  readonly operator = this.exposes(this.steward.ports.operator);

  constructor({
    groups,
    ordered = false,
    group = {},
    caretaker = {},
    watching = {},
    client = {},
    twice = false,
  }: StoreMemberInit) {
    super();
    const members = Object.fromEntries(
      groups.map((one) => [one.descriptor.gid, one.members] as const),
    );
    this.groups = this.create(StoreGroups, { settings: group, twice }, { name: "groups" });
    this.guest = this.create(GroupClient, { groups: members, sessions: false }, { name: "guest" });
    this.client = this.create(
      StoreClient,
      { groups, ordered, settings: client },
      { name: "client" },
    );
    this.caretaker = this.create(Caretaker, caretaker, { name: "caretaker" });
    const watchGate = this.create(WatchGate, watching, { name: "watching" });
    this.create(StoreDirectory, { groups, ordered }, { name: "directory" });
    const { consensus } = this.groups.ports;
    const { replicated } = this.guest.ports;
    this.connect(consensus, this.gate.ports.consensus);
    this.connect(consensus, this.caretaker.ports.consensus);
    this.connect(consensus, this.founder.ports.consensus);
    this.connect(consensus, watchGate.ports.consensus);
    this.connect(replicated, this.client.ports.replicated);
    this.connect(replicated, this.steward.ports.replicated);
    this.connect(this.client.ports.recovery, this.caretaker.ports.recovery);
    this.consensus = this.exposes(consensus);
    this.replicated = this.exposes(replicated);
    this.store = this.exposes(this.client.ports.store);
    this.registers = this.exposes(this.client.ports.registers);
  }
}

class Turn extends timeout("store/FounderTurn") {}

/** Between two looks at what is not founded yet: at first, and when nothing happens. Many peers of one process found at once. */
const turnMs: Millis = 50;
const turnMaxMs: Millis = 1000;

/** A founding that is under way. Plain data. */
interface FoundingState {
  token: ReplyToken<FoundingAnswer> | null;
  /** Groups that are not founded yet. */
  open: Map<string, KnownGroup>;
  ordered: boolean;
  readonly leads: Set<string>;
  pause: Millis;
}

function noFounding(): FoundingState {
  return { token: null, open: new Map(), ordered: false, leads: new Set(), pause: turnMs };
}

/** Founds groups: the replicas first, and then, in the log of each, what it is to the store. */
class Founder extends Component {
  readonly founding = this.provides(Founding);
  readonly consensus = this.requires(Consensus);
  readonly timer = this.requires(Timer);
  readonly state = this.declareState(noFounding());
  readonly #self: number;
  readonly #found = this.consensus.onAnswer(Found, (answer) => {
    if (!(answer instanceof Refused)) return;
    const { reason, detail } = answer;
    if (reason !== "exists" && reason !== "pending") this.#fail(detail);
  });
  readonly #propose = this.consensus.onAnswer(Propose, () => undefined);
  readonly #peek = this.consensus.onAnswer(Peek, (answer, { gid }) => {
    if (!(answer instanceof Done) || decodeAnswer(answer.result).kind !== "here") return;
    this.state.open.delete(gid);
    this.#close();
  });

  constructor() {
    super();
    this.#self = parsePeer(this.setting(ownPeer)).peerId;
    this.consensus.on(LeaderChanged, ({ gid, here }) => {
      const { leads, open } = this.state;
      if (here) leads.add(gid);
      else leads.delete(gid);
      // Now it goes on.
      if (open.has(gid)) this.#again(turnMs);
    });
    this.founding.on(FoundStore, ({ groups, ordered }, token) => {
      const { state } = this;
      const problem = state.token === null ? tilingProblem(groups) : "a founding is under way";
      if (problem !== null) {
        this.founding.reply(token, new FoundingFailed({ detail: problem }));
        return;
      }
      const own = groups.filter(({ members }) =>
        members.some(({ peerId }) => peerId === this.#self),
      );
      state.open = new Map(own.map((one) => [one.descriptor.gid, one]));
      Object.assign(state, { token, ordered });
      this.#turn();
    });
    this.timer.on(Turn, () => this.#turn());
  }

  #turn(): void {
    const { open, ordered, leads } = this.state;
    for (const [gid, { descriptor, members }] of open) {
      this.#found(new Found({ gid, peers: members }));
      this.#peek(new Peek({ gid, query: encodeQuery({ kind: "hello" }) }));
      if (!leads.has(gid)) continue;
      const { lo, hi } = descriptor;
      const command = encodeCommand({ kind: "found", gid, ordered, lo, hi });
      this.#propose(new Propose({ gid, command }));
    }
    if (open.size > 0) this.#again(Math.min(turnMaxMs, 2 * this.state.pause));
    this.#close();
  }

  #again(delay: Millis): void {
    this.state.pause = delay;
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Turn(), id: "turn" }));
  }

  #close(): void {
    const { state } = this;
    if (state.open.size > 0 || state.token === null) return;
    this.founding.reply(state.token, new StoreFounded());
    state.token = null;
  }

  #fail(detail: string): void {
    const { state } = this;
    if (state.token !== null) this.founding.reply(state.token, new FoundingFailed({ detail }));
    state.token = null;
    state.open.clear();
  }
}

/** What is wrong with the groups of a store; null where nothing is. */
function tilingProblem(groups: readonly KnownGroup[]): string | null {
  let at: string | null = "";
  for (const { descriptor } of groups) {
    if (descriptor.lo !== at)
      return `group ${descriptor.gid} does not begin where the one before ends`;
    at = descriptor.hi;
  }
  return at === null ? null : "the last group has an end";
}
