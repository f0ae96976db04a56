/** The component of a member of the store on quorums: what it is asked for and cannot be. */

import { AskTimeout, Component } from "@kith/core";
import { simulate } from "@kith/sim";
import { expect } from "chai";
import { AbdReplica } from "./abd-replica.ts";
import type { View, ViewChange } from "./view.ts";
import { ChangeView, ListViews, Views } from "./views-port.ts";

const members = [{ peerId: 1, host: "n1", port: 7000 }];
const view: View = { rid: "r", version: 1, lo: "b", hi: null, members };

class Node extends Component {
  readonly views = this.requires(Views);
  readonly replica = this.create(AbdReplica, { views: [view] }, { name: "replica" });
  readonly told: unknown[] = [];
  readonly #change = this.views.onAnswer(ChangeView, (answer) => {
    if (!(answer instanceof AskTimeout)) this.told.push(answer.next.length);
  });
  readonly #list = this.views.onAnswer(ListViews, (answer) => {
    if (!(answer instanceof AskTimeout)) this.told.push(answer.views.map(({ rid }) => rid));
  });

  constructor() {
    super();
    this.connect(this.replica.ports.views, this.views);
  }

  change(change: ViewChange): void {
    this.enter(() => this.#change(new ChangeView({ rid: "r", version: 1, change })));
  }

  list(): void {
    this.enter(() => this.#list(new ListViews()));
  }
}

describe("the component of a member on quorums", () => {
  it("refuses a change that cannot be, and goes on", () => {
    const world = simulate(Node, { seed: 1, nodes: 1 }).boot();
    world.runFor(500);
    const { root } = world.node(0);
    root.change({ kind: "replace", members: [] });
    root.change({ kind: "split", at: "a" });
    root.list();
    root.change({ kind: "split", at: "m" });
    world.until(() => root.told.length === 4);
    expect(root.told).deep.equal([0, 0, ["r"], 2]);
  });
});
