/** What must hold for every provider of Store beyond single keys, one case each. */

import { bytesText, textBytes } from "@kith/paxos";
import { type Case, pass, type Script, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import {
  Aborted,
  Applied,
  Apply,
  Browse,
  Browsed,
  Commit,
  Committed,
  Entries,
  Get,
  NotDone,
  Read,
  Refused,
  Scan,
  type Seen,
  type StoreAnswer,
  Written,
  type Writing,
} from "../port.ts";
import type { StoreHarness, StoreUsingPeer } from "./harness.ts";
import { answerOf, found, foundAll, fresh, given, of, type Peers, put, serving } from "./steps.ts";

type H = StoreHarness<StoreUsingPeer>;
type Request = Parameters<StoreUsingPeer["ask"]>[1];

/** Asks at a process, and waits for the answer. */
function* asked(
  harness: H,
  peers: Peers<StoreUsingPeer>,
  index: number,
  request: Request,
): Generator<Wait, StoreAnswer, void> {
  const name = fresh(request.constructor.name);
  harness.enter(index, (peer) => peer.ask(name, request));
  yield until(
    `${name} is answered at ${index}`,
    () => peers.get(index)?.answers.has(name) === true,
    30_000,
  );
  return given(peers, index, name);
}

function writing(key: string, value: string | null): Writing {
  return value === null
    ? { key, write: { kind: "delete" } }
    : { key, write: { kind: "put", value: textBytes(value), expiry: "never" } };
}

function seen(answer: StoreAnswer): Seen[] {
  return of(Entries, answer).entries.map(({ key, version }) => ({ key, version }));
}

/** Keys that lie in as many groups as there are, wherever those begin. */
const spread = ["a", "h", "q", "x", "0", "Z", "\u0080", "\u00f0"];

/** The cases of the suite. */
export const storeCases: readonly Case<H>[] = [
  {
    name: "operations on a key are done in their order, and say what they did",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      const { updated } = of(
        Applied,
        yield* asked(
          harness,
          peers,
          3,
          new Apply({
            updates: [
              { kind: "put", key: "a", value: textBytes("4") },
              { kind: "add", key: "a", delta: -46n },
              { kind: "append", key: "a", value: textBytes("!") },
            ],
          }),
        ),
      );
      expect(updated[0]?.before).equal(null);
      expect(bytesText(updated[1]?.after ?? textBytes("none"))).equal("-42");
      expect(bytesText(updated[2]?.after ?? textBytes("none"))).equal("4");
      expect(found(yield* answerOf(harness, peers, 0, new Get({ key: "a" })))).equal("-42!");
    },
  },
  {
    name: "where one condition does not hold nothing is done, and it says which",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      of(Written, yield* answerOf(harness, peers, 0, put("a", "one")));
      const refused = of(
        Refused,
        yield* asked(
          harness,
          peers,
          3,
          new Apply({
            updates: [
              { kind: "put", key: "a", value: textBytes("two") },
              { kind: "check", key: "a", when: { kind: "absent" } },
            ],
          }),
        ),
      );
      expect([refused.at, refused.reason]).deep.equal([1, "condition"]);
      expect(found(yield* answerOf(harness, peers, 3, new Get({ key: "a" })))).equal("one");
      const refusals: [Request, string][] = [
        [new Apply({ updates: [{ kind: "add", key: "a", delta: 1n }] }), "not-an-integer"],
        [
          new Apply({
            updates: [
              {
                kind: "put",
                key: "a",
                value: textBytes("x"),
                when: { kind: "version", version: 1e9 },
              },
            ],
          }),
          "condition",
        ],
      ];
      for (const [request, reason] of refusals)
        expect(of(Refused, yield* asked(harness, peers, 3, request)).reason).equal(reason);
    },
  },
  {
    name: "increments from everywhere are each done once",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      const names = Array.from({ length: 40 }, (_, n) => [n % 4, fresh("add")] as const);
      for (const [index, name] of names)
        harness.enter(index, (peer) =>
          peer.ask(name, new Apply({ updates: [{ kind: "add", key: "n", delta: 1n }] })),
        );
      yield until(
        "all increments are answered",
        () => names.every(([index, name]) => peers.get(index)?.answers.has(name) === true),
        60_000,
      );
      const after = names.map(([index, name]) =>
        bytesText(of(Applied, given(peers, index, name)).updated[0]?.after ?? textBytes("")),
      );
      expect(new Set(after).size).equal(40);
      expect(found(yield* answerOf(harness, peers, 0, new Get({ key: "n" })))).equal("40");
    },
  },
  {
    name: "keys of several groups are written at one instant, and read so",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      const writes = spread.map((key) => writing(key, `of ${key}`));
      of(Committed, yield* asked(harness, peers, 3, new Commit({ reads: [], writes })));
      const read = yield* asked(harness, peers, 0, new Read({ keys: spread }));
      expect(foundAll(read)).deep.equal(spread.map((key) => `of ${key}`));
      const apart = yield* asked(harness, peers, 1, new Read({ keys: spread, apart: true }));
      expect(foundAll(apart)).deep.equal(spread.map((key) => `of ${key}`));
    },
  },
  {
    name: "a transaction that has read what is no more is aborted, and writes nothing",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      const reads = seen(yield* asked(harness, peers, 3, new Read({ keys: ["a", "q"] })));
      of(Written, yield* answerOf(harness, peers, 0, put("q", "meanwhile")));
      const writes = [writing("a", "mine"), writing("x", "mine")];
      of(Aborted, yield* asked(harness, peers, 3, new Commit({ reads, writes })));
      const now = yield* asked(harness, peers, 3, new Read({ keys: ["a", "q", "x"] }));
      expect(foundAll(now)).deep.equal([null, "meanwhile", null]);
      const again = seen(now).slice(0, 2);
      of(Committed, yield* asked(harness, peers, 3, new Commit({ reads: again, writes })));
    },
  },
  {
    name: "a key that was deleted and written again is not what was read",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      of(Written, yield* answerOf(harness, peers, 0, put("a", "one")));
      const reads = seen(yield* asked(harness, peers, 3, new Read({ keys: ["a"] })));
      of(
        Committed,
        yield* asked(harness, peers, 0, new Commit({ reads: [], writes: [writing("a", null)] })),
      );
      of(Written, yield* answerOf(harness, peers, 0, put("a", "one")));
      const writes = [writing("q", "x")];
      of(Aborted, yield* asked(harness, peers, 3, new Commit({ reads, writes })));
    },
  },
  {
    name: "a transaction that only reads is committed where all of it still holds",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      of(Written, yield* answerOf(harness, peers, 0, put("a", "one")));
      const reads = seen(yield* asked(harness, peers, 3, new Read({ keys: spread })));
      of(Committed, yield* asked(harness, peers, 3, new Commit({ reads, writes: [] })));
      of(Written, yield* answerOf(harness, peers, 0, put("a", "two")));
      of(Aborted, yield* asked(harness, peers, 3, new Commit({ reads, writes: [] })));
    },
  },
  {
    name: "transactions that are in each other's way come through in the end, each once",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      const keys = ["a", "x"];
      for (let round = 0; round < 6; round++) {
        const index = round % 4;
        for (let tries = 0; ; tries++) {
          const other = (index + 1) % 4;
          const mine = yield* asked(harness, peers, index, new Read({ keys, apart: true }));
          const writes = keys.map((key, i) =>
            writing(key, `${Number(foundAll(mine)[i] ?? "0") + 1}`),
          );
          // The first try of each round is overtaken.
          if (tries === 0)
            of(
              Committed,
              yield* asked(harness, peers, other, new Commit({ reads: seen(mine), writes })),
            );
          const end = yield* asked(
            harness,
            peers,
            index,
            new Commit({ reads: seen(mine), writes }),
          );
          if (end instanceof Committed) break;
          of(Aborted, end);
          expect(tries).below(20);
        }
      }
      const sums = foundAll(yield* asked(harness, peers, 0, new Read({ keys })));
      expect(sums).deep.equal(["12", "12"]);
    },
  },
  {
    name: "operations on keys of several groups are scattered, and nothing is done",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      const updates = spread.map((key) => ({ kind: "put", key, value: textBytes("x") }) as const);
      const answer = yield* asked(harness, peers, 3, new Apply({ updates }));
      // With one group there is nothing to scatter.
      if (answer instanceof Applied) return;
      expect(of(NotDone, answer).reason).equal("scattered");
      const read = yield* asked(harness, peers, 3, new Read({ keys: spread }));
      expect(new Set(foundAll(read))).deep.equal(new Set([null]));
    },
  },
  {
    name: "a key expires after its time, and not before",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      const update = { kind: "put", key: "a", value: textBytes("x"), expiry: 3000 } as const;
      of(Applied, yield* asked(harness, peers, 3, new Apply({ updates: [update] })));
      expect(found(yield* answerOf(harness, peers, 0, new Get({ key: "a" })))).equal("x");
      for (let waited = 0; ; waited += 500) {
        const answer = yield* answerOf(harness, peers, 0, new Get({ key: "a" }));
        if (found(answer) === null) break;
        expect(waited).below(30_000);
        yield pass(500);
      }
    },
  },
  {
    name: "keys are scanned in their order, or it is said that they have none",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      const writes = spread.map((key) => writing(key, key));
      of(Committed, yield* asked(harness, peers, 3, new Commit({ reads: [], writes })));
      const first = yield* asked(harness, peers, 3, new Scan({ from: "", to: null, limit: 3 }));
      if (first instanceof Refused) return void expect(first.reason).equal("hashed");
      const keys: string[] = [];
      for (let page = of(Entries, first); ;) {
        keys.push(...page.entries.map(({ key }) => key));
        if (page.next === null) break;
        const next = new Scan({ from: page.next, to: null, limit: 3 });
        page = of(Entries, yield* asked(harness, peers, 3, next));
      }
      expect(keys).deep.equal(spread.toSorted());
      const part = yield* asked(harness, peers, 0, new Scan({ from: "a", to: "q" }));
      expect(of(Entries, part).entries.map(({ key }) => key)).deep.equal(["a", "h"]);
      return undefined;
    },
  },
  {
    name: "all keys are met once, page by page, however they are spread",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      // Some begin with the same six bytes: of ordered keys those must not be torn apart.
      const like = Array.from({ length: 7 }, (_, n) => `prefix${n}`);
      const all = [...spread, ...like, "prefix", "p"];
      const writes = all.map((key) => writing(key, key));
      of(Committed, yield* asked(harness, peers, 3, new Commit({ reads: [], writes })));
      for (const limit of [1, 2, 3, 100]) {
        const met: string[] = [];
        for (let from: number | null = 0, n = 0; from !== null; n++) {
          // Each page may be read elsewhere.
          const page: Browsed = of(
            Browsed,
            yield* asked(harness, peers, n % 4, new Browse({ from, limit })),
          );
          met.push(...page.keys);
          if (page.next !== null) expect(page.next).above(from);
          from = page.next;
        }
        expect(met.toSorted()).deep.equal(all.toSorted());
      }
      for (const from of [-1, 0.5, 2 ** 48])
        expect(of(Refused, yield* asked(harness, peers, 0, new Browse({ from }))).reason).equal(
          "no-place",
        );
      const end = yield* asked(harness, peers, 0, new Browse({ from: 2 ** 48 - 1 }));
      expect(of(Browsed, end)).deep.equal(new Browsed({ keys: [], next: null }));
    },
  },
  {
    name: "too many keys are refused",
    run: function* (harness): Script {
      const peers = yield* serving(harness);
      const keys = Array.from({ length: 5000 }, (_, n) => `k${n}`);
      const answer = yield* asked(harness, peers, 3, new Read({ keys }));
      expect(of(Refused, answer).reason).equal("too-many-keys");
    },
  },
];
