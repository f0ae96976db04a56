/**
 * The store on consistent quorums under all faults: clients read and write registers at any node, while an operator has
 * other nodes take ranges over, and splits them. What the clients saw must be linearizable.
 */

import {
  AskTimeout,
  Component,
  event,
  KithError,
  SchedulePeriodic,
  timeout,
  Timer,
} from "@kith/core";
import { bytesText, octetsOf, textBytes } from "@kith/paxos";
import {
  exponential,
  Fact,
  isReport,
  Perform,
  Performed,
  scenario,
  type Sometimes,
  type View as Run,
  Workload,
} from "@kith/sim/scenario";
import { checkRegisters, complaint } from "@kith/testing/history";
import type { PeerRef } from "@kith/network";
import {
  AbdReplica,
  AbdStore,
  ChangeView,
  ListViews,
  type View,
  type ViewChange,
  ViewList,
  Views,
} from "../src/abd/index.ts";
import {
  Ambiguous,
  Delete,
  Get,
  Got,
  Put,
  Registers,
  type StoreAnswer,
  Written,
} from "../src/index.ts";

/** What a node has a part in. */
export class Holding extends event("store-abd/Holding", Fact)<{
  readonly views: readonly (View & { readonly active: boolean })[];
  readonly keys: number;
}> {}

/** A view was changed. */
export class Changed extends event("store-abd/Changed", Fact)<{
  readonly from: string;
  readonly kind: ViewChange["kind"];
  /** How many members are new. */
  readonly fresh: number;
}> {}

/** What must not happen has happened at a node. */
export class Broken extends event("store-abd/Broken", Fact)<{ readonly reason: string }> {}

class Look extends timeout("store-abd/Look") {}

/** The init of a node. */
export interface PeerInit {
  readonly peers: readonly PeerRef[];
  /** How many members a view has. */
  readonly degree: number;
}

/** A node: a member where views say so, and a client. */
export class Peer extends Component {
  readonly workload = this.requires(Workload);
  readonly registers = this.requires(Registers);
  readonly views = this.requires(Views);
  readonly timer = this.requires(Timer);
  readonly replica;
  readonly store;
  readonly #peers: readonly PeerRef[];
  readonly #draw = this.random("operator");
  readonly #get = this.registers.onAnswer(Get, (answer, _get, id: number) => {
    if (answer instanceof Got) {
      const { value } = answer.entry;
      this.#done(id, "ok", value === null ? null : Number(bytesText(value)));
    } else this.#not(id, answer);
  });
  readonly #put = this.registers.onAnswer(Put, (answer, _put, id: number) =>
    this.#wrote(id, answer),
  );
  readonly #delete = this.registers.onAnswer(Delete, (answer, _delete, id: number) =>
    this.#wrote(id, answer),
  );
  readonly #list = this.views.onAnswer(ListViews, (answer, _list, id: number) => {
    if (!(answer instanceof ViewList)) return;
    this.workload.trigger(new Holding({ views: answer.views, keys: answer.keys }));
    if (id > 0) this.#operate(id, answer.views);
  });
  readonly #change = this.views.onAnswer(ChangeView, (answer, { change }, id: number) => {
    if (answer instanceof AskTimeout) return this.#done(id, "info");
    const [next] = answer.next;
    if (next === undefined) return this.#done(id, "fail");
    this.workload.trigger(
      new Changed({
        from: next.rid,
        kind: answer.next.length > 1 ? "split" : "replace",
        fresh: change.kind === "replace" ? this.#fresh : 0,
      }),
    );
    return this.#done(id, "ok");
  });
  #fresh = 0;

  constructor({ peers, degree }: PeerInit) {
    super();
    this.#peers = peers;
    const members = peers
      .slice(0, degree)
      .map(({ peerId, host, port }) => ({ peerId, host, port }));
    const views = [{ rid: "r", version: 1, lo: "", hi: null, members }];
    this.replica = this.create(AbdReplica, { views }, { name: "replica" });
    this.store = this.create(AbdStore, { views }, { name: "store" });
    this.connect(this.replica.ports.views, this.views);
    this.connect(this.store.ports.registers, this.registers);
    this.workload.on(Perform, ({ id, op, key: name = "", value }) => {
      const key = octetsOf(textBytes(name));
      const limit = { timeout: 6000, context: id };
      if (op === "read") this.#get(new Get({ key, within: 3000 }), limit);
      else if (op === "change") this.#list(new ListViews(), { context: id });
      else if (typeof value === "number")
        this.#put(new Put({ key, value: textBytes(`${value}`), within: 3000 }), limit);
      else this.#delete(new Delete({ key, within: 3000 }), limit);
    });
    // A disk that is gone is a crash; an invariant that is violated is none.
    this.onFault(({ cause }) => {
      if (!(cause instanceof KithError && cause.code === "KITH_STORE_STORAGE"))
        this.workload.trigger(new Broken({ reason: String(cause) }));
      return "escalate";
    });
    this.timer.on(Look, () => this.#list(new ListViews(), { context: 0 }));
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: 500, timeout: new Look() })),
    );
  }

  /** Changes one of the views that this node has a part in. */
  #operate(id: number, views: readonly View[]): void {
    const draw = this.#draw;
    if (views.length === 0) return this.#done(id, "fail");
    const { rid, version, members, lo, hi } = draw.pick(views);
    const top = (lo.charCodeAt(0) || 0) + 1;
    const bottom = hi === null ? 256 : hi.charCodeAt(0);
    if (draw.chance(0.2) && bottom - top > 16) {
      const at = String.fromCharCode(draw.between(top, bottom - 1));
      return this.#ask(id, rid, version, { kind: "split", at });
    }
    const others = draw.shuffle(
      this.#peers.filter((peer) => members.every(({ peerId }) => peerId !== peer.peerId)),
    );
    this.#fresh = draw.between(1, Math.min(others.length, members.length));
    const stay = draw.shuffle(members).slice(this.#fresh);
    const fresh = others
      .slice(0, this.#fresh)
      .map(({ peerId, host, port }) => ({ peerId, host, port }));
    return this.#ask(id, rid, version, { kind: "replace", members: [...stay, ...fresh] });
  }

  #ask(id: number, rid: string, version: number, change: ViewChange): void {
    this.#change(new ChangeView({ rid, version, change }), { timeout: 3000, context: id });
  }

  #wrote(id: number, answer: StoreAnswer | AskTimeout): void {
    if (answer instanceof Written) this.#done(id, "ok");
    else this.#not(id, answer);
  }

  #not(id: number, answer: StoreAnswer | AskTimeout): void {
    const unknown = answer instanceof Ambiguous || answer instanceof AskTimeout;
    this.#done(id, unknown ? "info" : "fail");
  }

  #done(id: number, type: "ok" | "fail" | "info", value?: number | null): void {
    this.workload.trigger(new Performed({ id, type, ...(value === undefined ? {} : { value }) }));
  }
}

/** What each node has said of itself last. */
function holdings(): (run: Run) => ReadonlyMap<string, Holding> {
  const last = new Map<string, Holding>();
  return ({ news }) => {
    if (isReport(news, Holding)) last.set(news.node, news.fact);
    return last;
  };
}

/** Who has a view has it as all others have it. */
function viewsAgree(): (run: Run) => string | undefined {
  const known = new Map<string, string>();
  return ({ news }) => {
    if (!isReport(news, Holding)) return undefined;
    for (const { rid, version, lo, hi, members } of news.fact.views) {
      const text = JSON.stringify([lo, hi, members.map(({ peerId }) => peerId)]);
      const name = `${rid}@${version}`;
      const other = known.get(name);
      known.set(name, text);
      if (other !== undefined && other !== text) return `There are two views ${name}.`;
    }
    return undefined;
  };
}

function sometimesChanged(name: string, holds: (changed: Changed) => boolean): Sometimes {
  return {
    name,
    inputs: [Changed],
    begin:
      () =>
      ({ news }) =>
        isReport(news, Changed) && holds(news.fact),
  };
}

/** The scenario of the store on consistent quorums. */
export const storeAbd = scenario({
  name: "store-abd",
  about:
    "Registers on consistent quorums (Attiya, Bar-Noy, Dolev; CATS). Clients read and write at any of five to seven nodes, of which three at a time have each range of the keys. An operator has others take ranges over, up to all at once, and splits them, while everything breaks. What clients see is linearizable.",
  nodes: { min: 5, max: 7 },
  main: Peer,
  init: ({ peers }) => ({ peers, degree: 3 }),
  transport: "either",
  keys: ["x", "a", "b", "c", "d", "e", "f", "g"],
  duration: 8000,
  settle: 20_000,
  tolerates: { down: () => 1 },
  swaps: ["/Peer-1/replica", "/Peer-1/store"],
  processes: [
    {
      name: "client",
      count: 8,
      wait: exponential(40),
      timeout: 8000,
      next: ({ draw, key: anyKey, unique }) => {
        const key = draw.chance(0.4) ? "x" : anyKey();
        if (draw.chance(0.5)) return { op: "read", key };
        return { op: "write", key, value: draw.chance(0.1) ? null : unique() };
      },
    },
    { name: "operator", wait: exponential(500), timeout: 4000, next: () => ({ op: "change" }) },
  ],
  closing: ({ keys }) => [...keys, ...keys].map((key) => ({ op: "read", key })),
  succeed: { each: 16, mean: 300 },
  fault: "crash",
  invariants: [
    { name: "Q1: one view follows", inputs: [Holding], begin: viewsAgree },
    {
      name: "no invariant is violated",
      inputs: [Broken],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Broken) ? `${news.node}: ${news.fact.reason}` : undefined,
    },
  ],
  sometimes: [
    sometimesChanged(
      "one member is replaced",
      ({ fresh, kind }) => kind === "replace" && fresh === 1,
    ),
    sometimesChanged("all members are replaced", ({ fresh }) => fresh === 3),
    sometimesChanged("a range is split", ({ kind }) => kind === "split"),
    {
      name: "a node that has no part in anything has forgotten all",
      inputs: [Holding],
      begin: () => {
        const had = new Set<string>();
        return ({ news }) => {
          if (!isReport(news, Holding)) return false;
          const { views, keys } = news.fact;
          if (keys > 0) had.add(news.node);
          return views.length === 0 && keys === 0 && had.has(news.node);
        };
      },
    },
    {
      name: "a node is asked before it has all data",
      inputs: [Holding],
      begin: () => {
        const now = holdings();
        return (run) =>
          [...now(run).values()].some(({ views }) => views.some((one) => !one.active));
      },
    },
  ],
  finally: [
    {
      name: "linearizable",
      check: ({ history }) =>
        complaint(checkRegisters(history.filter(({ op }) => op !== "change"))),
    },
  ],
});
