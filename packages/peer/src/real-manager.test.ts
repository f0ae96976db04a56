/** Three processes with a manager on loopback, and disks: one is killed with -9, and takes its replicas up again; then all stop and come back. */

import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundled } from "@kith/testing/bundling";
import { expect } from "chai";
import type { Founders } from "./index.ts";
import type { ProcessOrder, ProcessTold } from "./manager-process.test.ts";

const folder = mkdtempSync(join(tmpdir(), "kith-peer-"));

/** Its processes' program. */
let bundle = { program: "", remove: (): void => undefined };

class Member {
  readonly peerId: number;
  readonly data: string;
  port = 0;
  incarnation = 0;
  phase = "";
  failed: string | null = null;
  #process: ChildProcess | null = null;
  #answers: ProcessTold[] = [];

  constructor(peerId: number, data: string) {
    this.peerId = peerId;
    this.data = data;
  }

  begin(more: { readonly join?: readonly string[]; readonly create?: Founders }): void {
    this.phase = "";
    this.incarnation = 0;
    this.#process = fork(bundle.program, { execArgv: [] });
    this.#process.on("message", (told: ProcessTold) => {
      if (told.kind === "up") ({ port: this.port, incarnation: this.incarnation } = told);
      else if (told.kind === "phase") ({ phase: this.phase, failed: this.failed } = told);
      else this.#answers.push(told);
    });
    const { port, peerId, data } = this;
    this.tell({ kind: "begin", port, peerId, data, init: { peers: [peerId], ...more } });
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get up(): boolean {
    return (
      this.#process !== null && this.#process.exitCode === null && this.#process.signalCode === null
    );
  }

  tell(order: ProcessOrder): void {
    this.#process?.send(order);
  }

  kill(): void {
    if (this.up) this.#process?.kill("SIGKILL");
  }

  async ask(order: ProcessOrder): Promise<ProcessTold> {
    this.#answers = [];
    this.tell(order);
    await until(`an answer to ${order.kind}`, () => this.#answers.length > 0);
    const [answer] = this.#answers;
    if (answer === undefined) throw new Error("no answer");
    return answer;
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + 120_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(what);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("processes with a manager", () => {
  const members = [1, 2, 3].map((n) => new Member(n * 2 ** 48, join(folder, `peer-${n}`)));
  const [first, second, third] = members as [Member, Member, Member];
  const ready = (): Promise<void> =>
    until("all are ready", () => members.every(({ phase }) => phase === "ready"));

  before(async () => {
    bundle = await bundled(fileURLToPath(new URL("manager-process.test.ts", import.meta.url)));
  });
  after(async () => {
    for (const member of members) member.kill();
    await until("the processes end", () => !members.some(({ up }) => up));
    bundle.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it("found a cluster, survive kill -9, take up replicas again, and all come back", async function () {
    this.timeout(400_000);
    first.begin({ create: { peers: 3, groups: 2 } });
    await until("the founder listens", () => first.port > 0);
    const join = [first.address];
    for (const member of [second, third]) member.begin({ join });
    await ready();
    expect(await second.ask({ kind: "put", key: "a", value: "one" }))
      .property("answer")
      .equal("Written");

    third.kill();
    await until("it is gone", () => !third.up);
    expect(await second.ask({ kind: "put", key: "b", value: "two" }))
      .property("answer")
      .equal("Written");
    const { incarnation } = third;
    third.begin({ join });
    await ready();
    expect(third.incarnation).greaterThan(incarnation);
    expect(await third.ask({ kind: "get", key: "a" }))
      .property("value")
      .equal("one");
    expect(await third.ask({ kind: "get", key: "b" }))
      .property("value")
      .equal("two");
    // What it has on its disk goes on: both replicas hear of what is committed.
    let applied = 0;
    while (applied < 2) {
      const view = await third.ask({ kind: "view" });
      expect(view).include({ kind: "view", groups: 2 });
      if (view.kind === "view") ({ applied } = view);
    }

    for (const member of members) member.tell({ kind: "stop" });
    await until("all have stopped", () => !members.some(({ up }) => up));
    // To create again founds nothing, and says so.
    first.begin({ create: { peers: 3 } });
    await until("it is refused", () => first.failed === "KITH_PEER_FOUNDED");
    first.kill();
    await until("it is gone", () => !first.up);
    first.begin({});
    for (const member of [second, third]) member.begin({ join });
    await ready();
    for (const member of members)
      expect(await member.ask({ kind: "get", key: "b" }))
        .property("value")
        .equal("two");

    // On its disk, at another port: the others find it there, and need it when one of them is gone.
    third.kill();
    await until("it is gone", () => !third.up);
    const { port } = third;
    third.port = 0;
    third.begin({ join });
    await ready();
    expect(third.port).not.equal(port);
    second.kill();
    await until("the second is gone", () => !second.up);
    expect(await first.ask({ kind: "put", key: "c", value: "three" }))
      .property("answer")
      .equal("Written");
    expect(await third.ask({ kind: "get", key: "c" }))
      .property("value")
      .equal("three");
  });
});
