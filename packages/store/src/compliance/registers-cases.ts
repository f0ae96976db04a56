/** What must hold for every provider of Registers, one case each. */

import { type Case, type Script, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import { Ambiguous, Busy, Delete, Get, Got, NotDone, Put, Refused, Written } from "../port.ts";
import { keyBytesMax, valueBytesMax } from "../position.ts";
import type { StoreHarness } from "./harness.ts";
import {
  answeredAll,
  answerOf,
  found,
  fresh,
  given,
  of,
  put,
  type Peers,
  serving,
  type SinglePeer,
  written,
} from "./steps.ts";

/** The cases of single keys: also those of Store, whose peers can be asked the same. */
export function singleCases<P extends SinglePeer>(): readonly Case<StoreHarness<P>>[] {
  type H = StoreHarness<P>;

  const read = (
    harness: H,
    peers: Peers<P>,
    at: number,
    key: string,
  ): Generator<Wait, string | null, void> =>
    (function* () {
      return found(yield* answerOf(harness, peers, at, new Get({ key })));
    })();

  return [
    {
      name: "a key that nobody has written is absent",
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        const { entry } = of(Got, yield* answerOf(harness, peers, 0, new Get({ key: "a" })));
        expect(entry).deep.equal({ key: "a", value: null, version: 0, expiresIn: null });
      },
    },
    {
      name: "what one writes all others read, with its version",
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        const version = written(yield* answerOf(harness, peers, 3, put("a", "one")));
        for (const at of [0, 1, 2, 3]) {
          const { entry } = of(Got, yield* answerOf(harness, peers, at, new Get({ key: "a" })));
          expect(entry.version).equal(version);
          expect(yield* read(harness, peers, at, "a")).equal("one");
        }
      },
    },
    {
      name: "another write leaves another version",
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        const versions = new Set<number>();
        for (let n = 0; n < 5; n++)
          versions.add(written(yield* answerOf(harness, peers, n % 4, put("a", "same"))));
        expect(versions.size).equal(5);
      },
    },
    {
      name: "what is deleted is absent, and deleting nothing is done",
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        of(Written, yield* answerOf(harness, peers, 0, new Delete({ key: "a" })));
        of(Written, yield* answerOf(harness, peers, 0, put("a", "one")));
        of(Written, yield* answerOf(harness, peers, 1, new Delete({ key: "a" })));
        const { entry } = of(Got, yield* answerOf(harness, peers, 2, new Get({ key: "a" })));
        expect(entry).deep.equal({ key: "a", value: null, version: 0, expiresIn: null });
        of(Written, yield* answerOf(harness, peers, 2, put("a", "again")));
        expect(yield* read(harness, peers, 0, "a")).equal("again");
      },
    },
    {
      name: "keys and values are bytes, up to their bounds",
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        const keys = [
          "",
          "\u0000\u00ff",
          "k".repeat(keyBytesMax),
          `${"k".repeat(keyBytesMax - 1)}l`,
        ];
        for (const [n, key] of keys.entries())
          of(Written, yield* answerOf(harness, peers, n, put(key, `of ${n}`)));
        for (const [n, key] of keys.entries())
          expect(yield* read(harness, peers, 3 - n, key)).equal(`of ${n}`);
        for (const length of [0, valueBytesMax]) {
          const value = new Uint8Array(length).fill(7);
          of(Written, yield* answerOf(harness, peers, 0, new Put({ key: "v", value })));
          const { entry } = of(Got, yield* answerOf(harness, peers, 3, new Get({ key: "v" })));
          expect(entry.value?.length).equal(length);
        }
      },
    },
    {
      name: "what is beyond the bounds is refused, and changes nothing",
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        const long = "k".repeat(keyBytesMax + 1);
        const refusals: [Get | Put | Delete, string][] = [
          [new Get({ key: long }), "key-too-long"],
          [put(long, "x"), "key-too-long"],
          [new Delete({ key: "\u0100" }), "key-no-octets"],
          [new Put({ key: "v", value: new Uint8Array(valueBytesMax + 1) }), "too-large"],
        ];
        for (const [request, reason] of refusals)
          expect(of(Refused, yield* answerOf(harness, peers, 0, request)).reason).equal(reason);
        expect(yield* read(harness, peers, 0, "v")).equal(null);
      },
    },
    {
      name: "many keys are written at once, each for itself",
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        const asked: [number, string][] = [];
        for (let n = 0; n < 60; n++) {
          const name = fresh("put");
          asked.push([n % 4, name]);
          harness.enter(n % 4, (peer) => peer.ask(name, put(`k${n}`, `${n}`)));
        }
        yield answeredAll(peers, asked);
        for (const [index, name] of asked) of(Written, given(peers, index, name));
        for (let n = 0; n < 60; n += 7)
          expect(yield* read(harness, peers, (n + 1) % 4, `k${n}`)).equal(`${n}`);
      },
    },
    {
      name: "of writes that race one wins, for all readers",
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        const asked: [number, string][] = [];
        for (let n = 0; n < 20; n++) {
          const name = fresh("put");
          asked.push([n % 4, name]);
          harness.enter(n % 4, (peer) => peer.ask(name, put("a", `${n}`)));
        }
        yield answeredAll(peers, asked);
        const first = yield* read(harness, peers, 0, "a");
        expect(first).match(/^\d+$/);
        for (const at of [1, 2, 3, 0]) expect(yield* read(harness, peers, at, "a")).equal(first);
      },
    },
    {
      name: "what is too much is busy at once, and the rest is done",
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        const names = Array.from({ length: 1200 }, () => fresh("get"));
        harness.enter(3, (peer) => {
          for (const name of names) peer.ask(name, new Get({ key: "a" }));
        });
        yield answeredAll(
          peers,
          names.map((name) => [3, name] as const),
        );
        const answers = names.map((name) => given(peers, 3, name));
        const busy = answers.filter((answer) => answer instanceof Busy).length;
        const got = answers.filter((answer) => answer instanceof Got).length;
        expect(busy).greaterThan(0);
        expect(busy + got).equal(names.length);
        expect(yield* read(harness, peers, 3, "a")).equal(null);
      },
    },
    {
      name: "one holder that is gone stops nothing",
      applies: ({ crash }) => crash !== undefined,
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        of(Written, yield* answerOf(harness, peers, 0, put("a", "before")));
        harness.crash?.(1);
        expect(yield* read(harness, peers, 3, "a")).equal("before");
        of(Written, yield* answerOf(harness, peers, 3, put("a", "after")));
        expect(yield* read(harness, peers, 2, "a")).equal("after");
      },
    },
    {
      name: "without a majority nothing is done and that is said, and with it all goes on",
      applies: ({ isolate, mend }) => isolate !== undefined && mend !== undefined,
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        of(Written, yield* answerOf(harness, peers, 3, put("a", "before")));
        harness.isolate?.(1, 2);
        const get = yield* answerOf(harness, peers, 3, new Get({ key: "a", within: 2000 }));
        expect(get).instanceOf(NotDone);
        const write = yield* answerOf(harness, peers, 3, put("a", "perhaps", 2000));
        expect(
          write instanceof NotDone || write instanceof Ambiguous,
          write.constructor.name,
        ).equal(true);
        harness.mend?.();
        const again = yield* serving(harness);
        expect(["before", "perhaps"]).include(yield* read(harness, again, 3, "a"));
        of(Written, yield* answerOf(harness, again, 3, put("a", "after")));
        for (const at of [0, 1, 2]) expect(yield* read(harness, again, at, "a")).equal("after");
      },
    },
    {
      name: "what was written is there after all have crashed",
      applies: ({ crash, restart }) => crash !== undefined && restart !== undefined,
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        for (let n = 0; n < 10; n++)
          of(Written, yield* answerOf(harness, peers, n % 4, put(`k${n}`, `${n}`)));
        of(Written, yield* answerOf(harness, peers, 0, new Delete({ key: "k3" })));
        for (const index of [0, 1, 2, 3]) harness.crash?.(index);
        for (const index of [0, 1, 2, 3]) harness.restart?.(index);
        const again = yield* serving(harness);
        for (let n = 0; n < 10; n++)
          expect(yield* read(harness, again, n % 4, `k${n}`)).equal(n === 3 ? null : `${n}`);
      },
    },
    {
      name: "a provider is replaced in the middle of its operations",
      applies: ({ swap }) => swap !== undefined,
      run: function* (harness): Script {
        const peers = yield* serving(harness);
        const asked: [number, string][] = [];
        for (let n = 0; n < 24; n++) {
          const name = fresh("put");
          asked.push([n % 4, name]);
          harness.enter(n % 4, (peer) => peer.ask(name, put(`k${n % 6}`, `${n}`)));
          if (n % 3 === 0) harness.swap?.(n % 4);
        }
        yield answeredAll(peers, asked);
        for (const [index, name] of asked) of(Written, given(peers, index, name));
        for (let key = 0; key < 6; key++) {
          const value = Number(yield* read(harness, peers, key % 4, `k${key}`));
          expect(value % 6).equal(key);
        }
      },
    },
  ];
}
