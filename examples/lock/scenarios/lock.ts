/**
 * The lock service under faults: clients append to two journals, each under its lock. Each of them reads the whole journal and
 * puts a longer one in its place, so that any two who are at it at once show as a lost update.
 */

import { AskTimeout, Component, event } from "@kith/core";
import {
  exponential,
  Fact,
  type Fault,
  isReport,
  type Operation,
  Perform,
  Performed,
  scenario,
  type Storm,
  type View,
  Workload,
} from "@kith/sim/scenario";
import { StorageLost, Storage } from "@kith/storage";
import { checkAppends, complaint } from "@kith/testing/history";
import {
  Exclusive,
  isLarger,
  Journal,
  Journalize,
  LockClient,
  type LockClientInit,
  LockServer,
  NO_TOKEN,
  type Token,
} from "../src/index.ts";
import { Replaced } from "../src/messages.ts";

/** An operation begins. */
export class Begun extends event("lock-scenario/Begun", Fact)<{
  readonly call: number;
  readonly lock: string;
}> {}

/** An operation was done under a token. */
export class Done extends event("lock-scenario/Done", Fact)<{
  readonly call: number;
  readonly lock: string;
  readonly token: Token;
}> {}

/** The first peer has the locks, and all have copies of the journals and clients. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly storage = this.requires(Storage);
  readonly exclusive = this.requires(Exclusive);
  readonly client;
  readonly #ask = this.exclusive.onAnswer(
    Journalize,
    (answer, { lock, entry }, { id }: { id: number }) => {
      if (answer instanceof AskTimeout) {
        return this.workload.trigger(new Performed({ id, type: "info", error: "timeout" }));
      }
      const { status, entries, token } = answer;
      if (status !== "done") {
        const type = status === "busy" ? "fail" : "info";
        return this.workload.trigger(new Performed({ id, type, error: status }));
      }
      this.workload.trigger(new Done({ call: id, lock, token }));
      const read = ["r", lock, entries];
      const value = entry === null ? [read] : [read, ["append", lock, entry]];
      return this.workload.trigger(new Performed({ id, type: "ok", value }));
    },
  );

  constructor(init: LockClientInit) {
    super();
    if (init.index === 0) this.create(LockServer);
    this.create(Journal);
    this.client = this.create(LockClient, init);
    this.connect(this.client.ports.exclusive, this.exclusive);
    this.storage.on(StorageLost, ({ detail }) => {
      throw new Error(`The disk cannot be trusted any more: ${detail}`);
    });
    this.workload.on(Perform, ({ id, value }) => {
      const [read, append] = Array.isArray(value) ? value : [];
      const lock = String(read[1]);
      const entry = Array.isArray(append) ? Number(append[2]) : null;
      this.workload.trigger(new Begun({ call: id, lock }));
      this.#ask(new Journalize({ lock, entry }), { timeout: 5000, context: { id } });
    });
  }
}

/** A token is used by one operation, and an operation that begins after another has a larger one. */
function tokensGrow(): (view: View) => string | undefined {
  const users = new Map<string, number>();
  const highest = new Map<string, Token>();
  const floors = new Map<number, Token>();
  return ({ news }) => {
    if (isReport(news, Begun)) {
      floors.set(news.fact.call, highest.get(news.fact.lock) ?? NO_TOKEN);
    }
    if (!isReport(news, Done)) return undefined;
    const { call, lock, token } = news.fact;
    const floor = floors.get(call) ?? NO_TOKEN;
    floors.delete(call);
    const name = `${token.number}.${token.life} of ${lock}`;
    const other = users.get(name);
    users.set(name, call);
    if (isLarger(token, highest.get(lock) ?? NO_TOKEN)) highest.set(lock, token);
    if (other !== undefined) return `Token ${name} was used by the calls ${other} and ${call}.`;
    if (isLarger(token, floor)) return undefined;
    return `Call ${call} was done under token ${name}, and ${floor.number}.${floor.life} had been used before it began.`;
  };
}

function read(lock: string): Operation {
  return { op: "txn", value: [["r", lock, null]] };
}

/** How many disks may forget, so that a quorum is still there when one peer is away. */
function forgetfulOf(peers: number): number {
  return peers - 3;
}

/**
 * What is rare among faults that are drawn one by one: a minority is cut off for longer than a lease, and as it comes back,
 * those of the others who may forget lose their disks; where they are less than two, one of the others crashes as it has
 * acknowledged something. Then as few as can be know the end of a journal. Half of the runs are without.
 */
function returns({ draw, duration, nodes, forgetful }: Storm): Fault[] {
  const faults: Fault[] = [];
  if (draw.chance(0.5)) return faults;
  const all = Array.from({ length: nodes }, (_, index) => index);
  for (let i = draw.between(1, 3); i > 0; i--) {
    const at = draw.between(0, Math.floor(duration * 0.8));
    const length = draw.between(500, 2000);
    const end = at + length;
    // The first one has the locks: without it nothing is done.
    const steady = draw.shuffle(all.filter((one) => one > 0 && !forgetful.includes(one)));
    const away = steady.slice(0, Math.floor((nodes - 1) / 2));
    const near = draw.shuffle(all.filter((one) => !away.includes(one)));
    faults.push({ kind: "split", at, for: length, nodes: near, others: away });
    if (forgetful.length > 1)
      for (const one of forgetful)
        faults.push({ kind: "wiped disk", at: end - 15, nodes: [one], for: draw.between(1, 20) });
    else
      faults.push({
        kind: "crash between effects",
        tag: Replaced.tag,
        at: end - 150,
        nodes: near.slice(0, 1),
        for: 150,
      });
  }
  return faults;
}

/** The scenario of the lock service. */
export const lock = scenario({
  name: "lock",
  about:
    "Locks with leases and fencing tokens on one peer, journals that they protect on all of them, and clients everywhere. Each client reads a whole journal and puts a longer one in its place, while messages come late, twice or never, peers pause and crash and come back, where there are more than three some of them without their disks, and clocks lie. No update is lost: the journals are strictly serializable.",
  nodes: { min: 3, max: 5 },
  main: Peer,
  init: ({ peers, index }) => ({ peers, index, forgetful: forgetfulOf(peers.length) }),
  transport: "either",
  keys: ["journal", "ledger"],
  duration: 10_000,
  settle: 20_000,
  // There is one lock server, and nobody goes on without it.
  tolerates: { down: () => 0, amnesia: forgetfulOf },
  faults: { storm: returns },
  processes: [
    {
      name: "client",
      count: 5,
      wait: exponential(60),
      timeout: 5000,
      next: ({ draw, key, unique }) => {
        // Most want the same one.
        const lock = draw.chance(0.7) ? "journal" : key();
        if (draw.chance(0.3)) return read(lock);
        const append = ["append", lock, unique()];
        return { op: "txn", value: [["r", lock, null], append] };
      },
    },
  ],
  closing: ({ keys }) => [...keys, ...keys].map(read),
  succeed: { each: 2, mean: 20 },
  fault: "crash",
  invariants: [{ name: "tokens grow", inputs: [Begun, Done], begin: tokensGrow }],
  sometimes: [
    {
      name: "two lives of the server give tokens",
      inputs: [Done],
      begin: () => {
        const lives = new Set<number>();
        return ({ news }) => isReport(news, Done) && lives.add(news.fact.token.life).size > 1;
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
