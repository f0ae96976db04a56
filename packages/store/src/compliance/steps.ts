/** What the cases of both suites are made of. */

import { bytesText, textBytes } from "@kith/paxos";
import { until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import type { EventClass } from "@kith/core";
import { type Delete, Entries, Get, Got, Put, type StoreAnswer, Written } from "../port.ts";
import type { Asker, StoreHarness } from "./harness.ts";

/** A main component that can be asked what both suites ask. */
export type SinglePeer = Asker & {
  ask(name: string, request: Get | Put | Delete): void;
};

/** The main components of all processes in their present lives, once the provider serves. */
export type Peers<P> = ReadonlyMap<number, P>;

let lastName = 0;

/** Names a request as no other. */
export function fresh(what: string): string {
  return `${what} ${++lastName}`;
}

/** Waits until these processes have started, and each can read. */
export function* serving<P extends SinglePeer>(
  harness: StoreHarness<P>,
  indices: readonly number[] = [0, 1, 2, 3],
): Generator<Wait, Peers<P>, void> {
  const peers = new Map<number, P>();
  for (const index of indices) harness.enter(index, (peer) => void peers.set(index, peer));
  yield until("the processes have started", () => peers.size === indices.length, 10_000);
  for (const index of indices) {
    for (let tries = 0; tries < 20; tries++) {
      const answer = yield* answerOf(
        harness,
        peers,
        index,
        new Get({ key: "serving", within: 2000 }),
      );
      if (answer instanceof Got) break;
      expect(tries, `process ${index} cannot read: ${answer.constructor.name}`).below(19);
    }
  }
  return peers;
}

/** Asks at a process, and waits for the answer. */
export function* answerOf<P extends SinglePeer>(
  harness: StoreHarness<P>,
  peers: Peers<P>,
  index: number,
  request: Get | Put | Delete,
): Generator<Wait, StoreAnswer, void> {
  const name = fresh(request.constructor.name);
  harness.enter(index, (peer) => peer.ask(name, request));
  yield until(
    `${name} is answered at ${index}`,
    () => peers.get(index)?.answers.has(name) === true,
    30_000,
  );
  return given(peers, index, name);
}

/** The answer that a process has. */
export function given<P extends Asker>(peers: Peers<P>, index: number, name: string): StoreAnswer {
  const answer = peers.get(index)?.answers.get(name);
  if (answer === undefined) throw new Error(`${name} has no answer at ${index}`);
  return answer;
}

/** Waits until all of these have an answer. */
export function answeredAll<P extends Asker>(
  peers: Peers<P>,
  asked: readonly (readonly [index: number, name: string])[],
): Wait {
  return until(
    `${asked.length} requests are answered`,
    () => asked.every(([index, name]) => peers.get(index)?.answers.has(name) === true),
    60_000,
  );
}

/** An answer, which has to be of a class. */
export function of<C extends EventClass<StoreAnswer>>(cls: C, answer: StoreAnswer): C["prototype"] {
  expect(answer, JSON.stringify(answer)).instanceOf(cls);
  return answer;
}

/** What a Get has found, as text. */
export function found(answer: StoreAnswer): string | null {
  const { value } = of(Got, answer).entry;
  return value === null ? null : bytesText(value);
}

/** What a Read or a Scan has found, as text. */
export function foundAll(answer: StoreAnswer): (string | null)[] {
  return of(Entries, answer).entries.map(({ value }) => (value === null ? null : bytesText(value)));
}

/** The version that a write has left. */
export function written(answer: StoreAnswer): number {
  return of(Written, answer).version;
}

/** Writes text. */
export function put(key: string, value: string, within?: number): Put {
  return new Put({ key, value: textBytes(value), ...(within === undefined ? {} : { within }) });
}
