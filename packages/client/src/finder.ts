/**
 * Finds a store from nothing but addresses: asks them which groups there are, until one answers.
 *
 * An address names no life of a process: which one lives there is learnt from the connection.
 */

import { Component, SchedulePeriodic, timeout, Timer } from "@kith/core";
import {
  addressOf,
  ConnectionDown,
  ConnectionUp,
  Network,
  parseAddress,
  type PeerRef,
} from "@kith/network";
import { AskDirectory, type KnownGroup, TellDirectory } from "@kith/store";

/** The init of a finder. */
export interface FinderInit {
  /** Where members may be found, `host:port`. */
  readonly peers: readonly string[];
}

/** What is known of a store. */
export interface FoundStore {
  readonly groups: readonly KnownGroup[];
  /** Whether the keys are in their order. */
  readonly ordered: boolean;
}

class AskAgain extends timeout("client/AskAgain") {}

const askEvery = 500;

/** Asks until somebody answers. */
export class Finder extends Component {
  readonly network = this.requires(Network);
  readonly timer = this.requires(Timer);
  /** By address: the life that is known. */
  readonly #asked: Map<string, PeerRef>;
  /** Why the addresses cannot be reached, as far as that is known. */
  readonly reasons = new Map<string, string>();
  #found: FoundStore | null = null;
  #tell: ((found: FoundStore) => void) | null = null;

  constructor({ peers }: FinderInit) {
    super();
    this.#asked = new Map(
      peers.map((peer): [string, PeerRef] => {
        const at = { ...parseAddress(peer), peerId: 0, incarnation: 1 };
        return [addressOf(at), at];
      }),
    );
    this.network.on(ConnectionUp, ({ peer }) => {
      this.reasons.delete(addressOf(peer));
      if (this.#found !== null || !this.#asked.has(addressOf(peer))) return;
      this.#asked.set(addressOf(peer), peer);
      this.network.trigger(new AskDirectory({ to: peer }));
    });
    this.network.on(ConnectionDown, ({ peer, reason }) => {
      this.reasons.set(addressOf(peer), reason);
    });
    this.network.on(TellDirectory, ({ groups, ordered }) => {
      if (this.#found !== null || groups.length === 0) return;
      this.#found = { groups, ordered };
      this.#tell?.(this.#found);
    });
    this.timer.on(AskAgain, () => this.#ask());
    this.onStart(() => {
      this.#ask();
      this.timer.trigger(new SchedulePeriodic({ period: askEvery, timeout: new AskAgain() }));
    });
  }

  /** Calls `tell` once the store is found. */
  whenFound(tell: (found: FoundStore) => void): void {
    if (this.#found !== null) tell(this.#found);
    else this.#tell = tell;
  }

  #ask(): void {
    if (this.#found !== null) return;
    for (const to of this.#asked.values()) this.network.trigger(new AskDirectory({ to }));
  }
}
