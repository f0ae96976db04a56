/** Processes with a manager, simulated: they found a cluster, serve from every peer, and come back after all have crashed. */

import { Get, Written } from "@kith/store";
import { expect } from "chai";
import { ask, cluster, put, ready, textIn } from "./manager-kit.test.ts";

describe("a cluster of processes with a manager", () => {
  it("is founded once, and each peer serves each key", () => {
    const world = cluster({ seed: 1, nodes: 5 });
    ready(world);
    for (let node = 0; node < 5; node++)
      expect(ask(world, node, put(`key-${node}`, `of ${node}`))).instanceOf(Written);
    for (let node = 0; node < 5; node++)
      for (let key = 0; key < 5; key++)
        expect(textIn(ask(world, node, new Get({ key: `key-${key}` })))).equal(`of ${key}`);
  });
});
