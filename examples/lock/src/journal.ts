/**
 * A copy of what the locks protect: for each lock a journal, which is read and replaced as a whole. It does not know who has
 * the lock. It keeps the largest token that it has seen, and refuses whoever comes with a smaller one.
 *
 * Every peer has a copy, and clients read and replace a quorum of them: with a token as a ballot this is Paxos on a register
 * that is rewritten again and again (Rystsov, "CASPaxos", 2018). The lock saves the clients from duels; safe are the tokens.
 *
 * What holds of a copy:
 *
 * - **Fenced**: between what a token has read and what it puts in its place, nothing else is put there. For reading
 *   raises the fence too, and is answered only when the fence is flushed: a crash does not lower it.
 * - **Once**: a replacement that comes again is acknowledged again, and changes nothing.
 * - **Replaced is durable**, fence and entries in one batch.
 */

import { Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { Network, type PeerRef } from "@kith/network";
import { after, Entries, Flushed, Scan, Storage, Write } from "@kith/storage";
import { type Kept, keyOf, keptIn, nothing, valueOf } from "./disk.ts";
import {
  Fetch,
  Fetched,
  isLarger,
  Refused,
  Replace,
  Replaced,
  RETRY_MS,
  type Token,
  type Try,
} from "./messages.ts";

class StartAgain extends timeout("lock/JournalStartsAgain") {}

interface Asked {
  readonly from: PeerRef;
  readonly lock: string;
  readonly attempt: Try;
  readonly token: Token;
  /** What is put in its place; null where it is only read. */
  readonly entries: readonly number[] | null;
}

const NAMESPACE = "journal";

/** Keeps a copy of all journals. */
export class Journal extends Component {
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);

  #isReady = false;
  /** By lock. What is on the disk may be older, as long as nobody was told of it. */
  readonly #kept = new Map<string, Kept>();

  readonly #scan = this.storage.onAnswer(Scan, (answer) => {
    if (!(answer instanceof Entries)) {
      return this.timer.trigger(
        new ScheduleTimeout({ delay: RETRY_MS, timeout: new StartAgain() }),
      );
    }
    for (const [lock, kept] of keptIn(answer.entries)) this.#kept.set(lock, kept);
    const last = answer.entries.at(-1);
    if (answer.more && last !== undefined) return this.#read(after(last.key));
    this.#isReady = true;
    return undefined;
  });
  readonly #write = this.storage.onAnswer(
    Write,
    (answer, _write, { asked, keeps }: { asked: Asked; keeps: Kept }) => {
      // What cannot be written is not answered: it comes again.
      if (answer instanceof Flushed) this.#answer(asked, keeps);
    },
  );

  constructor() {
    super();
    this.net.on(Fetch, ({ from, lock, attempt, token }) =>
      this.#ask({ from, lock, attempt, token, entries: null }),
    );
    this.net.on(Replace, ({ from, lock, attempt, token, entries }) =>
      this.#ask({ from, lock, attempt, token, entries }),
    );
    this.timer.on(StartAgain, () => this.#read(new Uint8Array()));
    this.onStart(() => this.#read(new Uint8Array()));
  }

  #read(from: Uint8Array): void {
    this.#scan(new Scan({ namespace: NAMESPACE, from }));
  }

  #ask(asked: Asked): void {
    const { from, lock, attempt, token, entries } = asked;
    if (!this.#isReady) return;
    const before = this.#kept.get(lock) ?? nothing;
    const { fence } = before;
    if (isLarger(fence, token)) return this.net.trigger(new Refused({ to: from, attempt, fence }));
    const keeps =
      entries === null ? { ...before, fence: token } : { fence: token, entries, under: token };
    this.#kept.set(lock, keeps);
    const put = { kind: "put" as const, key: keyOf(lock), value: valueOf(keeps) };
    return this.#write(new Write({ namespace: NAMESPACE, operations: [put] }), {
      context: { asked, keeps },
    });
  }

  #answer({ from: to, attempt, entries }: Asked, keeps: Kept): void {
    if (entries !== null) return this.net.trigger(new Replaced({ to, attempt }));
    const { entries: has, under } = keeps;
    return this.net.trigger(new Fetched({ to, attempt, entries: has, under }));
  }
}
