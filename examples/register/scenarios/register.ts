/**
 * The replicated register under faults: clients read and write two keys at any peer, and what they saw must be
 * linearizable; beside that, the tags have to grow with time, and no two values may have one tag.
 */

import { AskTimeout, Component, event } from "@kith/core";
import { Network } from "@kith/network";
import {
  exponential,
  Fact,
  type Fault,
  isReport,
  Perform,
  Performed,
  scenario,
  someFact,
  type Storm,
  type View,
  Workload,
} from "@kith/sim/scenario";
import { checkRegisters, complaint } from "@kith/testing/history";
import {
  Abd,
  type AbdInit,
  isHigher,
  QuickAbd,
  ReadRegister,
  Register,
  type RegisterAnswer,
  type Tag,
  type Value,
  WriteRegister,
} from "../src/index.ts";
import { Store } from "../src/register.ts";

/** An operation is done: what it wrote or read, and in how many phases. */
export class Done extends event("register-scenario/Done", Fact)<{
  readonly key: string;
  readonly value: Value;
  readonly tag: Tag;
  readonly phases: number;
  readonly wrote: boolean;
  readonly call: number;
}> {}

/** A peer is to keep a value. */
export class Carried extends event("register-scenario/Carried", Fact)<{
  readonly key: string;
  readonly value: Value;
  readonly tag: Tag;
}> {}

/** An operation begins. */
export class Begun extends event("register-scenario/Begun", Fact)<{
  readonly key: string;
  readonly call: number;
}> {}

interface Call {
  readonly id: number;
  readonly key: string;
  readonly wrote: boolean;
}

/** One peer, and what its clients ask of it. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly register = this.requires(Register);
  readonly net = this.requires(Network);
  readonly abd;
  readonly #read = this.register.onAnswer(ReadRegister, (answer, _read, call: Call) =>
    this.#done(answer, call),
  );
  readonly #write = this.register.onAnswer(WriteRegister, (answer, _write, call: Call) =>
    this.#done(answer, call),
  );

  constructor(init: AbdInit) {
    super();
    // In the middle of a change to version 2: a life begins with either.
    const version = this.random("version").chance(0.7) ? QuickAbd : Abd;
    this.abd = this.create(version, init, { name: "abd" });
    this.connect(this.abd.ports.register, this.register);
    this.net.on(Store, ({ key, what: { tag, value } }) =>
      this.workload.trigger(new Carried({ key, tag, value })),
    );
    this.workload.on(Perform, ({ id, op, key = "", value }) => {
      this.workload.trigger(new Begun({ key, call: id }));
      const context = { id, key, wrote: op === "write" };
      if (op !== "write") this.#read(new ReadRegister({ key }), { timeout: 5000, context });
      else if (typeof value === "number") {
        this.#write(new WriteRegister({ key, value }), { timeout: 5000, context });
      }
    });
  }

  #done(answer: RegisterAnswer | AskTimeout, { id, key, wrote }: Call): void {
    if (answer instanceof AskTimeout) {
      return this.workload.trigger(new Performed({ id, type: "info", error: "timeout" }));
    }
    const { status, value, tag, phases } = answer;
    if (status === "busy") {
      return this.workload.trigger(new Performed({ id, type: "fail", error: "busy" }));
    }
    this.workload.trigger(new Done({ key, value, tag, phases, wrote, call: id }));
    return this.workload.trigger(new Performed({ id, type: "ok", value }));
  }
}

/** Operations that begin after another one was done must not have a lower tag, and writes a higher one. */
function tagsGrow(): (view: View) => string | undefined {
  const highest = new Map<string, Tag>();
  const floor = new Map<number, Tag | undefined>();
  return ({ news }) => {
    if (isReport(news, Begun)) floor.set(news.fact.call, highest.get(news.fact.key));
    if (!isReport(news, Done)) return undefined;
    const { key, tag, wrote, call, value } = news.fact;
    const before = floor.get(call);
    floor.delete(call);
    const now = highest.get(key);
    if (now === undefined || isHigher(tag, now)) highest.set(key, tag);
    if (before === undefined || isHigher(tag, before)) return undefined;
    if (!wrote && !isHigher(before, tag)) return undefined;
    return `${wrote ? "A write" : "A read"} of ${key} (${value}) has the tag ${show(tag)}; when it began, ${show(before)} was there.`;
  };
}

/** A tag stands for one value, in what is done and in what any peer has ever been told to keep. */
function tagsAreUnique(): (view: View) => string | undefined {
  const values = new Map<string, Value>();
  return ({ news }) => {
    if (!isReport(news, Done) && !isReport(news, Carried)) return undefined;
    const { key, tag, value } = news.fact;
    const name = `${key} ${show(tag)}`;
    const other = values.get(name);
    values.set(name, value);
    if (other === undefined || other === value) return undefined;
    return `The tag ${name} stands for ${other} and for ${value}.`;
  };
}

function show({ number, writer, life }: Tag): string {
  return `${number}.${writer}.${life}`;
}

/** Where a peer's register stands. */
const abd = "/Peer-1/abd";

/** How many disks may forget, so that a quorum is still there when one peer is gone. */
function forgetfulOf(peers: number): number {
  return peers - 3;
}

/**
 * What is rare among faults that are drawn one by one: crashes after which a peer is back before others have put right
 * what it was about, or what its disk has forgotten. Half of the runs are without.
 */
function shortCrashes({ draw, duration, nodes, forgetful }: Storm): Fault[] {
  const faults: Fault[] = [];
  if (draw.chance(0.5)) return faults;
  const at = (): number => draw.between(0, Math.floor(duration * 0.9));
  for (let i = draw.between(0, 12); i > 0; i--)
    faults.push({
      kind: "crash between effects",
      tag: Store.tag,
      at: at(),
      nodes: [draw.below(nodes)],
      for: draw.between(1, 20),
    });
  for (let i = forgetful.length * draw.between(0, 4); i > 0; i--)
    faults.push({
      kind: "wiped disk",
      at: at(),
      nodes: [draw.pick(forgetful)],
      for: draw.between(1, 20),
    });
  return faults;
}

/** The scenario of the register. */
export const register = scenario({
  name: "register",
  about:
    "A register for each key, replicated on three to five peers (Attiya, Bar-Noy, Dolev). Clients read and write at any peer, while messages are lost, peers crash and come back, where there are more than three some of them without their disks, clocks lie, and one peer after the other gets a new version. What they see is linearizable.",
  nodes: { min: 3, max: 5 },
  main: Peer,
  // Thrifty ones leave a later majority no more than one peer of an earlier one; where stores are gathered, much waits
  // for the disk in a crash. The first four peers are of all four sorts.
  init: ({ peers, index }) => ({
    peers,
    index,
    forgetful: forgetfulOf(peers.length),
    thrifty: index % 2 === 0,
    gather: index < 2 ? 20 : 0,
  }),
  transport: "either",
  keys: ["x", "a", "b", "c", "d", "e", "f", "g"],
  duration: 5000,
  settle: 20_000,
  tolerates: { down: () => 1, amnesia: forgetfulOf },
  faults: { storm: shortCrashes },
  swaps: [abd],
  versions: [{ path: abd, to: QuickAbd }],
  processes: [
    {
      name: "client",
      count: 8,
      wait: exponential(50),
      timeout: 3000,
      // One key is contended. To the others comes a call now and then: what was lost is not put right at once.
      next: ({ draw, key: anyKey, unique }) => {
        const key = draw.chance(0.3) ? "x" : anyKey();
        return draw.chance(0.5) ? { op: "read", key } : { op: "write", key, value: unique() };
      },
    },
  ],
  closing: ({ keys }) => [...keys, ...keys].map((key) => ({ op: "read", key })),
  succeed: { each: 4, mean: 60 },
  fault: "crash",
  invariants: [
    { name: "tags grow", inputs: [Begun, Done], begin: tagsGrow },
    { name: "a tag has one value", inputs: [Carried, Done], begin: tagsAreUnique },
  ],
  sometimes: [
    {
      name: "two writers find the same highest tag",
      inputs: [Done],
      begin: () => {
        const numbers = new Map<string, string>();
        return ({ news }) => {
          if (!isReport(news, Done) || !news.fact.wrote) return false;
          const { key, tag } = news.fact;
          const name = `${key} ${tag.number}`;
          const other = numbers.get(name);
          numbers.set(name, show(tag));
          return other !== undefined && other !== show(tag);
        };
      },
    },
    {
      name: "a later version reads in one phase",
      ...someFact(Done, ({ fact }) => fact.phases === 1),
    },
    {
      name: "a peer writes in a later life",
      ...someFact(Done, ({ fact, life }) => fact.wrote && life > 1),
    },
  ],
  finally: [
    {
      name: "linearizable",
      check: ({ history }) => complaint(checkRegisters(history)),
    },
  ],
});
