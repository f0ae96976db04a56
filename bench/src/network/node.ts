/** A process with a Network, for the benchmarks. */

import { Component, launch, RealScheduler, type System } from "@kith/core";
import { Deliver, Network, type PeerRef } from "@kith/network";
import { bindAddress, webSocketNetwork } from "@kith/network/host";
import { body, codec, Data, Echo, peerAt } from "./wire.ts";

const burst = 500;

/** Sends, answers, and counts. */
export class Talker extends Component {
  readonly net = this.requires(Network);
  /** Called when the last message of a round has come. */
  finished: () => void = () => undefined;
  /** Whether to answer each message, or only to count. */
  echoes = false;
  #last = 0;
  #next = 0;
  #to: PeerRef | null = null;
  /** Says when a burst has left, so that the next one may follow. */
  readonly #deliver = this.net.onAnswer(Deliver, () => this.#stream());

  constructor() {
    super();
    this.net.on(Data, (data) => {
      if (this.echoes) this.net.trigger(new Echo({ to: data.from, n: data.n, body }));
      else if (data.n === this.#last) this.finished();
    });
    this.net.on(Echo, ({ n }) => {
      if (n === this.#last) this.finished();
      else this.#ping(n + 1);
    });
  }

  /** Says which message is the last one. */
  expect(last: number): void {
    this.#last = last;
  }

  /** Sends so many messages. */
  stream(to: PeerRef, count: number): void {
    this.#to = to;
    this.#next = 1;
    this.#last = count;
    this.enter(() => {
      // Two bursts are under way, so that one leaves while the other is made.
      this.#stream();
      this.#stream();
    });
  }

  /** Sends so many messages, each after the answer to the one before. */
  ping(to: PeerRef, count: number): void {
    this.#to = to;
    this.#last = count;
    this.enter(() => this.#ping(1));
  }

  #ping(n: number): void {
    if (this.#to !== null) this.net.trigger(new Data({ to: this.#to, n, body }));
  }

  #stream(): void {
    const to = this.#to;
    if (to === null || this.#next > this.#last) return;
    for (let i = 1; i < burst && this.#next < this.#last; i++)
      this.net.trigger(new Data({ to, n: this.#next++, body }));
    const message = new Data({ to, n: this.#next++, body });
    this.#deliver(new Deliver({ message, until: "sent" }));
  }
}

/** Starts a process's system. */
export async function startTalker(
  peerId: number,
): Promise<{ readonly system: System<Talker>; readonly self: PeerRef }> {
  const { port } = await bindAddress();
  const self = peerAt(peerId, port);
  const system = launch(
    Talker,
    {},
    {
      scheduler: new RealScheduler(),
      install: (root) => {
        const init = { self, secret: "of the benchmark" };
        root.offers(root.create(webSocketNetwork(codec), init).ports.network);
      },
    },
  );
  await new Promise<void>((resolve) => system.enter(resolve));
  return { system, self };
}
