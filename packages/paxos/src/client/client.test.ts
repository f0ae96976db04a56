/** Clients of a replicated group: every command once, whoever leads, and whatever is lost. */

import { Component } from "@kith/core";
import { duplication, loss, reordering, resets, simulate, type Simulation } from "@kith/sim";
import { expect } from "chai";
import { bytesText, textBytes } from "../bytes.ts";
import { replicatedGroups } from "../host.ts";
import type { Machine } from "../machine.ts";
import { Consensus, Found, LeaderChanged } from "../port.ts";
import { addressAt } from "../register.test.ts";
import { withSessions } from "../sessions.ts";
import { GroupClient } from "./group-client.ts";
import { GroupGate } from "./group-gate.ts";
import { GroupCalls } from "./messages.ts";
import { Execute, Executed, Inquire, Know, Replicated } from "./port.ts";

/** A list that grows; its length is what it says. `split h` makes a group h with the same list. */
const list: Machine = {
  versions: [1],
  apply: ({ command, table, spawn }) => {
    const before = bytesText(table.get("l") ?? textBytes(""));
    const [what, gid] = bytesText(command).split(" ");
    if (what === "split" && gid !== undefined) spawn(gid, new Map([["l", textBytes(before)]]));
    const after = `${before}${bytesText(command)},`;
    table.put("l", textBytes(after));
    return textBytes(after);
  },
  query: ({ table }) => table.get("l") ?? textBytes(""),
};

/** A member where it is one of the first three, and a client in any case. */
class Peer extends Component {
  readonly replicated = this.requires(Replicated);
  readonly consensus = this.requires(Consensus);
  readonly groups;
  readonly gate = this.create(GroupGate);
  readonly client = this.create(
    GroupClient,
    { groups: { g: [0, 1, 2].map(addressAt) }, retry: 300, pendingMax: 100 },
    { name: "client" },
  );
  readonly answers: string[] = [];
  leads = false;
  readonly #found = this.consensus.onAnswer(Found, () => undefined);
  readonly #execute = this.replicated.onAnswer(Execute, (answer) => this.#took(answer));
  readonly #inquire = this.replicated.onAnswer(Inquire, (answer) => this.#took(answer));

  constructor(expireAfter = 3_600_000) {
    super();
    const machine = withSessions(list, { expireAfter });
    this.groups = this.create(replicatedGroups(machine), {}, { name: "groups" });
    this.connect(this.groups.ports.consensus, this.consensus);
    this.connect(this.groups.ports.consensus, this.gate.ports.consensus);
    this.connect(this.client.ports.replicated, this.replicated);
    this.consensus.on(LeaderChanged, ({ here }) => void (this.leads = here));
  }
  found(gid = "g"): void {
    this.enter(() => this.#found(new Found({ gid, peers: [0, 1, 2].map(addressAt) })));
  }
  know(gid: string): void {
    const members = [0, 1, 2].map(addressAt);
    this.enter(() => this.replicated.trigger(new Know({ gid, members })));
  }
  execute(text: string, within?: number, gid = "g"): void {
    const limit = within === undefined ? {} : { within };
    this.enter(() => this.#execute(new Execute({ gid, command: textBytes(text), ...limit })));
  }
  inquire(gid = "g"): void {
    this.enter(() => this.#inquire(new Inquire({ gid, query: textBytes("") })));
  }
  #took(answer: object): void {
    this.answers.push(
      answer instanceof Executed ? bytesText(answer.result) : answer.constructor.name,
    );
  }
}

function cluster(
  seed: number,
  transport: "stream" | "datagram" = "stream",
  expireAfter = 3_600_000,
): Simulation<typeof Peer> {
  const initOf = (): number => expireAfter;
  const world = simulate(Peer, { seed, nodes: 4, transport, initOf }).boot();
  world.runFor(50);
  for (const index of [0, 1, 2]) world.node(index).root.found();
  return world;
}

function leader(world: Simulation<typeof Peer>): number {
  const leads = (): number =>
    world.nodes.findIndex((node) => node.state === "up" && node.root.leads);
  world.until(() => leads() >= 0);
  return leads();
}

describe("a client of a replicated group", () => {
  it("finds the leader from anywhere, before there is one", () => {
    const world = cluster(1);
    const { root } = world.node(3);
    root.execute("a");
    root.inquire();
    world.until(() => root.answers.length === 2);
    expect(root.answers).to.include("a,");
    root.inquire();
    world.until(() => root.answers.length === 3);
    expect(root.answers[2]).equal("a,");
  });

  it("has every command executed once, whoever crashes and whatever is lost and doubled", () => {
    for (let seed = 1; seed <= 4; seed++) {
      const world = cluster(seed, seed % 2 === 0 ? "stream" : "datagram");
      if (seed % 2 === 0) world.rule(resets(0.01));
      else for (const rule of [duplication(0.2), reordering(0.2, 300)]) world.rule(rule);
      world.rule(loss(0.1));
      const { root } = world.node(3);
      const asked: string[] = [];
      for (let n = 0; n < 60; n++) {
        asked.push(`c${n}`);
        root.execute(`c${n}`);
        world.runFor(100);
        if (n % 20 !== 10) continue;
        const at = leader(world);
        world.node(at).crash();
        world.runFor(500);
        world.node(at).start();
      }
      world.until(() => root.answers.length === 60, { within: 60_000 });
      expect(root.answers).to.not.include("Unknown").and.not.include("Busy");
      root.inquire();
      world.until(() => root.answers.length === 61, { within: 10_000 });
      const executed = (root.answers[60] ?? "").split(",").filter((one) => one !== "");
      expect([...executed].sort(), `seed ${seed}`).deep.equal([...asked].sort());
    }
  });

  it("says in time that it does not know", () => {
    const world = cluster(2);
    leader(world);
    for (const index of [0, 1]) world.node(index).crash();
    const { root } = world.node(3);
    root.execute("a", 2000);
    world.runFor(1900);
    expect(root.answers).deep.equal([]);
    world.runFor(200);
    expect(root.answers).deep.equal(["Unknown"]);
  });

  it("says at once that too much waits", () => {
    const world = cluster(3);
    const { root } = world.node(3);
    for (let n = 0; n < 105; n++) root.execute(`c${n}`);
    world.until(() => root.answers.length === 105);
    expect(root.answers.filter((answer) => answer === "Busy").length).within(5, 6);
  });

  it("serves all groups that it was told of", () => {
    const world = cluster(5);
    for (const index of [0, 1, 2]) world.node(index).root.found("h");
    const { root } = world.node(3);
    const ask = (text: string, gid: string): string | undefined => {
      root.execute(text, undefined, gid);
      const { length } = root.answers;
      world.until(() => root.answers.length > length);
      return root.answers.at(-1);
    };
    expect(ask("a", "h")).equal("Refused");
    root.know("h");
    expect(ask("a", "h")).equal("a,");
    expect(ask("b", "g")).equal("b,");
    expect(ask("c", "h")).equal("a,c,");
  });

  it("has commands executed in a group that another one has made, which knows the sessions there", () => {
    const world = cluster(8);
    const { root } = world.node(3);
    const ask = (text: string, gid: string): string | undefined => {
      const { length } = root.answers;
      root.execute(text, undefined, gid);
      world.until(() => root.answers.length > length, { within: 40_000 });
      return root.answers.at(-1);
    };
    expect(ask("a", "g")).equal("a,");
    expect(ask("split h", "g")).equal("a,split h,");
    root.know("h");
    // The first commands of its sessions there have the numbers that commands had here.
    expect(["b", "c", "d"].map((text) => ask(text, "h"))).deep.equal([
      "a,b,",
      "a,b,c,",
      "a,b,c,d,",
    ]);
    root.inquire("h");
    world.until(() => root.answers.length === 6);
    expect(root.answers[5]).equal("a,b,c,d,");
  });

  it("says in few messages what is asked at once", () => {
    const world = cluster(6);
    const { root, system } = world.node(3);
    let messages = 0;
    system.inspect(({ kind, event }) => {
      if (kind === "trigger" && event instanceof GroupCalls) messages++;
    });
    // The first time sessions are opened, and nobody knows who leads.
    for (let round = 0; round < 2; round++) {
      messages = root.answers.length = 0;
      for (let n = 0; n < 50; n++) root.execute(`c${n}`);
      world.until(() => root.answers.length === 50);
    }
    expect(messages).within(1, 5);
  });

  it("opens another session where the group has forgotten its own", () => {
    const world = cluster(7, "stream", 500);
    const [other, own] = [world.node(2).root, world.node(3).root];
    for (const root of [own, other, own, own]) {
      const { length } = root.answers;
      root.execute("a");
      world.until(() => root.answers.length > length);
      world.runFor(2000);
    }
    expect(other.answers).deep.equal(["a,a,"]);
    expect(own.answers).deep.equal(["a,", "Unknown", "a,a,a,"]);
  });

  it("is replaced while it asks", () => {
    const world = cluster(4);
    const { root, system } = world.node(3);
    for (let n = 0; n < 10; n++) {
      root.execute(`c${n}`);
      system.swapThen("/Peer-1/client", {}, () => undefined);
      world.until(() => root.answers.length === n + 1);
    }
    expect(root.answers[9]?.split(",")).length(11);
  });
});
