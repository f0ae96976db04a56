/** The other process of a case: `node peer.js WAY`. It listens, counts or answers, and says what CPU time it took. */

import { cpuUsage } from "node:process";
import { startTalker } from "./node.ts";
import { codec, Data, Echo, peerAt, serve, type Way } from "./wire.ts";

/** What the case tells it. */
export interface Order {
  readonly last: number;
  readonly echoes: boolean;
}

const [way = "kith"] = process.argv.slice(2);
let order: Order = { last: 0, echoes: false };
let begin = cpuUsage();
const self = peerAt(2, 1);

function tell(content: object): void {
  process.send?.(content);
}

function finished(): void {
  const { user, system } = cpuUsage(begin);
  tell({ cpuMicros: user + system });
}

if (way === "kith") {
  const { system, self: me } = await startTalker(2);
  system.instance.finished = finished;
  process.on("message", (next: Order) => {
    system.instance.echoes = next.echoes;
    system.instance.expect(next.last);
    begin = cpuUsage();
    tell({ ready: true });
  });
  tell({ port: me.port });
} else {
  const found: Way = way === "tcp" ? "tcp" : way === "single" ? "single" : "batched";
  // What is answered in one turn leaves together, as in the Network.
  const answers: Uint8Array[] = [];
  const port = await serve(found, (frame, end) => {
    const data = codec.decode(frame);
    if (!(data instanceof Data)) return;
    if (order.echoes) {
      const { from: to, n, body } = data;
      answers.push(codec.encode(new Echo({ to, n, body }), self));
      if (answers.length === 1) queueMicrotask(() => end().send(answers.splice(0)));
    } else if (data.n === order.last) finished();
  });
  process.on("message", (next: Order) => {
    order = next;
    begin = cpuUsage();
    tell({ ready: true });
  });
  tell({ port });
}
process.on("disconnect", () => process.exit());
