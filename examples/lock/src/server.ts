/**
 * The lock server: gives each lock to one client at a time, for a lease, with a fencing token that grows from grant to
 * grant (Gray and Cheriton's leases, 1989; fencing as Kleppmann describes it in "How to do distributed locking", 2016).
 *
 * What holds:
 *
 * - **One token for a grant**, as it has the name of this life in it, which is drawn at random.
 * - **Tokens grow** within a life. The server keeps nothing on a disk: after a crash it may give smaller tokens than before.
 *   They are refused where larger ones have been, and who was refused says above which number it has to be.
 * - **One holder**, by the server's clock: there is no next grant before a release of *this* grant or the end of its
 *   lease. A server that starts does not know who holds a lock, and waits for a whole lease.
 * - **Nobody is asked to trust clocks**: a client may think that it still has the lock when it has not. The token makes
 *   that harmless, as long as the resource looks at it.
 * - **Live**: a client that asks again and again gets the lock; those who wait stand in line, one try each.
 */

import { CancelTimeout, Component, ScheduleTimeout, timeout, Timer } from "@kith/core";
import { Network, type PeerRef } from "@kith/network";
import {
  Acquire,
  Granted,
  LEASE_MS,
  LIVES,
  Release,
  sameTry,
  type Token,
  type Try,
} from "./messages.ts";

class Settled extends timeout("lock/Settled") {}
class LeaseEnds extends timeout("lock/LeaseEnds")<{
  readonly lock: string;
  readonly number: number;
}> {}

interface Waiting {
  readonly from: PeerRef;
  readonly attempt: Try;
}

interface Holder extends Waiting {
  readonly token: Token;
}

interface Lock {
  /** The largest number that it knows of. */
  number: number;
  holder: Holder | null;
  /** By client, in the order in which they came. */
  readonly line: Map<number, Waiting>;
}

/** Gives locks. */
export class LockServer extends Component {
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);

  readonly #life = this.random("life").between(1, LIVES);
  readonly #early = this.cold("end a lease early");
  readonly #locks = new Map<string, Lock>();
  /** Whether the leases of earlier lives are over. */
  #isReady = false;

  constructor() {
    super();
    this.net.on(Acquire, (acquire) => this.#onAcquire(acquire));
    this.net.on(Release, (release) => this.#onRelease(release));
    this.timer.on(LeaseEnds, ({ lock, number }) => {
      if (this.#lock(lock).holder?.token.number === number) this.#free(lock);
    });
    this.timer.on(Settled, () => {
      this.#isReady = true;
      for (const name of this.#locks.keys()) this.#next(name);
    });
    this.onStart(() =>
      this.timer.trigger(new ScheduleTimeout({ delay: LEASE_MS, timeout: new Settled() })),
    );
  }

  #lock(name: string): Lock {
    let lock = this.#locks.get(name);
    if (lock === undefined) {
      lock = { number: 0, holder: null, line: new Map() };
      this.#locks.set(name, lock);
    }
    return lock;
  }

  #onAcquire({ from, lock: name, attempt, above }: Acquire): void {
    const lock = this.#lock(name);
    lock.number = Math.max(lock.number, above);
    // The grant was lost.
    if (isHeldBy(lock, from, attempt) && lock.holder !== null) return this.#tell(lock.holder, from);
    lock.line.set(from.peerId, { from, attempt });
    // The token makes it harmless.
    if (lock.holder !== null && this.#early()) return this.#free(name);
    return this.#next(name);
  }

  #onRelease({ from, lock: name, attempt }: Release): void {
    const lock = this.#lock(name);
    const waiting = lock.line.get(from.peerId);
    if (waiting !== undefined && sameTry(waiting.attempt, attempt)) lock.line.delete(from.peerId);
    if (isHeldBy(lock, from, attempt)) this.#free(name);
  }

  #next(name: string): void {
    const lock = this.#lock(name);
    const [waiting] = lock.line.values();
    if (!this.#isReady || lock.holder !== null || waiting === undefined) return;
    lock.line.delete(waiting.from.peerId);
    const number = ++lock.number;
    lock.holder = { ...waiting, token: { number, life: this.#life } };
    this.#tell(lock.holder, waiting.from);
    const timeout = new LeaseEnds({ lock: name, number });
    this.timer.trigger(new ScheduleTimeout({ delay: LEASE_MS, timeout, id: `lease ${name}` }));
  }

  #tell({ attempt, token }: Holder, to: PeerRef): void {
    this.net.trigger(new Granted({ to, attempt, token }));
  }

  #free(name: string): void {
    this.#lock(name).holder = null;
    this.timer.trigger(new CancelTimeout({ id: `lease ${name}` }));
    this.#next(name);
  }
}

function isHeldBy({ holder }: Lock, { peerId }: PeerRef, attempt: Try): boolean {
  return holder?.from.peerId === peerId && sameTry(holder.attempt, attempt);
}
