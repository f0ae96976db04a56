/** What the tests of both worlds share: a host that tells what its peers see, and what is wrong with a ring. */

import { Component } from "@kith/core";
import type { PeerRef } from "@kith/network";
import { Ring, RingView } from "@kith/ring";
import { Lookup, Router } from "@kith/router";
import { PeerHost, type PeerHostInit } from "./index.ts";

/** What a peer sees last, as plain data. */
export interface Seen {
  readonly peerId: number;
  readonly status: string;
  readonly predecessor: PeerRef | null;
  readonly successor: PeerRef | null;
}

class Watcher extends Component {
  readonly ring = this.requires(Ring);
  readonly router = this.requires(Router);
  seen: Seen | null = null;
  readonly located: (number | null)[] = [];
  readonly #lookup = this.router.onAnswer(Lookup, (answer) => {
    if ("peer" in answer) this.located.push(answer.peer?.peerId ?? null);
  });

  constructor({ tell }: { readonly tell: boolean }) {
    super();
    this.ring.on(RingView, ({ self, status, predecessor, successors: [successor = null] }) => {
      this.seen = { peerId: self.peerId, status, predecessor, successor };
      if (tell) process.send?.(this.seen);
    });
  }

  lookUp(key: number): void {
    this.enter(() => this.#lookup(new Lookup({ key })));
  }
}

/** A host whose peers' views can be looked at; with `tell` its process sends them to its parent. */
export class WatchedHost extends PeerHost {
  readonly #watchers: { readonly core: { readonly instance: Watcher } }[] = [];

  constructor(init: PeerHostInit & { readonly tell?: boolean }) {
    super(init);
    for (const [peerId, peer] of this.peers) {
      const settings = { name: `Watcher-${peerId}` };
      const watcher = this.create(Watcher, { tell: init.tell === true }, settings);
      this.connect(peer.ports.ring, watcher.ports.ring);
      this.connect(peer.ports.router, watcher.ports.router);
      this.#watchers.push(watcher as never);
    }
  }

  /** Lets each of its peers look up whom a key belongs to. */
  lookUp(key: number): void {
    for (const { core } of this.#watchers) core.instance.lookUp(key);
  }

  /** What was found, by all of its peers. */
  get located(): (number | null)[] {
    return this.#watchers.flatMap(({ core }) => core.instance.located);
  }

  /** Ends one of its peers, as a supervisor would one that has failed for good. */
  end(peerId: number): void {
    const peer = this.peers.get(peerId);
    if (peer !== undefined) this.kill(peer);
  }

  get seen(): Seen[] {
    return this.#watchers.flatMap(({ core }) => core.instance.seen ?? []);
  }
}

/**
 * What is not as in the sorted order; undefined where all is.
 *
 * @param members the peers that should make up the ring, each in its present life
 */
export function imperfection(
  seen: ReadonlyMap<number, Seen>,
  members: readonly PeerRef[],
): string | undefined {
  const sorted = members.toSorted((a, b) => a.peerId - b.peerId);
  const shown = (peer: PeerRef | null | undefined): string =>
    peer === null || peer === undefined ? "nobody" : `${peer.peerId}#${peer.incarnation}`;
  for (const [at, peer] of sorted.entries()) {
    const one = seen.get(peer.peerId);
    const after = sorted[(at + 1) % sorted.length];
    const before = sorted.at(at - 1);
    if (one?.status !== "in") return `${peer.peerId} is ${one?.status ?? "silent"}`;
    if (shown(one.successor) !== shown(after))
      return `behind ${peer.peerId} is ${shown(one.successor)}, not ${shown(after)}`;
    if (shown(one.predecessor) !== shown(before))
      return `before ${peer.peerId} is ${shown(one.predecessor)}, not ${shown(before)}`;
  }
  return undefined;
}
