/** A process with a manager on loopback, as its parent tells it to; it says how it is, and asks its store. */

import { run, type System } from "@kith/core";
import { bindAddress, real } from "@kith/node";
import { Get, type StoreAnswer } from "@kith/store";
import type { PeerManagerInit } from "./index.ts";
import { Process, put } from "./manager-kit.test.ts";

/** What the parent tells. */
export type ProcessOrder =
  | {
      readonly kind: "begin";
      readonly port: number;
      readonly peerId: number;
      readonly data: string;
      readonly init: PeerManagerInit;
    }
  | { readonly kind: "put"; readonly key: string; readonly value: string }
  | { readonly kind: "get"; readonly key: string }
  | { readonly kind: "view" }
  | { readonly kind: "stop" };

/** What it tells. */
export type ProcessTold =
  | { readonly kind: "up"; readonly port: number; readonly incarnation: number }
  | { readonly kind: "phase"; readonly phase: string; readonly failed: string | null }
  | { readonly kind: "answer"; readonly answer: string; readonly value: string | null }
  | { readonly kind: "view"; readonly groups: number; readonly applied: number };

let system: System<Process> | null = null;

function tell(what: ProcessTold): void {
  process.send?.(what);
}

async function until<T>(look: () => T | null | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== null && found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function asked(what: Get | ReturnType<typeof put>): Promise<StoreAnswer> {
  const asker = await until(() => system?.instance.askers.values().next().value);
  const before = asker.answers.length;
  asker.ask(what);
  return until(() => (asker.answers.length > before ? asker.answers.at(-1) : null));
}

async function obey(order: ProcessOrder): Promise<void> {
  if (order.kind === "begin") {
    const listen = await bindAddress("127.0.0.1", order.port);
    const { peerId, data, init } = order;
    const world = real({ listen, peerId, data, log: () => undefined });
    tell({ kind: "up", port: listen.port, incarnation: world.peer.incarnation });
    system = await run(Process, init, world);
    let told = "";
    setInterval(() => {
      const { last, failed } = system?.instance ?? {};
      const now = `${last?.phase} ${failed?.code}`;
      if (now !== told)
        tell({ kind: "phase", phase: last?.phase ?? "", failed: failed?.code ?? null });
      told = now;
    }, 20).unref();
  } else if (order.kind === "put") {
    const answer = await asked(put(order.key, order.value));
    tell({ kind: "answer", answer: answer.constructor.name, value: null });
  } else if (order.kind === "get") {
    const answer = await asked(new Get({ key: order.key, within: 30_000 }));
    const value =
      "entry" in answer &&
      typeof answer.entry === "object" &&
      answer.entry !== null &&
      "value" in answer.entry
        ? String(Buffer.from(answer.entry.value as Uint8Array))
        : null;
    tell({ kind: "answer", answer: answer.constructor.name, value });
  } else if (order.kind === "view") {
    system?.instance.look();
    const { here } = await until(() => system?.instance.seen);
    const groups = here.peers.flatMap((peer) => peer.groups);
    const applied = Math.min(...groups.map((group) => group.applied));
    tell({ kind: "view", groups: groups.length, applied });
  } else {
    await system?.stop();
    process.disconnect();
  }
}

process.on("message", (order: ProcessOrder) => void obey(order));
