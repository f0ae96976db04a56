/** Rings without network or time: messages lie there until a test delivers or loses one. */

import { inHalfOpen } from "@kith/membership";
import { type Message, type PeerRef, samePeer } from "@kith/network";
import { contradiction, Effects, emptyRing, type RingProtocol, type RingState } from "./index.ts";
import { peersIn } from "./messages.ts";
import { learnLives, suspect, without } from "./state.ts";

export const size = 16;

export function peerOf(id: number, incarnation = 1): PeerRef {
  return { peerId: id, host: `h${id}`, port: 7000, incarnation };
}

/** Some peers and the messages between them. */
export class Model {
  readonly peers = new Map<number, RingState>();
  readonly protocols = new Map<number, RingProtocol>();
  readonly crashed = new Set<number>();
  flying: Message[] = [];
  readonly #successorsMax: number;

  constructor(successorsMax = 4) {
    this.#successorsMax = successorsMax;
  }

  /** A copy that goes its own way. */
  copy(): Model {
    const copy = new Model(this.#successorsMax);
    for (const [id, state] of this.peers) copy.peers.set(id, structuredClone(state));
    for (const [id, protocol] of this.protocols) copy.protocols.set(id, protocol);
    for (const id of this.crashed) copy.crashed.add(id);
    copy.flying = [...this.flying];
    return copy;
  }

  add(id: number, protocol: RingProtocol): RingState {
    const { size: points, successorsMax } = { size, successorsMax: this.#successorsMax };
    const state = emptyRing({ self: peerOf(id), size: points, successorsMax, cluster: "kith" });
    this.peers.set(id, state);
    this.protocols.set(id, protocol);
    return state;
  }

  found(id: number, protocol: RingProtocol): void {
    const state = this.add(id, protocol);
    state.status = "in";
    state.predecessor = state.self;
    state.successors = [state.self];
  }

  join(id: number, introducer: number, protocol: RingProtocol): void {
    const state = this.add(id, protocol);
    state.status = "joining";
    state.introducers = [peerOf(introducer)];
    this.step(id, (effects) => protocol.retry(state, effects));
  }

  step(
    id: number,
    action: (effects: Effects, state: RingState, protocol: RingProtocol) => void,
  ): void {
    const state = this.at(id);
    const effects = new Effects(state.self);
    action(effects, state, this.protocolOf(id));
    const wrong = contradiction(state);
    if (wrong !== undefined) throw new Error(`Of peer ${id}: ${wrong}.`);
    this.flying.push(...effects.messages);
  }

  /** Delivers the message that lies there at this place. */
  deliver(at: number): void {
    const [message] = this.flying.splice(at, 1);
    if (message === undefined) throw new Error("no message lies there");
    const id = message.to.peerId;
    if (this.crashed.has(id)) return;
    this.step(id, (effects, state, protocol) => {
      learnLives(state, peersIn(message), (past) => protocol.failed(state, past, effects));
      protocol.receive(state, message, effects);
    });
  }

  /** Delivers what lies there, oldest first, until nothing does. */
  settle(): void {
    for (let count = 0; this.flying.length > 0; count++) {
      if (count > 100_000) throw new Error("it never comes to rest");
      this.deliver(0);
    }
  }

  /** One period of every peer, and all that follows from it. */
  round(): void {
    for (const [id, state] of this.peers) {
      if (this.crashed.has(id)) continue;
      this.step(id, (effects, _, protocol) => {
        if (state.status === "joining" || (state.status === "in" && state.successors.length === 0))
          protocol.retry(state, effects);
        else protocol.stabilise(state, effects);
      });
    }
    this.settle();
  }

  /** Ends a peer, and lets all others suspect it. */
  crash(id: number, ...noticedBy: number[]): void {
    this.crashed.add(id);
    const peer = peerOf(id);
    const all = noticedBy.length > 0 ? noticedBy : [...this.peers.keys()];
    for (const other of all) {
      if (this.crashed.has(other)) continue;
      this.step(other, (effects, state, protocol) => {
        suspect(state, peer);
        protocol.failed(state, peer, effects);
      });
    }
  }

  restore(id: number, at: number): void {
    this.step(at, (effects, state, protocol) => {
      state.suspects = without(state.suspects, peerOf(id));
      protocol.restored(state, peerOf(id), effects);
    });
  }

  at(id: number): RingState {
    const state = this.peers.get(id);
    if (state === undefined) throw new Error(`there is no peer ${id}`);
    return state;
  }

  protocolOf(id: number): RingProtocol {
    const protocol = this.protocols.get(id);
    if (protocol === undefined) throw new Error(`there is no peer ${id}`);
    return protocol;
  }

  get live(): RingState[] {
    return [...this.peers.values()].filter(({ self }) => !this.crashed.has(self.peerId));
  }

  /** R2: a key that is two peers' own; undefined where there is none. */
  doubleOwner(): string | undefined {
    for (let key = 0; key < size; key++) {
      const owners = this.live.filter((state) => owns(state, key)).map(({ self }) => self.peerId);
      if (owners.length > 1) return `key ${key} is owned by ${owners.join(" and ")}`;
    }
    return undefined;
  }

  /** R4: one whose successor does not count it among its followers, with no message to it on the way. */
  untold(): string | undefined {
    for (const { self, successors } of this.live) {
      const [successor] = successors;
      if (successor === undefined || samePeer(successor, self)) continue;
      const known = this.at(successor.peerId).followers.some((one) => samePeer(one, self));
      const told = this.flying.some(
        ({ from, to }) => samePeer(from, self) && samePeer(to, successor),
      );
      if (!known && !told)
        return `${successor.peerId} does not know that it is the successor of ${self.peerId}`;
    }
    return undefined;
  }

  /** R3: what is not as in the sorted order; undefined where all is. */
  imperfection(): string | undefined {
    const ids = this.live
      .filter(({ left }) => !left)
      .map(({ self }) => self.peerId)
      .sort((a, b) => a - b);
    for (const [at, id] of ids.entries()) {
      const { predecessor, successors, status, followers } = this.at(id);
      const wanted = [...ids.slice(at + 1), ...ids.slice(0, at), id].slice(
        0,
        ids.length === 1 ? 1 : Math.min(ids.length - 1, this.#successorsMax),
      );
      const before = ids[(at - 1 + ids.length) % ids.length];
      if (status !== "in") return `${id} is ${status}`;
      if (predecessor?.peerId !== before) return `${id} has predecessor ${predecessor?.peerId}`;
      const found = successors.map(({ peerId }) => peerId);
      if (found.join() !== wanted.join()) return `${id} has successors ${found.join()}`;
      if (ids.length > 1 && followers.map(({ peerId }) => peerId).join() !== String(before))
        return `${id} has followers ${followers.map(({ peerId }) => peerId).join()}`;
    }
    return undefined;
  }

  /** All that decides what may come. */
  get key(): string {
    const states = [...this.peers.values()].map((state) => JSON.stringify(state));
    const messages = this.flying.map((one) => `${one.constructor.name} ${JSON.stringify(one)}`);
    return `${states.join("\n")}\n${messages.sort().join("\n")}`;
  }
}

/** Whether a peer takes a key for its own. */
export function owns({ status, predecessor, self }: RingState, key: number): boolean {
  if (status !== "in" || predecessor === null) return false;
  if (samePeer(predecessor, self)) return true;
  return inHalfOpen(key, predecessor.peerId, self.peerId, size);
}
