/**
 * The client of the lock service: appends to journals under their locks. It gets the lock, reads a quorum of the copies, puts a
 * longer journal in the place of what was there under the largest token, at a quorum, and gives the lock back.
 *
 * What holds:
 *
 * - **One at a time**: operations of a client stand in line, and each try has a name of its own.
 * - **Nothing is begun with a lease that is over** by the client's own clock, which counts from when it asked. That saves
 *   work, and is not what makes it safe: between the look at the clock and the arrival of a message anything may pass.
 * - **Honest**: `done` when a quorum said so; `unknown` when a replacement was refused that was under way, because it may
 *   have arrived elsewhere. A read puts back what it has found, so that nobody who comes later finds less; where it is refused
 *   it has changed nothing, and is tried again.
 * - **`forgetful` copies may forget**: any two quorums share one more.
 */

import {
  Component,
  event,
  port,
  type ReplyToken,
  request,
  SchedulePeriodic,
  timeout,
  Timer,
} from "@kith/core";
import {
  type Group,
  groupOf,
  heardFrom,
  type Message,
  Network,
  type PeerRef,
  quorumOf,
} from "@kith/network";
import {
  Acquire,
  Fetch,
  Fetched,
  Granted,
  Hello,
  isLarger,
  LEASE_MS,
  LIVES,
  NO_TOKEN,
  Refused,
  Release,
  Replace,
  Replaced,
  RETRY_MS,
  sameTry,
  type Token,
  type Try,
  Welcome,
} from "./messages.ts";

/** What became of an operation, what the journal had before, and under which token that was. */
export class JournalAnswer extends event("lock/JournalAnswer")<{
  readonly status: "done" | "unknown" | "busy";
  readonly entries: readonly number[];
  readonly token: Token;
}> {}

/** Appends to the journal of a lock, or (null) reads it. */
export class Journalize extends request("lock/Journalize", JournalAnswer)<{
  readonly lock: string;
  readonly entry: number | null;
}> {}

/** Journals that one client at a time may change. */
export const Exclusive = port("Exclusive", { requests: [Journalize] });

class Tick extends timeout("lock/Tick") {}

interface Job {
  readonly reply: ReplyToken<JournalAnswer>;
  readonly lock: string;
  readonly entry: number | null;
}

interface Running extends Job {
  readonly number: number;
  readonly askedAt: number;
  token: Token;
  stage: "acquire" | "fetch" | "replace";
  /** Which copies have answered in this stage. */
  readonly answered: Set<number>;
  /** What was found under the largest token, and that token. */
  entries: readonly number[];
  under: Token;
}

const LINE_MAX = 64;

/** What a client is told. */
export interface LockClientInit {
  /** Everybody in the group; the first one is the lock server, and all have copies of the journals. */
  readonly peers: readonly PeerRef[];
  /** Which of them this peer is. */
  readonly index: number;
  /** How many of the copies may forget what they had flushed; the same everywhere. Default 0. */
  readonly forgetful?: number;
}

/** Changes journals for those on this peer. */
export class LockClient extends Component {
  readonly exclusive = this.provides(Exclusive);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);

  readonly #group: Group;
  readonly #server: number;
  readonly #forgetful: number;
  readonly #life = this.random("life").between(1, LIVES);
  readonly #giveUp = this.cold("give a grant up");
  readonly #line: Job[] = [];
  /** The largest token that has refused this client, by lock. */
  readonly #above = new Map<string, Token>();
  #running: Running | null = null;
  #tries = 0;

  constructor({ peers, index, forgetful = 0 }: LockClientInit) {
    super();
    this.#server = peers[0]?.peerId ?? -1;
    this.#group = groupOf(peers, peers[index]?.peerId ?? -1);
    this.#forgetful = forgetful;
    this.exclusive.on(Journalize, ({ lock, entry }, reply) => {
      if (this.#line.length < LINE_MAX) this.#line.push({ reply, lock, entry });
      else this.#answer({ reply, lock, entry }, "busy", [], NO_TOKEN);
      this.#next();
    });
    this.net.on(Hello, ({ from }) => {
      heardFrom(this.#group, from);
      this.net.trigger(new Welcome({ to: from }));
    });
    this.net.on(Welcome, ({ from }) => heardFrom(this.#group, from));
    // Meant for the journal here. But who gets an answer from there takes it for a sign that it is known here.
    this.net.on(Fetch, ({ from }) => heardFrom(this.#group, from));
    this.net.on(Replace, ({ from }) => heardFrom(this.#group, from));
    this.net.on(Granted, (granted) => this.#onGranted(granted));
    this.net.on(Fetched, (fetched) => this.#onFetched(fetched));
    this.net.on(Replaced, ({ from, attempt }) => {
      const running = this.#isNow(from, attempt, "replace");
      if (running !== null && this.#isEnough(running, from)) this.#end(running, "done");
    });
    this.net.on(Refused, (refused) => this.#onRefused(refused));
    this.timer.on(Tick, () => this.#tick());
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: RETRY_MS, delay: 0, timeout: new Tick() })),
    );
  }

  #next(): void {
    const job = this.#running === null ? this.#line.shift() : undefined;
    if (job !== undefined) this.#begin(job);
  }

  #begin({ reply, lock, entry }: Job): void {
    this.#running = {
      reply,
      lock,
      entry,
      number: ++this.#tries,
      askedAt: this.clock.monotonic,
      token: NO_TOKEN,
      stage: "acquire",
      answered: new Set(),
      entries: [],
      under: NO_TOKEN,
    };
    this.#send(this.#running);
  }

  #onGranted({ from, attempt, token }: Granted): void {
    const running = this.#isNow(from, attempt, "acquire");
    // The lease of what nobody uses ends by itself.
    if (running === null) return undefined;
    if (this.#isOver(running) || this.#giveUp()) return this.#tryAgain(running);
    running.token = token;
    return this.#enterStage(running, "fetch");
  }

  #onFetched({ from, attempt, entries, under }: Fetched): void {
    const running = this.#isNow(from, attempt, "fetch");
    if (running === null) return;
    if (isLarger(under, running.under)) {
      running.entries = entries;
      running.under = under;
    }
    if (!this.#isEnough(running, from)) return;
    if (this.#isOver(running)) this.#tryAgain(running);
    else this.#enterStage(running, "replace");
  }

  #onRefused({ from, attempt, fence }: Refused): void {
    const running = this.#isNow(from, attempt);
    if (running === null || running.stage === "acquire") return;
    const { lock, stage, entry } = running;
    if (isLarger(fence, this.#above.get(lock) ?? NO_TOKEN)) this.#above.set(lock, fence);
    if (stage === "replace" && entry !== null) this.#end(running, "unknown");
    else this.#tryAgain(running);
  }

  /** The running operation, if this is its try, and its stage. */
  #isNow(from: PeerRef, attempt: Try, stage?: Running["stage"]): Running | null {
    heardFrom(this.#group, from);
    const running = this.#running;
    if (running === null || !sameTry(attempt, { life: this.#life, number: running.number })) {
      return null;
    }
    return stage === undefined || running.stage === stage ? running : null;
  }

  /** Counts an answer of this stage. */
  #isEnough({ answered }: Running, { peerId }: PeerRef): boolean {
    answered.add(peerId);
    return answered.size >= quorumOf(this.#group, this.#forgetful);
  }

  #isOver({ askedAt }: Running): boolean {
    return this.clock.monotonic >= askedAt + LEASE_MS;
  }

  #enterStage(running: Running, stage: "fetch" | "replace"): void {
    running.stage = stage;
    running.answered.clear();
    this.#send(running);
  }

  #end(running: Running, status: "done" | "unknown"): void {
    this.#running = null;
    this.#release(running);
    this.#answer(running, status, running.entries, running.token);
    this.#next();
  }

  /** Nothing has been changed: once more, with a name of its own. */
  #tryAgain(running: Running): void {
    this.#release(running);
    this.#begin(running);
  }

  #answer(
    { reply }: Job,
    status: JournalAnswer["status"],
    entries: readonly number[],
    token: Token,
  ): void {
    this.exclusive.reply(reply, new JournalAnswer({ status, entries, token }));
  }

  #release({ lock, number }: Running): void {
    const attempt = { life: this.#life, number };
    // If it is lost, the lease ends by itself.
    this.#tell(this.#server, (to) => new Release({ to, lock, attempt }));
  }

  #send(running: Running): void {
    const { lock, stage, number, token, entry, entries, answered } = running;
    const attempt = { life: this.#life, number };
    if (stage === "acquire") {
      const above = this.#above.get(lock)?.number ?? 0;
      return this.#tell(this.#server, (to) => new Acquire({ to, lock, attempt, above }));
    }
    const longer = entry === null ? entries : [...entries, entry];
    for (const id of this.#group.peers.keys()) {
      if (answered.has(id)) continue;
      this.#tell(id, (to) =>
        stage === "fetch"
          ? new Fetch({ to, lock, attempt, token })
          : new Replace({ to, lock, attempt, token, entries: longer }),
      );
    }
    return undefined;
  }

  #tick(): void {
    for (const id of this.#group.silent) this.#tell(id, (to) => new Hello({ to }));
    const running = this.#running;
    if (running === null) return;
    if (running.stage === "acquire" && this.#isOver(running)) this.#tryAgain(running);
    else this.#send(running);
  }

  #tell(id: number, build: (to: PeerRef) => Message): void {
    const to = this.#group.peers.get(id);
    if (to !== undefined) this.net.trigger(build(to));
  }
}
