import type { ReplyToken } from "@kith/core";
import { expect } from "chai";
import fc from "fast-check";
import { message, type PeerRef } from "../index.ts";
import type { Delivery } from "../port.ts";
import { readBatch } from "./batch.ts";
import { SendQueue, type Waiting } from "./send-queue.ts";

class Thing extends message("send-queue/Thing") {}

const to: PeerRef = { peerId: 1, host: "h", port: 1, incarnation: 1 };
const limits = { queueMessagesMax: 40, queueBytesMax: 2000, batchBytes: 500 };

function waiting(n: number, until: "sent" | "acknowledged" | null): Waiting {
  const token = { n } as unknown as ReplyToken<Delivery>;
  return {
    message: new Thing({ to }),
    wanted: until === "acknowledged",
    asked: until === null ? null : { token, until },
  };
}

function bytesOf(n: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(n);
}

describe("a send queue", () => {
  it("is first in first out, bounded, and takes turns with full and drained, whatever is done", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("push" as const),
        length: fc.integer({ min: 1, max: 300 }),
        until: fc.constantFrom(null, "sent" as const, "acknowledged" as const),
      }),
      fc.record({ kind: fc.constant("batch" as const) }),
      fc.record({ kind: fc.constant("receipt" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new SendQueue(limits);
        const pushed: number[] = [];
        const left: number[] = [];
        let next = 0;
        let marks = "";
        for (const one of steps) {
          if (one.kind === "push") {
            const n = next++ % 256;
            if (queue.push(waiting(n, one.until), bytesOf(n, one.length))) pushed.push(n);
          } else if (one.kind === "receipt") queue.takeOpen();
          else {
            const before = queue.length;
            readBatch(
              queue.batch([], () => undefined),
              {
                message: (bytes) => left.push(bytes[0] ?? -1),
                receipt: () => undefined,
                bye: () => undefined,
              },
            );
            if (before > 0) expect(queue.length).to.be.below(before);
          }
          marks += queue.mark() ?? "";
          expect(queue.length + queue.openLength).to.be.at.most(limits.queueMessagesMax);
          expect(queue.bytes).to.be.at.most(limits.queueBytesMax);
          expect(left.length + queue.length).to.equal(pushed.length);
        }
        expect(left).to.deep.equal(pushed.slice(0, left.length));
        expect(marks).to.match(/^(fulldrained)*(full)?$/);
      }),
    );
  });

  it("takes one message of any length where it is empty", () => {
    const queue = new SendQueue(limits);
    expect(queue.push(waiting(1, null), bytesOf(1, 10_000))).to.equal(true);
    expect(queue.push(waiting(2, null), bytesOf(2, 1))).to.equal(false);
  });

  it("counts deliveries that are open as waiting", () => {
    const queue = new SendQueue(limits);
    for (let n = 0; n < 40; n++)
      expect(queue.push(waiting(n, "acknowledged"), bytesOf(n, 1))).to.equal(true);
    queue.batch([], () => undefined);
    expect(queue.length).to.equal(0);
    expect(queue.push(waiting(1, null), bytesOf(1, 1))).to.equal(false);
    queue.takeOpen();
    expect(queue.push(waiting(1, null), bytesOf(1, 1))).to.equal(true);
  });
});
