/**
 * The lock server: gives one lock to one client at a time, for a lease, with a fencing token that grows from grant to
 * grant (Gray and Cheriton's leases, 1989; fencing as Kleppmann describes it in "How to do distributed locking", 2016).
 *
 * What holds:
 *
 * - **Tokens grow**: a token is flushed before it is given, and so is never given twice, whatever crashes.
 * - **One holder**, by the server's clock: there is no next grant before a release of *this* grant or the end of its
 *   lease. A server that starts does not know who holds the lock, and waits for a whole lease.
 * - **Nobody is asked to trust clocks**: a client may think that it still has the lock when it has not. The token makes
 *   that harmless, as long as the resource looks at it.
 * - **Live**: a client that asks again and again gets the lock; those who wait stand in line, one try each.
 */

import { Component, ScheduleTimeout, timeout, Timer, CancelTimeout } from "@kith/core";
import { Network, type PeerRef } from "@kith/network";
import { Entries, Flushed, Scan, Storage, Write } from "@kith/storage";
import { keep, kept, numberOf } from "./disk.ts";
import { Acquire, Granted, LEASE_MS, Release, RETRY_MS, sameTry, type Try } from "./messages.ts";

class LeaseEnds extends timeout("lock/LeaseEnds")<{ readonly token: number }> {}
class StartAgain extends timeout("lock/StartAgain") {}

interface Waiting {
  readonly from: PeerRef;
  readonly attempt: Try;
}

interface Holder extends Waiting {
  readonly token: number;
  /** Whether the token is flushed, and given. */
  granted: boolean;
}

const NAMESPACE = "lock-server";

/** Gives the lock. */
export class LockServer extends Component {
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly timer = this.requires(Timer);

  #isReady = false;
  #token = 0;
  #holder: Holder | null = null;
  /** By client, in the order in which they came. */
  readonly #line = new Map<number, Waiting>();

  readonly #scan = this.storage.onAnswer(Scan, (answer) => {
    if (!(answer instanceof Entries)) {
      return this.timer.trigger(
        new ScheduleTimeout({ delay: RETRY_MS, timeout: new StartAgain() }),
      );
    }
    this.#token = numberOf(kept(answer.entries), "token");
    // Somebody may hold the lock from an earlier life of this server.
    const timeout = new LeaseEnds({ token: this.#token });
    return this.timer.trigger(new ScheduleTimeout({ delay: LEASE_MS, timeout, id: "lease" }));
  });
  readonly #write = this.storage.onAnswer(Write, (answer, _write, { token }: { token: number }) => {
    if (this.#holder?.token !== token) return;
    if (answer instanceof Flushed) this.#grant(this.#holder);
    // The client asks again, and the token is not used.
    else this.#free();
  });

  constructor() {
    super();
    this.net.on(Acquire, (acquire) => this.#onAcquire(acquire));
    this.net.on(Release, ({ from, attempt }) => {
      if (this.#isHeldBy({ from, attempt })) this.#free();
      const waiting = this.#line.get(from.peerId);
      if (waiting !== undefined && sameTry(waiting.attempt, attempt))
        this.#line.delete(from.peerId);
    });
    this.timer.on(LeaseEnds, ({ token }) => {
      this.#isReady = true;
      if (this.#holder === null || this.#holder.token === token) this.#free();
    });
    this.timer.on(StartAgain, () => this.#scan(new Scan({ namespace: NAMESPACE })));
    this.onStart(() => this.#scan(new Scan({ namespace: NAMESPACE })));
  }

  #onAcquire({ from, attempt }: Acquire): void {
    if (this.#isHeldBy({ from, attempt })) {
      // The grant was lost, or is not flushed yet.
      if (this.#holder?.granted === true) this.#tell({ ...this.#holder, from });
      return;
    }
    this.#line.set(from.peerId, { from, attempt });
    this.#next();
  }

  #isHeldBy({ from, attempt }: Waiting): boolean {
    const holder = this.#holder;
    return holder?.from.peerId === from.peerId && sameTry(holder.attempt, attempt);
  }

  #next(): void {
    const [waiting] = this.#line.values();
    if (!this.#isReady || this.#holder !== null || waiting === undefined) return;
    this.#line.delete(waiting.from.peerId);
    const token = ++this.#token;
    this.#holder = { ...waiting, token, granted: false };
    const operations = [keep("token", token)];
    this.#write(new Write({ namespace: NAMESPACE, operations }), { context: { token } });
  }

  #grant(holder: Holder): void {
    holder.granted = true;
    this.#tell(holder);
    const timeout = new LeaseEnds({ token: holder.token });
    this.timer.trigger(new ScheduleTimeout({ delay: LEASE_MS, timeout, id: "lease" }));
  }

  #tell({ from, attempt, token }: Holder): void {
    this.net.trigger(new Granted({ to: from, attempt, token }));
  }

  #free(): void {
    this.#holder = null;
    this.timer.trigger(new CancelTimeout({ id: "lease" }));
    this.#next();
  }
}
