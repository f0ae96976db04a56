/**
 * Sixteen peers in four processes on loopback: they form the ring, survive `kill -9` of one process, and take
 * it back in its next life. Each process hosts four peers that share Network, Timer and one failure detector.
 */

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { PeerRef } from "@kith/network";
import { expect } from "chai";
import type { Order } from "./host-process.test.ts";
import { virtualPeer } from "./index.ts";
import { imperfection, type Seen } from "./kit.test.ts";

const processes = 4;
const perProcess = 4;

/** The peers of a process: two next to each other, so that its end tears gaps of two, and two alone. */
function peerIdsOf(index: number): number[] {
  return [2 * index, 2 * index + 1, 8 + index, 12 + index].map((n) => 1000 * (n + 1));
}

class HostProcess {
  readonly index: number;
  readonly #process: ChildProcess;
  readonly seen = new Map<number, Seen>();
  self: PeerRef | null = null;

  constructor(index: number, port: number) {
    this.index = index;
    const file = fileURLToPath(new URL("host-process.test.ts", import.meta.url));
    this.#process = fork(file, { execArgv: ["--import", "tsx", "--conditions", "source"] });
    this.#process.on("message", (told: Seen | { readonly self: PeerRef }) => {
      if ("self" in told) this.self = told.self;
      else this.seen.set(told.peerId, told);
    });
    this.tell({ kind: "listen", port });
  }

  get up(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get peers(): PeerRef[] {
    const { self, index } = this;
    return self === null ? [] : peerIdsOf(index).map((peerId) => virtualPeer(self, peerId));
  }

  tell(order: Order): void {
    this.#process.send(order);
  }

  kill(): void {
    if (this.up) this.#process.kill("SIGKILL");
  }
}

/** Looks until a condition holds; what it says meanwhile is what is wrong. */
async function until(
  what: string,
  wrong: () => string | undefined,
  within = 60_000,
): Promise<void> {
  const end = performance.now() + within;
  for (let still = wrong(); still !== undefined; still = wrong()) {
    if (performance.now() > end) throw new Error(`${what}: ${still}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("peers in several processes", () => {
  const hosts: HostProcess[] = [];
  afterEach(async () => {
    for (const host of hosts) host.kill();
    await until("the processes end", () => (hosts.some(({ up }) => up) ? "one is up" : undefined));
    hosts.length = 0;
  });

  const ringOf = (members: readonly HostProcess[]): string | undefined =>
    imperfection(
      new Map(members.flatMap(({ seen }) => [...seen])),
      members.flatMap(({ peers }) => peers),
    );
  const listening = (): string | undefined =>
    hosts.some(({ self, up }) => self === null && up) ? "one does not listen" : undefined;

  it(`${processes * perProcess} peers form the ring, survive kill -9, and take the process back`, async function () {
    this.timeout(180_000);
    for (let index = 0; index < processes; index++) hosts.push(new HostProcess(index, 0));
    await until("the processes listen", listening);
    const servers = hosts.flatMap(({ self }) => self ?? []);
    const begin = (host: HostProcess, founds: boolean): void =>
      host.tell({ kind: "host", peerIds: peerIdsOf(host.index), founds, servers });
    for (const host of hosts) begin(host, host.index === 0);
    await until("the ring forms", () => ringOf(hosts));

    const [lost, ...others] = hosts;
    const { port, incarnation } = lost?.self ?? { port: 0, incarnation: 0 };
    lost?.kill();
    await until("the process is gone", () => (lost?.up === true ? "it is up" : undefined));
    await until("the others close the ring", () => ringOf(others));

    // The founder's process comes back as any other: nobody founds a second ring.
    const back = new HostProcess(0, port);
    hosts.push(back);
    await until("it listens again", listening);
    expect(back.self?.port).to.equal(port);
    expect(back.self?.incarnation).to.be.above(incarnation);
    begin(back, false);
    await until("the ring takes it back", () => ringOf([back, ...others]));
  });
});
