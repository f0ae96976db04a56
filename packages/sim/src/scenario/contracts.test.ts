/**
 * What the ports of the outside world promise, as a scenario: nodes number their messages, time their
 * timers and count what was flushed, and say so. It finds bugs in the providers, not in a protocol.
 */

import { Component, event, SchedulePeriodic, ScheduleTimeout, timeout, Timer } from "@kith/core";
import {
  ConnectionDown,
  ConnectionUp,
  Deliver,
  Delivery,
  Dropped,
  message,
  Network,
  type PeerRef,
} from "@kith/network";
import { Flushed, LogBounds, ReadBounds, Storage, Write } from "@kith/storage";
import { Fact, isReport, Perform, Performed, scenario, type Scenario, Workload } from "./index.ts";

class Numbered extends message("contracts/Numbered")<{ readonly n: number }> {}
class Again extends timeout("contracts/Again") {}
class Rang extends timeout("contracts/Rang")<{ readonly due: number }> {}

class Got extends event("contracts/Got", Fact)<{
  readonly from: string;
  readonly to: number;
  readonly n: number;
}> {}
class Asked extends event("contracts/Asked", Fact)<{
  readonly by: string;
  readonly n: number;
}> {}
class Acknowledged extends event("contracts/Acknowledged", Fact)<{
  readonly by: string;
  readonly n: number;
}> {}
class Rung extends event("contracts/Rung", Fact)<{ readonly due: number; readonly at: number }> {}
class Durable extends event("contracts/Durable", Fact)<{ readonly count: number }> {}
class Found extends event("contracts/Found", Fact)<{ readonly count: number }> {}
class Connected extends event("contracts/Connected", Fact)<{
  readonly peer: string;
  readonly up: boolean;
}> {}

export class Contracts extends Component {
  readonly workload = this.requires(Workload);
  readonly net = this.requires(Network);
  readonly timer = this.requires(Timer);
  readonly storage = this.requires(Storage);
  readonly #peers = new Map<string, PeerRef>();
  #sent = 0;
  #written = 0;
  #ready = false;

  readonly #bounds = this.storage.onAnswer(ReadBounds, (answer) => {
    if (!(answer instanceof LogBounds)) {
      this.#bounds(new ReadBounds({ namespace: "contracts" }));
      return;
    }
    this.#written = answer.last;
    this.#ready = true;
    this.workload.trigger(new Found({ count: answer.last }));
  });

  readonly #write = this.storage.onAnswer(
    Write,
    (answer, _write, { id, count }: { id: number; count: number }) => {
      const flushed = answer instanceof Flushed;
      if (flushed) this.workload.trigger(new Durable({ count }));
      else this.#written--;
      this.workload.trigger(new Performed({ id, type: flushed ? "ok" : "fail" }));
    },
  );

  readonly #deliver = this.net.onAnswer(
    Deliver,
    (answer, _deliver, { id, by, n }: { id: number; by: string; n: number }) => {
      const acknowledged = answer instanceof Delivery && answer.status === "acknowledged";
      if (acknowledged) this.workload.trigger(new Acknowledged({ by, n }));
      this.workload.trigger(new Performed({ id, type: acknowledged ? "ok" : "info" }));
    },
  );

  constructor({ peers, name }: { readonly peers: readonly PeerRef[]; readonly name: string }) {
    super();
    for (const peer of peers) if (peer.host !== name) this.#peers.set(peer.host, peer);
    const pick = this.random("peer");
    const delay = this.random("delay");
    this.workload.on(Perform, ({ id, op }) => {
      const to = pick.pick([...this.#peers.values()]);
      if (op === "write" && this.#ready) {
        const count = ++this.#written;
        const record = new Uint8Array(40 + delay.below(2000));
        const operations = [{ kind: "append", index: count, record } as const];
        this.#write(new Write({ namespace: "contracts", operations }), { context: { id, count } });
      } else if (op === "deliver") {
        const n = ++this.#sent;
        const asked = new Deliver({ message: new Numbered({ to, n }), until: "acknowledged" });
        this.workload.trigger(new Asked({ by: life(to), n }));
        this.#deliver(asked, { context: { id, by: life(to), n } });
      } else if (op === "send") {
        for (let i = 0; i < 3; i++) this.net.trigger(new Numbered({ to, n: ++this.#sent }));
        this.workload.trigger(new Performed({ id, type: "ok" }));
      } else {
        this.workload.trigger(new Performed({ id, type: "fail" }));
      }
    });
    this.net.on(Numbered, ({ from, to, n }) => {
      this.#peers.set(from.host, from);
      this.workload.trigger(new Got({ from: life(from), to: to.incarnation, n }));
    });
    this.net.on(ConnectionUp, ({ peer }) => this.#connected(peer, true));
    this.net.on(ConnectionDown, ({ peer }) => this.#connected(peer, false));
    this.net.on(Dropped, () => undefined);
    this.timer.on(Again, () => {
      const wait = delay.between(1, 300);
      const due = this.clock.monotonic + wait;
      this.timer.trigger(new ScheduleTimeout({ delay: wait, timeout: new Rang({ due }) }));
    });
    this.timer.on(Rang, ({ due }) =>
      this.workload.trigger(new Rung({ due, at: this.clock.monotonic })),
    );
    this.onStart(() => {
      this.#bounds(new ReadBounds({ namespace: "contracts" }));
      this.timer.trigger(new SchedulePeriodic({ period: 400, delay: 10, timeout: new Again() }));
    });
  }

  #connected({ host }: PeerRef, up: boolean): void {
    this.workload.trigger(new Connected({ peer: host, up }));
  }
}

function life({ host, incarnation }: PeerRef): string {
  return `${host}#${incarnation}`;
}

export const contracts: Scenario<typeof Contracts> = scenario({
  name: "contracts",
  about:
    "What Network, Timer and Storage promise: messages at most once, in order and to the life they are for, acknowledged only where they have arrived; no timer early; nothing lost that was flushed.",
  nodes: { min: 2, max: 4 },
  main: Contracts,
  init: ({ peers, name }) => ({ peers, name }),
  duration: 6000,
  settle: 5000,
  processes: [
    {
      name: "client",
      count: 4,
      timeout: 1000,
      next: ({ draw }) => ({ op: draw.pick(["write", "deliver", "send"]) }),
    },
  ],
  // A life that shares its incarnation with another cannot be told from it.
  faults: { without: { "reused identity": "two lives of one incarnation look like one" } },
  invariants: [
    {
      name: "in order and at most once",
      inputs: [Got],
      begin: () => {
        const last = new Map<string, number>();
        return ({ news }) => {
          if (!isReport(news, Got)) return undefined;
          const { from, n } = news.fact;
          const way = `${from} to ${news.node}#${news.life}`;
          const before = last.get(way) ?? 0;
          last.set(way, n);
          return n <= before ? `${way}: ${n} came after ${before}.` : undefined;
        };
      },
    },
    {
      name: "to the life it is for",
      inputs: [Got],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Got) && news.fact.to !== news.life
            ? `${news.node}#${news.life} got what was for its life ${news.fact.to}.`
            : undefined,
    },
    {
      name: "acknowledged only if it has arrived",
      inputs: [Got, Asked, Acknowledged],
      begin: () => {
        const got = new Set<string>();
        /** When those were asked for that were for a life that ran then. */
        const asked = new Map<string, number>();
        return ({ news, nodes }) => {
          if (isReport(news, Got))
            got.add(`${news.node}#${news.life} ${news.fact.from} ${news.fact.n}`);
          if (!isReport(news, Asked) && !isReport(news, Acknowledged)) return undefined;
          const { by, n } = news.fact;
          const way = `${by} ${news.node}#${news.life} ${n}`;
          const there = nodes.find(({ name, life }) => `${name}#${life}` === by);
          if (isReport(news, Asked)) {
            if (there !== undefined && there.state !== "down") asked.set(way, news.time);
            return undefined;
          }
          if (got.has(way)) return undefined;
          // It says that the Network there has triggered it, and nothing about a handler: a life that
          // was ended or paused at just that instant has not told of it.
          const time = asked.get(way) ?? Infinity;
          const stood = there === undefined || (there.state !== "up" && there.since >= time);
          if (time < Infinity && stood) return undefined;
          return `${way} was acknowledged and has not arrived.`;
        };
      },
    },
    {
      name: "no timer is early",
      inputs: [Rung],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Rung) && news.fact.at < news.fact.due - 0.001
            ? `${news.node} was rung at ${news.fact.at}, and was to be at ${news.fact.due}.`
            : undefined,
    },
    {
      name: "what was flushed is there",
      inputs: [Durable, Found],
      begin: () => {
        const durable = new Map<string, number>();
        return ({ news }) => {
          if (isReport(news, Durable))
            durable.set(news.node, Math.max(news.fact.count, durable.get(news.node) ?? 0));
          if (!isReport(news, Found)) return undefined;
          const flushed = durable.get(news.node) ?? 0;
          return news.fact.count < flushed
            ? `${news.node} found ${news.fact.count} records of ${flushed} that were flushed.`
            : undefined;
        };
      },
    },
    {
      name: "up and down take turns",
      inputs: [Connected],
      begin: () => {
        const ups = new Map<string, boolean>();
        return ({ news }) => {
          if (!isReport(news, Connected)) return undefined;
          const way = `${news.node}#${news.life} and ${news.fact.peer}`;
          const was = ups.get(way) ?? false;
          ups.set(way, news.fact.up);
          // One that was dialled in vain goes down without having been up.
          return was && news.fact.up ? `${way} came up twice.` : undefined;
        };
      },
    },
  ],
  sometimes: [
    {
      name: "a node finds what it had flushed",
      inputs: [Found],
      begin:
        () =>
        ({ news }) =>
          isReport(news, Found) && news.fact.count > 0,
    },
  ],
});
