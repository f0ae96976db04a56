import { expect } from "chai";
import fc from "fast-check";
import { always } from "./engine.ts";
import { Heap, type Scheduled } from "./heap.ts";
import { ReadyTurns } from "./ready.ts";

interface One extends Scheduled {
  readonly id: number;
  readonly micros: number;
  readonly tie: number;
}

/** Adds one, cancels the one of that number, or takes the first. */
const step = fc.oneof(
  fc.record({ micros: fc.nat(5), tie: fc.nat(2) }),
  fc.record({ cancel: fc.nat(300) }),
  fc.constant("take" as const),
);

/** By time, draw and the order of insertion, as a list that is sorted each time. */
const sorted = (all: readonly One[]): One[] =>
  all.toSorted((a, b) => a.micros - b.micros || a.tie - b.tie || a.id - b.id);

describe("the queue of what is due", () => {
  it("gives it in the order of time, draw and insertion, and nothing that was cancelled", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const heap = new Heap<One>();
        const all: One[] = [];
        let model: One[] = [];
        for (const one of steps) {
          if (one === "take") {
            const [first] = sorted(model);
            expect(heap.firstMicros).to.equal(first?.micros ?? Infinity);
            if (first !== undefined) expect(heap.firstTie).to.equal(first.tie);
            expect(first === undefined ? undefined : heap.take()).to.equal(first);
            model = model.filter((other) => other !== first);
          } else if ("cancel" in one) {
            const chosen = all[one.cancel % Math.max(1, all.length)];
            if (chosen === undefined) continue;
            heap.cancel(chosen);
            model = model.filter((other) => other !== chosen);
          } else {
            const added = { id: all.length, queued: false, cancelled: false, ...one };
            all.push(added);
            model.push(added);
            heap.add(one.micros, one.tie, added);
          }
        }
        expect(heap.entries().map(({ entry }) => entry)).to.deep.equal(model);
        expect(heap.size)
          .to.be.at.least(model.length)
          .and.at.most(2 * model.length + 64);
      }),
    );
  });

  it("takes again what has left it", () => {
    const heap = new Heap<Scheduled>();
    const one = { queued: false, cancelled: false };
    for (const micros of [3, 7]) {
      heap.add(micros, 0, one);
      expect([one.queued, heap.firstMicros, heap.take(), one.queued]).to.deep.equal([
        true,
        micros,
        one,
        false,
      ]);
    }
    // Cancelled outside of the heap, it does not count there.
    heap.cancel(one);
    heap.add(9, 0, { queued: false, cancelled: false });
    expect(heap.firstMicros).to.equal(9);
  });
});

describe("the turns that are due", () => {
  it("come in the order of their draws and then of their coming", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(3)), { maxLength: 400 }), (steps) => {
        const turns = new ReadyTurns();
        let model: { readonly path: string; readonly tie: number }[] = [];
        for (const [id, tie] of steps.entries()) {
          if (tie === null) {
            const first = model.toSorted(
              (a, b) => a.tie - b.tie || Number(a.path) - Number(b.path),
            )[0];
            expect(turns.take()?.path).to.equal(first?.path);
            model = model.filter((one) => one !== first);
          } else {
            turns.add(always, { path: String(id), slot: null, run: () => false }, tie);
            model.push({ path: String(id), tie });
          }
        }
        const left = turns.entries().map(({ runnable, tie }) => ({ path: runnable.path, tie }));
        expect(left).to.deep.equal(model);
      }),
    );
  });
});
