/**
 * The resource that the lock protects: a journal, which is read and replaced as a whole. It does not know who has the
 * lock. It keeps the largest token that it has seen, and refuses whoever comes with a smaller one.
 *
 * What holds:
 *
 * - **Fenced**: between what a token has read and what it puts in its place, nothing else is put there. For reading
 *   raises the fence too, and is answered only when the fence is flushed: a crash does not lower it.
 * - **Once**: a replacement that comes again is acknowledged again, and changes nothing.
 * - **Replaced is durable**, fence and entries in one batch.
 */

import { Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { Network, type PeerRef } from "@kith/network";
import { Entries, Flushed, Scan, Storage, Write } from "@kith/storage";
import { keep, kept, numberOf } from "./disk.ts";
import { Fetch, Fetched, Refused, Replace, Replaced, RETRY_MS, type Try } from "./messages.ts";

class StartAgain extends timeout("lock/JournalStartsAgain") {}

interface Asked {
  readonly from: PeerRef;
  readonly attempt: Try;
  readonly token: number;
  /** What is put in its place; null where it is only read. */
  readonly entries: readonly number[] | null;
}

const NAMESPACE = "journal";

/** Keeps the journal. */
export class Journal extends Component {
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);

  #isReady = false;
  /** The largest token seen. What is on the disk may be smaller, as long as nobody was told. */
  #fence = 0;
  #entries: readonly number[] = [];

  readonly #scan = this.storage.onAnswer(Scan, (answer) => {
    if (!(answer instanceof Entries)) {
      return this.timer.trigger(
        new ScheduleTimeout({ delay: RETRY_MS, timeout: new StartAgain() }),
      );
    }
    const all = kept(answer.entries);
    const entries = all.get("entries");
    this.#fence = numberOf(all, "fence");
    this.#entries = typeof entries === "object" ? entries : [];
    this.#isReady = true;
    return undefined;
  });
  readonly #write = this.storage.onAnswer(Write, (answer, _write, asked: Asked) => {
    // What cannot be written is not answered: it comes again.
    if (answer instanceof Flushed) this.#flushed(asked);
  });

  constructor() {
    super();
    this.net.on(Fetch, ({ from, attempt, token }) =>
      this.#ask({ from, attempt, token, entries: null }),
    );
    this.net.on(Replace, ({ from, attempt, token, entries }) =>
      this.#ask({ from, attempt, token, entries }),
    );
    this.timer.on(StartAgain, () => this.#scan(new Scan({ namespace: NAMESPACE })));
    this.onStart(() => this.#scan(new Scan({ namespace: NAMESPACE })));
  }

  #ask(asked: Asked): void {
    const { from, attempt, token, entries } = asked;
    if (!this.#isReady) return;
    if (token < this.#fence) return this.net.trigger(new Refused({ to: from, attempt }));
    this.#fence = token;
    const operations = [keep("fence", token)];
    if (entries !== null) operations.push(keep("entries", entries));
    return this.#write(new Write({ namespace: NAMESPACE, operations }), { context: asked });
  }

  #flushed({ from, attempt, entries }: Asked): void {
    if (entries === null) {
      return this.net.trigger(new Fetched({ to: from, attempt, entries: this.#entries }));
    }
    // Batches are flushed in the order of their tokens, for smaller ones were refused.
    this.#entries = entries;
    return this.net.trigger(new Replaced({ to: from, attempt }));
  }
}
