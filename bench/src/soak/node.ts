/**
 * One process of the soak: messages of 100 bytes to the others at a steady rate, each answered; a log that
 * is appended to and cut; timers that are armed and cancelled. Prints a line of JSON about its memory.
 */

import { parseArgs } from "node:util";
import {
  CancelTimeout,
  Component,
  run,
  SchedulePeriodic,
  ScheduleTimeout,
  timeout,
  Timer,
} from "@kith/core";
import {
  ConnectionDown,
  ConnectionUp,
  Dropped,
  message,
  Network,
  NetworkDrained,
  NetworkFull,
  parseAddress,
  type PeerRef,
} from "@kith/network";
import { real, stopOnSignals } from "@kith/node";
import { Storage, StorageFailed, Write } from "@kith/storage";

class Beat extends timeout("soak/Beat") {}
class Patience extends timeout("soak/Patience") {}
class Question extends message("soak/Question")<{ readonly n: number; readonly text: string }> {}
class Answer extends message("soak/Answer")<{ readonly n: number; readonly text: string }> {}

interface SoakInit {
  readonly others: readonly string[];
  /** Questions per second. */
  readonly rate: number;
}

const beatMs = 10;
const kept = 10_000;
const text = "x".repeat(100);

class Soak extends Component {
  readonly timer = this.requires(Timer);
  readonly net = this.requires(Network);
  readonly storage = this.requires(Storage);
  readonly counts = { asked: 0, answered: 0, late: 0, dropped: 0, flushed: 0, connections: 0 };
  readonly #peers = new Map<string, PeerRef>();
  readonly #whom = this.random("whom");
  #last = 0;
  readonly #write = this.storage.onAnswer(Write, (answer) => {
    if (answer instanceof StorageFailed) throw new Error(`${answer.code}: ${answer.detail}`);
    this.counts.flushed++;
  });

  constructor({ others, rate }: SoakInit) {
    super();
    const { counts } = this;
    for (const address of others)
      this.#peers.set(address, { ...parseAddress(address), peerId: 0, incarnation: 0 });
    this.timer.on(Beat, () => {
      for (let i = 0; i < (rate * beatMs) / 1000; i++) this.#ask();
      const record = new TextEncoder().encode(text);
      const index = ++this.#last;
      this.#write(
        new Write({
          namespace: "soak",
          operations: [
            ...(index === 1 ? [{ kind: "drop" } as const] : []),
            { kind: "append", index, record },
            ...(index > kept && index % 1000 === 0
              ? [{ kind: "cut", to: index - kept } as const]
              : []),
            { kind: "put", key: record.subarray(0, 1 + (index % 50)), value: record },
          ],
        }),
      );
    });
    this.timer.on(Patience, () => void counts.late++);
    this.net.on(Question, ({ from, n }) => this.net.trigger(new Answer({ to: from, n, text })));
    this.net.on(Answer, ({ n }) => {
      counts.answered++;
      this.timer.trigger(new CancelTimeout({ id: n }));
    });
    this.net.on(ConnectionUp, ({ peer }) => {
      counts.connections++;
      this.#peers.set(`${peer.host}:${peer.port}`, peer);
    });
    this.net.on(ConnectionDown, () => undefined);
    this.net.on(NetworkFull, () => undefined);
    this.net.on(NetworkDrained, () => undefined);
    this.net.on(Dropped, () => void counts.dropped++);
    this.onStart(() =>
      this.timer.trigger(new SchedulePeriodic({ period: beatMs, timeout: new Beat() })),
    );
  }

  #ask(): void {
    const n = ++this.counts.asked;
    this.net.trigger(new Question({ to: this.#whom.pick([...this.#peers.values()]), n, text }));
    this.timer.trigger(new ScheduleTimeout({ delay: 5000, timeout: new Patience(), id: n }));
  }
}

const { values } = parseArgs({
  options: {
    listen: { type: "string", default: "" },
    data: { type: "string", default: "" },
    others: { type: "string", default: "" },
    rate: { type: "string", default: "1000" },
    every: { type: "string", default: "10" },
  },
});
const { listen, data } = values;
const init = { others: values.others.split(","), rate: Number(values.rate) };
const system = await run(Soak, init, real({ listen, data, log: () => undefined }));
stopOnSignals(system, { log: () => undefined });
const report = setInterval(
  () => {
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    const cpu = process.cpuUsage();
    const cpuMs = Math.round((cpu.user + cpu.system) / 1000);
    console.log(JSON.stringify({ rss, heapUsed, external, cpuMs, ...system.instance.counts }));
  },
  Number(values.every) * 1000,
);
await system.done.finally(() => clearInterval(report));
