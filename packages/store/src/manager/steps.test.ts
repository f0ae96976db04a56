/** The transaction manager step by step: what it makes of sessions that are gone, of keys that have moved, and of groups that it does not know. */

import { textBytes } from "@kith/paxos";
import { expect } from "chai";
import { answer } from "../answer.ts";
import { type Command, decodeCommand } from "../command.ts";
import { applyCommand } from "../machine.ts";
import { MapTable } from "../map-table.test.ts";
import { decodeQuery, encodeAnswer } from "../query.ts";
import { encodeResult, type Result } from "../result.ts";
import { nameOf, type TxId } from "../rows.ts";
import { begin, conclude, heard, nextDue, statusOf, tickManager, told } from "./manager.ts";
import { type Ended, type ManagerState, managerOf, type Outgoing, type Work } from "./state.ts";

const client = "0123456789abcdef";
const another = "fedcba9876543210";
const settings = {
  commitMs: 300,
  withinMs: 1000,
  cancelMs: 1000,
  idleMs: 500,
  pushMs: 100,
  askMs: 50,
};
/** How long groups keep sessions that are not used: longer than clients use them. */
const keptMs = 600;

/** Two groups, and time, which is the same everywhere. */
class Bench {
  now = 1000;
  readonly groups = new Map<string, { table: MapTable; index: number }>();

  constructor() {
    for (const [gid, lo, hi] of [
      ["g0", "", "g"],
      ["g1", "g", null],
    ] as const) {
      this.groups.set(gid, { table: new MapTable(), index: 0 });
      this.apply(gid, { kind: "found", gid, ordered: true, lo, hi });
    }
  }

  manager(id = client, only = ["g0", "g1"]): ManagerState {
    const known = [
      { gid: "g0", epoch: 1, lo: "", hi: "g" },
      { gid: "g1", epoch: 1, lo: "g", hi: null },
    ].filter(({ gid }) => only.includes(gid));
    return managerOf(id, known, { settings });
  }

  apply(gid: string, command: Command): Result {
    const group = this.groups.get(gid);
    if (group === undefined) throw new Error(`there is no ${gid}`);
    const place = { table: group.table, index: ++group.index, time: this.now };
    return applyCommand(place, command, (child, rows) =>
      this.groups.set(child, { table: new MapTable(rows), index: 1 }),
    );
  }

  /** What a group makes of a call. */
  serve({ gid, kind, body }: Outgoing): Uint8Array {
    if (kind === "command") return encodeResult(this.apply(gid, decodeCommand(body)));
    const { table, index } = this.groups.get(gid) ?? { table: new MapTable(), index: 0 };
    return encodeAnswer(answer(table, decodeQuery(body), { time: this.now, index }));
  }

  /** Answers all that is asked, until there is nothing to do, or somebody stops it. @returns what is left */
  run(state: ManagerState, stops: (call: Outgoing) => boolean = () => false): Outgoing[] {
    for (let rounds = 0; rounds < 1000; rounds++) {
      const calls = state.out.calls.splice(0);
      const at = calls.findIndex(stops);
      if (at >= 0) return calls.slice(at);
      for (const call of calls) heard(state, call.call, this.serve(call), this.now);
      if (state.out.calls.length > 0) continue;
      if (state.jobs.size === 0 || nextDue(state) === Infinity) return [];
      this.now = Math.max(this.now + 1, nextDue(state));
      tickManager(state, this.now);
    }
    throw new Error("it does not come to an end");
  }

  /** What became of a piece of work. */
  done(state: ManagerState, work: Work): Ended["kind"] | undefined {
    const number = begin(state, work, this.now);
    this.run(state);
    return endOf(state, number);
  }

  /** Has the groups forget the client, as they do with who is idle; unless it is not idle. */
  expire(...gids: string[]): void {
    for (const gid of gids)
      this.apply(gid, { kind: "expire-session", client, idle: keptMs, finished: [1, 2, 3] });
  }

  locks(): number {
    return [...this.groups.values()].flatMap(({ table }) => table.keys("l", "m")).length;
  }

  version(gid: string, position: string): number {
    const query = { kind: "read", keys: [position], values: false } as const;
    const { table } = this.groups.get(gid) ?? { table: new MapTable() };
    const found = answer(table, query, { time: this.now, index: 1 });
    return found.kind === "readings" && found.readings[0]?.present === true
      ? found.readings[0].version
      : 0;
  }
}

function endOf({ out }: ManagerState, number: number): Ended["kind"] | undefined {
  return out.replies.find(({ work }) => work === number)?.ended.kind;
}

const value = textBytes("x");
const put = (position: string): Work => ({
  kind: "execute",
  operations: [{ kind: "set", position, value }],
});
const commit = (...keys: string[]): Work => ({
  kind: "commit",
  reads: [],
  writes: keys.map((position) => ({
    position,
    write: { kind: "put", value, expiry: "never" },
  })),
});

describe("the transaction manager, step by step", () => {
  it("begins anew, with another number, what came first to a group that has ended its session", () => {
    const bench = new Bench();
    const state = bench.manager();
    expect(bench.done(state, put("a"))).equal("done");
    // Its clock is slower than the group's: it takes the session for good.
    bench.now += keptMs;
    bench.expire("g0");
    bench.now -= keptMs;
    expect(bench.done(state, put("a"))).equal("done");
    expect(bench.version("g0", "a")).equal(2);
  });

  it("does not know what became of a command that was under way for longer than groups keep sessions", () => {
    const bench = new Bench();
    const state = bench.manager();
    expect(bench.done(state, put("a"))).equal("done");
    const number = begin(state, put("a"), bench.now, 10_000);
    const [call] = bench.run(state, ({ kind }) => kind === "command");
    if (call === undefined) throw new Error("nothing was sent");
    // Its first copy is executed, and nobody hears of it; the second one comes when the session has ended.
    bench.serve(call);
    bench.now += keptMs;
    bench.expire("g0");
    heard(state, call.call, bench.serve(call), bench.now);
    bench.run(state);
    expect(endOf(state, number)).equal("unknown");
    expect(bench.version("g0", "a")).equal(2);
  });

  it("has certainly not done what it cancels where its session has ended meanwhile", () => {
    const bench = new Bench();
    const state = bench.manager();
    expect(bench.done(state, put("a"))).equal("done");
    const number = begin(state, put("a"), bench.now, 100);
    // The command is lost on its way.
    bench.run(state, ({ kind }) => kind === "command");
    bench.now += 150;
    tickManager(state, bench.now);
    bench.now += keptMs;
    bench.expire("g0");
    bench.now -= keptMs;
    bench.run(state);
    expect(endOf(state, number)).equal("failed");
    expect(bench.version("g0", "a")).equal(1);
  });

  it("has certainly not committed what no group had a session for", () => {
    const bench = new Bench();
    const state = bench.manager();
    for (const key of ["a", "h"]) expect(bench.done(state, put(key))).equal("done");
    bench.now += keptMs;
    bench.expire("g0", "g1");
    bench.now -= keptMs;
    expect(bench.done(state, commit("a", "h"))).equal("aborted");
    expect(bench.done(state, commit("a", "h"))).equal("committed");
    expect(bench.locks()).equal(0);
  });

  it("has certainly not committed what one of two groups had no session for", () => {
    const bench = new Bench();
    const state = bench.manager();
    for (const key of ["a", "h"]) expect(bench.done(state, put(key))).equal("done");
    bench.now += keptMs;
    bench.expire("g1");
    bench.now -= keptMs;
    expect(bench.done(state, commit("a", "h"))).equal("aborted");
    expect(bench.done(state, commit("a", "h"))).equal("committed");
    expect(bench.locks()).equal(0);
  });

  it("keeps a session that is open again when a late answer knows of the end of the one before", () => {
    const bench = new Bench();
    const state = bench.manager();
    expect(bench.done(state, put("a"))).equal("done");
    bench.now += keptMs;
    bench.expire("g0");
    bench.now -= keptMs;
    const isCommand = ({ kind }: Outgoing): boolean => kind === "command";
    const numbers = ["a", "b"].map((key) => begin(state, put(key), bench.now));
    const [one, late] = bench.run(state, isCommand);
    if (one === undefined || late === undefined) throw new Error("nothing was sent");
    heard(state, one.call, bench.serve(one), bench.now);
    const [open] = bench.run(state, isCommand);
    if (open === undefined) throw new Error("no session was opened");
    heard(state, open.call, bench.serve(open), bench.now);
    const [again] = bench.run(state, isCommand);
    if (again === undefined) throw new Error("it was not sent again");
    heard(state, late.call, bench.serve(late), bench.now);
    heard(state, again.call, "nothing", bench.now);
    bench.now += 200;
    tickManager(state, bench.now);
    bench.run(state);
    expect(numbers.map((number) => endOf(state, number))).deep.equal(["done", "done"]);
  });

  it("looks for registers where their keys have gone", () => {
    const bench = new Bench();
    const participants = ["a", "k"].map((position) => ({ position, writes: true }));
    const opened = bench.apply("g1", {
      kind: "open",
      client,
      nextSeq: 1,
      hello: { gid: "g1", index: 1 },
    });
    if (opened.kind !== "opened") throw new Error(opened.kind);
    const token = { gid: opened.gid, index: opened.index };
    bench.apply("g1", {
      kind: "prepare",
      ticket: { client, seq: 1, ackedBelow: 1, token },
      participants,
      parts: [{ position: "k", expected: null, write: { kind: "put", value, expiry: "never" } }],
      bodyHash: 2,
      hint: "",
    });
    expect(bench.locks()).equal(1);
    const helper = bench.manager(another);
    const known = {
      name: nameOf({ client, seq: 1 }),
      hint: "",
      since: 0,
      participants,
      states: [],
    };
    conclude(helper, known, bench.now);
    // One group has no session of the client, and before the other one is looked at again it gives the key away.
    const left = bench.run(helper, ({ kind }) => kind === "query");
    bench.apply("g1", { kind: "split", at: "j", expectedEpoch: 1 });
    for (const call of left) heard(helper, call.call, bench.serve(call), bench.now);
    bench.run(helper);
    expect(bench.locks()).equal(0);
    expect(helper.jobs.size).equal(0);
  });

  /** A transaction that is prepared in one of two groups, and what the other one is asked; and one who wants to know of it. */
  const halfway = (): {
    bench: Bench;
    state: ManagerState;
    helper: ManagerState;
    tx: TxId;
    number: number;
    open: Outgoing;
  } => {
    const bench = new Bench();
    const state = bench.manager();
    for (const key of ["a", "h"]) bench.done(state, put(key));
    const number = begin(state, commit("a", "h"), bench.now);
    const [first, open] = bench.run(state, ({ kind }) => kind === "command");
    if (first === undefined || open === undefined) throw new Error("nothing was sent");
    heard(state, first.call, bench.serve(first), bench.now);
    expect(bench.locks()).equal(1);
    const tx = { client, seq: 3 };
    const helper = bench.manager(another);
    const participants = ["a", "h"].map((position) => ({ position, writes: true }));
    const known = { name: nameOf(tx), hint: "its manager", since: 0, participants, states: [] };
    conclude(helper, known, bench.now);
    expect(helper.out.asks).deep.equal([{ hint: "its manager", tx }]);
    expect(helper.out.calls).deep.equal([]);
    return { bench, state, helper, tx, number, open };
  };
  const passes = (bench: Bench, state: ManagerState, duration: number): void => {
    bench.now += duration;
    tickManager(state, bench.now);
  };

  it("leaves in peace what its manager says to be at work, and takes what that says to have come of it", () => {
    const { bench, state, helper, tx, number, open } = halfway();
    expect(statusOf(state, tx)).equal("working");
    told(helper, tx, "working", bench.now);
    passes(bench, helper, 60);
    // It has asked again, and nothing else.
    expect(helper.out.asks).length(2);
    expect(helper.out.calls).deep.equal([]);
    heard(state, open.call, bench.serve(open), bench.now);
    expect(statusOf(state, tx)).equal("C");
    // Its manager dies before it has told the groups.
    state.out.calls = [];
    told(helper, tx, "C", bench.now);
    expect(helper.out.calls.map(({ body }) => decodeCommand(body).kind)).deep.equal([
      "finish",
      "finish",
    ]);
    bench.run(helper);
    expect(bench.locks()).equal(0);
    expect(endOf(state, number)).equal("committed");
    expect(bench.version("g1", "h")).equal(2);
  });

  it("finds out by itself where a manager is silent, knows nothing, or is at work for too long", () => {
    for (const status of [null, "unknown", "working"] as const) {
      const { bench, helper, tx } = halfway();
      for (let i = 0; i < 8; i++) {
        if (status !== null) told(helper, tx, status, bench.now);
        passes(bench, helper, 60);
      }
      bench.run(helper);
      expect(bench.locks()).equal(0);
      expect(helper.jobs.size).equal(0);
    }
  });

  it("says of its own transactions alone how far they are, and not of what it looks for itself", () => {
    const { bench, state, helper, tx } = halfway();
    expect(statusOf(helper, tx)).equal(null);
    expect(statusOf(state, { ...tx, seq: 77 })).equal("unknown");
    const participants = [{ position: "a", writes: true }];
    const past = { client, seq: 2 };
    conclude(state, { name: nameOf(past), hint: "itself", since: 0, participants, states: [] }, 0);
    expect(statusOf(state, past)).equal("unknown");
    expect(bench.locks()).equal(1);
  });

  it("gives up in time what has keys of which no group is known", () => {
    const bench = new Bench();
    const state = bench.manager(client, ["g1"]);
    for (const work of [put("a"), commit("a", "h"), commit("a", "b")])
      expect(bench.done(state, work)).equal("failed");
    expect(state.jobs.size).equal(0);
    const participants = [{ position: "a", writes: true }];
    const known = { name: `${another}${"\0".repeat(7)}`, hint: "", since: 0, participants };
    expect(conclude(state, { ...known, states: [] }, bench.now)).equal(null);
    expect(state.jobs.size).equal(0);
  });
});
