/**
 * Messages of 100 bytes between two processes on loopback, as design.md §7 and issue 4 name them: one way as fast as they
 * go, and round trips one after another. What Kith is measured against does the same through the same codec on bare
 * sockets, with the same framing (aim: at least 80 % of its rate) and with a write for each message.
 */

import { type ChildProcess, fork } from "node:child_process";
import type { System } from "@kith/core";
import type { Case } from "../harness.ts";
import { median } from "../harness.ts";
import { startTalker, type Talker } from "./node.ts";
import { body, codec, Data, dial, Echo, type End, peerAt, type Way } from "./wire.ts";

const burst = 500;
const windowBytes = 512 * 1024;

/** The other process. */
class Other {
  readonly #process: ChildProcess;
  readonly #said: object[] = [];
  #heard: (() => void) | null = null;
  readonly cpuNs: number[] = [];

  constructor(way: string) {
    const file = import.meta.url.endsWith(".ts") ? "peer.ts" : "peer.js";
    this.#process = fork(new URL(file, import.meta.url), [way]);
    this.#process.on("message", (said: object) => {
      this.#said.push(said);
      this.#heard?.();
    });
    this.#process.unref();
    this.#process.channel?.unref();
  }

  async #next(): Promise<object> {
    this.#process.channel?.ref();
    while (this.#said.length === 0) await new Promise<void>((resolve) => (this.#heard = resolve));
    this.#process.channel?.unref();
    return this.#said.shift() ?? {};
  }

  async port(): Promise<number> {
    const said = await this.#next();
    return "port" in said ? Number(said.port) : 0;
  }

  async begin(last: number, echoes: boolean): Promise<void> {
    this.#process.send({ last, echoes });
    await this.#next();
  }

  async finished(count: number): Promise<void> {
    const said = await this.#next();
    this.cpuNs.push("cpuMicros" in said ? (Number(said.cpuMicros) * 1000) / count : 0);
  }

  facts(): Record<string, number> {
    return this.cpuNs.length === 0
      ? {}
      : { "CPU ns of the receiver": Math.round(median(this.cpuNs)) };
  }

  close(): void {
    this.#process.disconnect();
  }
}

function bare(way: Way, echoes: boolean, count: number): Case {
  let other: Other;
  let end: End;
  let answered: (n: number) => void = () => undefined;
  const self = peerAt(1, 9);
  const to = peerAt(2, 9);
  const frame = (n: number): Uint8Array => codec.encode(new Data({ to, n, body }), self);
  return {
    unit: echoes ? "round trip" : "message",
    count,
    rounds: 5,
    prepare: async () => {
      other = new Other(way);
      end = await dial(way, await other.port(), (bytes) => {
        const echo = codec.decode(bytes);
        if (echo instanceof Echo) answered(echo.n);
      });
    },
    run: async (total) => {
      await other.begin(total, echoes);
      if (echoes) {
        await new Promise<void>((resolve) => {
          answered = (n) => {
            if (n === total) resolve();
            else end.send([frame(n + 1)]);
          };
          end.send([frame(1)]);
        });
        return;
      }
      let next = 1;
      const send = (): void => {
        if (end.waiting < windowBytes) {
          const frames: Uint8Array[] = [];
          for (let i = 0; i < burst && next <= total; i++) frames.push(frame(next++));
          end.send(frames);
        }
        if (next <= total) setImmediate(send);
      };
      send();
      await other.finished(total);
    },
    facts: () => {
      end.close();
      other.close();
      return other.facts();
    },
  };
}

function kith(echoes: boolean, count: number): Case {
  let other: Other;
  let system: System<Talker>;
  let port = 0;
  return {
    unit: echoes ? "round trip" : "message",
    count,
    rounds: 5,
    prepare: async () => {
      other = new Other("kith");
      port = await other.port();
      ({ system } = await startTalker(1));
    },
    run: async (total) => {
      await other.begin(total, echoes);
      const talker = system.instance;
      if (echoes) {
        await new Promise<void>((resolve) => {
          talker.finished = resolve;
          talker.ping(peerAt(2, port), total);
        });
      } else {
        talker.stream(peerAt(2, port), total);
        await other.finished(total);
      }
    },
    facts: () => {
      void system.stop();
      other.close();
      return other.facts();
    },
  };
}

/** The suites of the network. */
export const networkSuites: Readonly<Record<string, Readonly<Record<string, Case>>>> = {
  "network stream": {
    "bare ws, same codec and framing": bare("batched", false, 100_000),
    "Network on ws": kith(false, 100_000),
    "bare ws, a message per write": bare("single", false, 50_000),
    "bare TCP, a message per write": bare("tcp", false, 50_000),
  },
  "network round trip": {
    "bare ws, same codec and framing": bare("batched", true, 5000),
    "Network on ws": kith(true, 5000),
    "bare ws, a message per write": bare("single", true, 5000),
    "bare TCP, a message per write": bare("tcp", true, 5000),
  },
};
