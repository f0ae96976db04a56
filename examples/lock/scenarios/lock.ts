/**
 * The lock service under faults: clients append to one journal under the lock. Each of them reads the whole journal and
 * puts a longer one in its place, so that any two who are at it at once show as a lost update.
 */

import { AskTimeout, Component, event } from "@kith/core";
import type { PeerRef } from "@kith/network";
import {
  exponential,
  Fact,
  isReport,
  Perform,
  Performed,
  scenario,
  type View,
  Workload,
} from "@kith/sim/scenario";
import { StorageLost, Storage } from "@kith/storage";
import { checkAppends, complaint } from "@kith/testing/history";
import { Exclusive, Journal, Journalize, LockClient, LockServer } from "../src/index.ts";

/** An operation begins. */
export class Begun extends event("lock-scenario/Begun", Fact)<{ readonly call: number }> {}

/** An operation was done under a token. */
export class Done extends event("lock-scenario/Done", Fact)<{
  readonly call: number;
  readonly token: number;
}> {}

/** The first peer has the lock, the second the journal, and all have clients. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly storage = this.requires(Storage);
  readonly exclusive = this.requires(Exclusive);
  readonly client;
  readonly #ask = this.exclusive.onAnswer(
    Journalize,
    (answer, { entry }, { id }: { id: number }) => {
      if (answer instanceof AskTimeout) {
        return this.workload.trigger(new Performed({ id, type: "info", error: "timeout" }));
      }
      const { status, entries, token } = answer;
      if (status !== "done") {
        const type = status === "busy" ? "fail" : "info";
        return this.workload.trigger(new Performed({ id, type, error: status }));
      }
      this.workload.trigger(new Done({ call: id, token }));
      const read = ["r", "journal", entries];
      const value = entry === null ? [read] : [read, ["append", "journal", entry]];
      return this.workload.trigger(new Performed({ id, type: "ok", value }));
    },
  );

  constructor(init: { readonly peers: readonly PeerRef[]; readonly index: number }) {
    super();
    if (init.index === 0) this.create(LockServer);
    if (init.index === 1) this.create(Journal);
    this.client = this.create(LockClient, init);
    this.connect(this.client.ports.exclusive, this.exclusive);
    this.storage.on(StorageLost, ({ detail }) => {
      throw new Error(`The disk cannot be trusted any more: ${detail}`);
    });
    this.workload.on(Perform, ({ id, value }) => {
      this.workload.trigger(new Begun({ call: id }));
      const [, append] = Array.isArray(value) ? value : [];
      const entry = Array.isArray(append) ? Number(append[2]) : null;
      this.#ask(new Journalize({ entry }), { timeout: 5000, context: { id } });
    });
  }
}

/** A token is used by one operation, and an operation that begins after another has a larger one. */
function tokensGrow(): (view: View) => string | undefined {
  const users = new Map<number, number>();
  const floors = new Map<number, number>();
  let highest = 0;
  return ({ news }) => {
    if (isReport(news, Begun)) floors.set(news.fact.call, highest);
    if (!isReport(news, Done)) return undefined;
    const { call, token } = news.fact;
    const floor = floors.get(call) ?? 0;
    floors.delete(call);
    const other = users.get(token);
    users.set(token, call);
    highest = Math.max(highest, token);
    if (other !== undefined) return `Token ${token} was used by the calls ${other} and ${call}.`;
    if (token > floor) return undefined;
    return `Call ${call} was done under token ${token}, and ${floor} had been used before it began.`;
  };
}

const read = { op: "txn", value: [["r", "journal", null]] };

/** The scenario of the lock service. */
export const lock = scenario({
  name: "lock",
  about:
    "A lock with leases and fencing tokens on one peer, a journal that it protects on another, and clients everywhere. Each client reads the whole journal and puts a longer one in its place, while messages come late, twice or never, peers pause and crash, and clocks lie. No update is lost: the journal is strictly serializable.",
  nodes: { min: 3, max: 5 },
  main: Peer,
  init: ({ peers, index }) => ({ peers, index }),
  transport: "either",
  keys: ["journal"],
  duration: 10_000,
  settle: 20_000,
  tolerates: { down: () => 0 },
  processes: [
    {
      name: "client",
      count: 4,
      wait: exponential(100),
      timeout: 5000,
      next: ({ draw, unique }) =>
        draw.chance(0.3)
          ? read
          : {
              op: "txn",
              value: [
                ["r", "journal", null],
                ["append", "journal", unique()],
              ],
            },
    },
  ],
  closing: () => [read, read],
  succeed: { each: 2, mean: 20 },
  fault: "crash",
  invariants: [{ name: "tokens grow", inputs: [Begun, Done], begin: tokensGrow }],
  sometimes: [
    {
      name: "a token is passed over",
      inputs: [Done],
      begin: () => {
        let last = 0;
        return ({ news }) => {
          if (!isReport(news, Done)) return false;
          const skipped = news.fact.token > last + 1;
          last = Math.max(last, news.fact.token);
          return skipped;
        };
      },
    },
    {
      name: "an outcome is unknown",
      inputs: ["history"],
      begin:
        () =>
        ({ history }) =>
          history.at(-1)?.type === "info",
    },
  ],
  finally: [
    { name: "strictly serializable", check: ({ history }) => complaint(checkAppends(history)) },
  ],
});
