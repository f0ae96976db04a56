/** Somebody at a node who watches keys, and says what it was told. */

import { Component } from "@kith/core";
import { bytesText } from "@kith/paxos";
import { Workload } from "@kith/sim/scenario";
import { Changes, covers, positionOf, Resync, Store, Watch } from "../src/index.ts";
import { type Left, Told } from "./facts.ts";
import { counter, fleeting, fleetingPrefix } from "./keys.ts";

/** So many nodes have one: the first of them. */
export const onlookers = 2;

/** By the name of the watch. */
const watched: Readonly<Record<string, readonly string[]>> = {
  fleeting,
  counter: [counter],
};

/** Watches keys. */
export class Onlooker extends Component {
  readonly store = this.requires(Store);
  readonly workload = this.requires(Workload);

  constructor({ ordered }: { readonly ordered: boolean }) {
    super();
    this.store.on(Changes, ({ changes }) => {
      const left = changes.map((one): Left => ({ ...one, value: textOf(one.value) }));
      this.workload.trigger(new Told({ anew: false, left }));
    });
    this.store.on(Resync, ({ watch, entries, lo, hi }) => {
      const there = new Map(entries.map((one) => [one.key, one]));
      const left = (watched[watch] ?? [])
        .filter((key) => covers({ lo, hi }, positionOf(key, ordered)))
        .map((key): Left => {
          const { version = 0, value = null } = there.get(key) ?? {};
          return { key, version, value: textOf(value) };
        });
      this.workload.trigger(new Told({ anew: true, left }));
    });
    this.onStart(() => {
      this.store.trigger(new Watch({ watch: "fleeting", what: { prefix: fleetingPrefix } }));
      this.store.trigger(new Watch({ watch: "counter", what: { key: counter } }));
    });
  }
}

function textOf(value: Uint8Array | null): string | null {
  return value === null ? null : bytesText(value);
}
