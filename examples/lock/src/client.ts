/**
 * The client of the lock service: appends to the journal under the lock. It gets the lock, reads the journal, puts a
 * longer one in its place, and gives the lock back.
 *
 * What holds:
 *
 * - **One at a time**: operations of a client stand in line, and each try has a token of its own.
 * - **Nothing is begun with a lease that is over** by the client's own clock, which counts from when it asked. That saves
 *   work, and is not what makes it safe: between the look at the clock and the arrival of a message anything may pass.
 * - **Honest**: `done` when the resource said so; `unknown` when a replacement was refused that was under way, because
 *   an earlier copy of it may have arrived. A read that is refused changes nothing, and is tried again.
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
import { type Group, groupOf, heardFrom, type Message, Network, type PeerRef } from "@kith/network";
import { Entries, Flushed, Scan, Storage, Write } from "@kith/storage";
import { keep, kept, numberOf } from "./disk.ts";
import {
  Acquire,
  Fetch,
  Fetched,
  Granted,
  Hello,
  LEASE_MS,
  Refused,
  Release,
  Replace,
  Replaced,
  RETRY_MS,
  sameTry,
  type Try,
  Welcome,
} from "./messages.ts";

/** What became of an operation, what the journal had before, and under which token that was. */
export class JournalAnswer extends event("lock/JournalAnswer")<{
  readonly status: "done" | "unknown" | "busy";
  readonly entries: readonly number[];
  readonly token: number;
}> {}

/** Appends to the journal, or (null) reads it. */
export class Journalize extends request("lock/Journalize", JournalAnswer)<{
  readonly entry: number | null;
}> {}

/** A journal that one client at a time may change. */
export const Exclusive = port("Exclusive", { requests: [Journalize] });

class Tick extends timeout("lock/Tick") {}

interface Job {
  readonly reply: ReplyToken<JournalAnswer>;
  readonly entry: number | null;
}

interface Running extends Job {
  readonly number: number;
  readonly askedAt: number;
  token: number;
  stage: "acquire" | "fetch" | "replace";
  entries: readonly number[];
}

const NAMESPACE = "lock-client";
const LINE_MAX = 64;

/** Changes the journal for those on this peer. */
export class LockClient extends Component {
  readonly exclusive = this.provides(Exclusive);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);

  readonly #group: Group;
  readonly #server: number;
  readonly #journal: number;
  readonly #line: Job[] = [];
  #running: Running | null = null;
  #tries = 0;
  /** 0 until the life is counted on the disk. */
  #life = 0;
  #isStarting = false;

  readonly #scan = this.storage.onAnswer(Scan, (answer) => {
    this.#isStarting = answer instanceof Entries;
    if (!(answer instanceof Entries)) return;
    const life = numberOf(kept(answer.entries), "life") + 1;
    const operations = [keep("life", life)];
    this.#write(new Write({ namespace: NAMESPACE, operations }), { context: { life } });
  });
  readonly #write = this.storage.onAnswer(Write, (answer, _write, { life }: { life: number }) => {
    this.#isStarting = false;
    if (answer instanceof Flushed) this.#life = life;
  });

  constructor(init: { readonly peers: readonly PeerRef[]; readonly index: number }) {
    super();
    const [server, journal] = init.peers;
    this.#server = server?.peerId ?? -1;
    this.#journal = journal?.peerId ?? -1;
    this.#group = groupOf(init.peers, init.peers[init.index]?.peerId ?? -1);
    this.exclusive.on(Journalize, ({ entry }, reply) => {
      if (this.#life > 0 && this.#line.length < LINE_MAX) this.#line.push({ reply, entry });
      else this.#answer({ reply, entry }, "busy", [], 0);
      this.#next();
    });
    this.net.on(Hello, ({ from }) => {
      heardFrom(this.#group, from);
      this.net.trigger(new Welcome({ to: from }));
    });
    this.net.on(Welcome, ({ from }) => heardFrom(this.#group, from));
    this.net.on(Granted, (granted) => this.#onGranted(granted));
    this.net.on(Fetched, (fetched) => this.#onFetched(fetched));
    this.net.on(Replaced, ({ from, attempt }) => {
      const running = this.#isNow(from, attempt, "replace");
      if (running !== null) this.#end(running, "done");
    });
    this.net.on(Refused, ({ from, attempt }) => {
      const running = this.#isNow(from, attempt);
      if (running?.stage === "replace") this.#end(running, "unknown");
      else if (running?.stage === "fetch") this.#tryAgain(running);
    });
    this.timer.on(Tick, () => this.#tick());
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: RETRY_MS, delay: 0, timeout: new Tick() })),
    );
  }

  #next(): void {
    const job = this.#running === null ? this.#line.shift() : undefined;
    if (job !== undefined) this.#begin(job);
  }

  #begin({ reply, entry }: Job): void {
    const askedAt = this.clock.monotonic;
    const number = ++this.#tries;
    this.#running = { reply, entry, number, askedAt, token: 0, stage: "acquire", entries: [] };
    this.#send(this.#running);
  }

  #onGranted({ from, attempt, token }: Granted): void {
    const running = this.#isNow(from, attempt);
    if (running === null) return this.#release(attempt);
    if (running.stage !== "acquire") return undefined;
    if (this.#isOver(running)) return this.#tryAgain(running);
    running.token = token;
    running.stage = "fetch";
    return this.#send(running);
  }

  #onFetched({ from, attempt, entries }: Fetched): void {
    const running = this.#isNow(from, attempt, "fetch");
    if (running === null) return;
    running.entries = entries;
    if (running.entry === null) return this.#end(running, "done");
    if (this.#isOver(running)) return this.#tryAgain(running);
    running.stage = "replace";
    return this.#send(running);
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

  #isOver({ askedAt }: Running): boolean {
    return this.clock.monotonic >= askedAt + LEASE_MS;
  }

  #end(running: Running, status: "done" | "unknown"): void {
    this.#running = null;
    this.#release({ life: this.#life, number: running.number });
    this.#answer(running, status, running.entries, running.token);
    this.#next();
  }

  /** Nothing has been changed: once more, with a token of its own. */
  #tryAgain(running: Running): void {
    this.#release({ life: this.#life, number: running.number });
    this.#begin(running);
  }

  #answer(
    job: Job,
    status: JournalAnswer["status"],
    entries: readonly number[],
    token: number,
  ): void {
    this.exclusive.reply(job.reply, new JournalAnswer({ status, entries, token }));
  }

  #release(attempt: Try): void {
    // If it is lost, the lease ends by itself.
    this.#tell(this.#server, (to) => new Release({ to, attempt }));
  }

  #send({ stage, number, token, entry, entries }: Running): void {
    const attempt = { life: this.#life, number };
    if (stage === "acquire") this.#tell(this.#server, (to) => new Acquire({ to, attempt }));
    else if (stage === "fetch") {
      this.#tell(this.#journal, (to) => new Fetch({ to, attempt, token }));
    } else if (entry !== null) {
      const longer = [...entries, entry];
      this.#tell(this.#journal, (to) => new Replace({ to, attempt, token, entries: longer }));
    }
  }

  #tick(): void {
    if (this.#life === 0) {
      if (!this.#isStarting) this.#scan(new Scan({ namespace: NAMESPACE }));
      this.#isStarting = true;
      return;
    }
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
