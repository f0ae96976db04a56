/**
 * The component around a member of the store on consistent quorums: its disk, its messages, its time.
 *
 * All rows that have changed are written in one batch, and there is one batch at a time: what comes meanwhile shares the
 * next one. A letter waits for the batch in which the last of its rows is. A batch that fails is written again with the
 * next one, and the letters wait.
 */

import {
  Component,
  KithError,
  mix,
  type ReplyToken,
  SchedulePeriodic,
  streamKey,
  timeout,
  Timer,
} from "@kith/core";
import {
  ConnectionUp,
  Dropped,
  Network,
  parsePeer,
  type PeerRef,
  self as ownPeer,
} from "@kith/network";
import { heardOf, met, type PeerBook } from "@kith/paxos/decide";
import {
  after,
  Entries,
  type Entry,
  Flushed,
  Scan,
  Storage,
  StorageLost,
  Write,
} from "@kith/storage";
import { storeError } from "../errors.ts";
import {
  AskPhases,
  type MemberWord,
  MemberWords,
  PhaseReplies,
  type PhaseReply,
} from "./messages.ts";
import { putLife, remember, rowOperation } from "./records.ts";
import {
  change,
  type Client,
  followersKnown,
  hear,
  type Outgoing,
  type Replica,
  replica,
  type RowName,
  serve,
  tickReplica,
} from "./replica.ts";
import { type View, type ViewChange, viewName } from "./view.ts";
import { ChangeView, ListViews, ViewChanged, ViewList, Views } from "./views-port.ts";

/** The init of a member. */
export interface AbdReplicaInit {
  /** The views that the store begins with: the same at all members for ever. They tile the keys. */
  readonly views: readonly View[];
}

class Tick extends timeout("store/AbdTick") {}

/** A letter that waits for a batch. */
interface Held {
  readonly batch: number;
  readonly what: Outgoing;
}

/** Somebody waits for a decision. */
interface Asked {
  readonly view: string;
  readonly token: ReplyToken<ViewChanged>;
}

const namespace = "store-abd";
const tickMs = 50;
const askedMax = 64;
const wordsMax = 64;
const heldMax = 4096;

/** A member of the store on consistent quorums. */
export class AbdReplica extends Component {
  readonly views = this.provides(Views);
  protected readonly network = this.requires(Network);
  protected readonly disk = this.requires(Storage);
  protected readonly timer = this.requires(Timer);

  readonly state = this.declareState({
    /** Null until the disk has been read, and this life has its number there. */
    replica: nobody(),
    rows: noRows(),
    lives: 0,
    /** Whether the disk was read: the number of this life is being written. */
    read: false,
    book: emptyBook(),
    /** Rows that wait for the next batch, and those in the one that is being written. */
    dirty: new Set<RowName>(),
    writing: new Set<RowName>(),
    /** The number of the batch that is being written, or was written last. */
    batch: 0,
    held: noLetters(),
    asked: noneAsked(),
  });

  readonly #init: AbdReplicaInit;
  readonly #self: PeerRef;
  readonly #write = this.disk.onAnswer(Write, (answer) => {
    if (answer instanceof Flushed) this.#flushed();
    else this.#failed();
  });
  readonly #scan = this.disk.onAnswer(Scan, (answer, scan) => {
    // A read may fail; it is asked again.
    if (!(answer instanceof Entries)) return this.#load(scan.from);
    this.state.rows.push(...answer.entries);
    const last = answer.entries.at(-1);
    if (answer.more && last !== undefined) return this.#load(after(last.key));
    return this.#begin();
  });

  constructor(init: AbdReplicaInit) {
    super();
    this.#init = init;
    this.#self = parsePeer(this.setting(ownPeer));
    for (const { members } of init.views)
      for (const member of members) heardOf(this.state.book, member);
    this.network.on(AskPhases, ({ from, client, phases }) => {
      // Too much waits for the disk: as if it were lost, it comes again.
      if (this.state.held.length >= heldMax) return;
      this.#live((one) => {
        for (const phase of phases) serve(one, { peer: from, name: client }, phase);
      });
    });
    this.network.on(MemberWords, ({ from, words }) => {
      met(this.state.book, from);
      this.#live((one) => {
        for (const word of words) {
          if (word.kind === "install") this.#heardOf(word.next);
          hear(one, from.peerId, word);
        }
      });
    });
    this.network.on(ConnectionUp, ({ peer }) => met(this.state.book, peer));
    this.network.on(Dropped, ({ reason, from, tag }) => {
      // It was for an earlier life of this process: tell the sender which one this is.
      if (reason !== "wrong-incarnation") return;
      if (tag === MemberWords.tag) {
        met(this.state.book, from);
        this.network.trigger(new MemberWords({ to: from, words: [] }));
      } else if (tag === AskPhases.tag)
        this.network.trigger(new PhaseReplies({ to: from, client: "", replies: [] }));
    });
    this.disk.on(StorageLost, ({ code, detail }) => {
      throw storeError("KITH_STORE_STORAGE", `The storage is lost: ${detail} (${code}).`);
    });
    this.timer.on(Tick, () =>
      this.#live((one) => {
        tickReplica(one, this.clock.monotonic);
        if (this.state.writing.size === 0) this.#flush(one);
      }),
    );
    this.views.on(ListViews, (_list, token) => {
      const { replica: one } = this.state;
      const views = [...(one?.views.values() ?? [])].map(({ view, active }) => ({
        ...view,
        active,
      }));
      this.views.reply(token, new ViewList({ views, keys: one?.data.size ?? 0 }));
    });
    this.views.on(ChangeView, ({ rid, version, change: wanted }, token) => {
      const view = viewName({ rid, version });
      const { replica: one, asked } = this.state;
      const none = new ViewChanged({ next: [] });
      if (one === null || asked.length >= askedMax) return this.views.reply(token, none);
      if (wanted.kind === "replace")
        for (const peer of wanted.members) heardOf(this.state.book, peer);
      return this.#live(() => {
        const next = this.#change(one, view, wanted);
        if (next === null) asked.push({ view, token });
        else this.views.reply(token, next === "elsewhere" ? none : new ViewChanged({ next }));
      });
    });
    this.onStart(() => {
      this.timer.trigger(new SchedulePeriodic({ period: tickMs, timeout: new Tick() }));
      this.#load();
    });
  }

  /** Proposes what is to follow; what cannot is refused, and stops nobody. */
  #change(one: Replica, view: string, wanted: ViewChange): ReturnType<typeof change> {
    try {
      return change(one, view, wanted);
    } catch (error) {
      if (!(error instanceof KithError) || error.code !== "KITH_STORE_ARGUMENT") throw error;
      this.log.warn("a view cannot be changed so", { view, reason: error.message });
      return "elsewhere";
    }
  }

  /** Does something, once the disk is read; before that everything is as if it were lost. */
  #live(action: (one: Replica) => void): void {
    const { replica: one } = this.state;
    if (one === null) return;
    one.now = this.clock.monotonic;
    action(one);
    this.#turn(one);
  }

  // --- the end of a turn ---------------------------------------------------------------------------

  #turn(one: Replica): void {
    const { state } = this;
    const { dirty, letters } = one.out;
    one.out = { dirty: new Set(), letters: [] };
    for (const row of dirty) state.dirty.add(row);
    const now: Outgoing[] = [];
    for (const { after: rows, what } of letters) {
      const batch = this.#batchOf(rows);
      if (batch === null) now.push(what);
      else state.held.push({ batch, what });
    }
    this.#post(now);
    state.asked = state.asked.filter(({ view, token }) => {
      const next = followersKnown(one, view);
      if (next !== null) this.views.reply(token, new ViewChanged({ next }));
      return next === null;
    });
    if (state.writing.size === 0) this.#flush(one);
  }

  /** The batch after which all of these rows are durable as they are now; null where they are. */
  #batchOf(rows: readonly RowName[]): number | null {
    const { dirty, writing, batch } = this.state;
    if (rows.some((row) => dirty.has(row))) return batch + 1;
    return rows.some((row) => writing.has(row)) ? batch : null;
  }

  #flush(one: Replica): void {
    const { state } = this;
    if (state.dirty.size === 0) return;
    state.writing = state.dirty;
    state.dirty = new Set();
    state.batch++;
    const operations = [...state.writing].map((row) => rowOperation(one, row));
    this.#write(new Write({ namespace, operations }));
  }

  #flushed(): void {
    const { state } = this;
    const { replica: one } = state;
    if (one === null) return this.#started();
    state.writing = new Set();
    const ready = state.held.filter(({ batch }) => batch <= state.batch);
    state.held = state.held.filter(({ batch }) => batch > state.batch);
    this.#post(ready.map(({ what }) => what));
    this.#flush(one);
  }

  /** Nothing of it was written: its rows and its letters go with the next batch. */
  #failed(): void {
    const { state } = this;
    if (state.replica === null) return this.#begin();
    for (const row of state.writing) state.dirty.add(row);
    state.writing = new Set();
    // The next batch has the number of this one.
    state.batch--;
    state.held = state.held.map(({ what }) => ({ batch: state.batch + 1, what }));
  }

  #post(all: readonly Outgoing[]): void {
    const words = new Map<number, MemberWord[]>();
    const replies = new Map<string, { readonly client: Client; readonly list: PhaseReply[] }>();
    for (const what of all)
      if ("to" in what) push(words, what.to, what.word);
      else {
        const { client } = what;
        const name = `${client.peer.peerId} ${client.name}`;
        const one = replies.get(name) ?? { client, list: [] };
        replies.set(name, one);
        one.list.push(what.reply);
      }
    for (const [id, list] of words) {
      const to = id === this.#self.peerId ? this.#self : this.state.book.get(id);
      for (let i = 0; to !== undefined && i < list.length; i += wordsMax)
        this.network.trigger(new MemberWords({ to, words: list.slice(i, i + wordsMax) }));
    }
    for (const { client, list } of replies.values())
      this.network.trigger(
        new PhaseReplies({ to: client.peer, client: client.name, replies: list }),
      );
  }

  #heardOf(views: readonly View[]): void {
    for (const { members } of views) for (const member of members) heardOf(this.state.book, member);
  }

  // --- the beginning of a life ---------------------------------------------------------------------

  #load(from?: Uint8Array): void {
    this.#scan(new Scan({ namespace, ...(from === undefined ? {} : { from }) }));
  }

  /** Everything was read: this life takes its number, so that it uses no ballot of an earlier one. */
  #begin(): void {
    const { lives } = remember(this.state.rows);
    this.state.lives = lives + 1;
    this.#write(new Write({ namespace, operations: [putLife(lives + 1)] }));
  }

  #started(): void {
    const { state } = this;
    const { peerId, incarnation } = this.#self;
    const remembered = remember(state.rows.splice(0));
    for (const { view, next } of remembered.views) this.#heardOf([view, ...(next ?? [])]);
    for (const { view, next } of remembered.handovers) this.#heardOf([view, ...next]);
    const one = replica(
      {
        self: peerId,
        life: state.lives,
        seed: mix(streamKey(peerId, incarnation).low, state.lives),
        now: this.clock.monotonic,
      },
      this.#init.views,
      remembered,
    );
    state.replica = one;
    this.#turn(one);
  }
}

function push<K, V>(lists: Map<K, V[]>, key: K, one: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [one]);
  else list.push(one);
}

function nobody(): Replica | null {
  return null;
}

function noRows(): Entry[] {
  return [];
}

function emptyBook(): PeerBook {
  return new Map();
}

function noLetters(): Held[] {
  return [];
}

function noneAsked(): Asked[] {
  return [];
}
