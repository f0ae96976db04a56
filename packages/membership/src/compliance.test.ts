import { Component } from "@kith/core";
import { failingCases } from "@kith/testing/compliance";
import { expect } from "chai";
import {
  bootstrapCompliance,
  nearnessCases,
  nearnessCompliance,
  samplingCompliance,
} from "./compliance/index.ts";
import { Introduce, Nearest, Nearness, TMan } from "./index.ts";
import { harness, type NearClass, Process } from "./kit.test.ts";

bootstrapCompliance("BootstrapClient", () => harness());
samplingCompliance("Cyclon", () => harness());
nearnessCompliance("TMan", () => harness());

/** A provider that says something else than the T-Man beneath it. */
abstract class Wrong extends Component {
  readonly nearness = this.provides(Nearness);
  readonly inner = this.requires(Nearness);
  readonly tman = this.create(TMan, {}, { name: "Inner" });

  constructor() {
    super();
    this.connect(this.tman.ports.nearness, this.inner);
    this.nearness.on(Introduce, (introduce) => this.inner.trigger(introduce));
    this.inner.on(Nearest, (nearest) => this.say(nearest));
  }

  abstract say(nearest: Nearest): void;
}

class WrongSide extends Wrong {
  say({ successors, predecessors }: Nearest): void {
    this.nearness.trigger(new Nearest({ successors: predecessors, predecessors: successors }));
  }
}

class NeverForgets extends Wrong {
  #last: Nearest | null = null;

  say(nearest: Nearest): void {
    const named = new Set(nearest.successors.map(({ peerId }) => peerId));
    if (this.#last?.successors.every(({ peerId }) => named.has(peerId)) === false) return;
    this.#last = nearest;
    this.nearness.trigger(nearest);
  }
}

describe("the suite of Nearness", () => {
  const [first = "", late = "", gone = "", back = ""] = nearnessCases.map(({ name }) => name);
  const wrong: readonly (readonly [string, NearClass, readonly string[]])[] = [
    ["takes one side for the other", WrongSide, [first, late, gone, back]],
    ["never forgets anybody", NeverForgets, [gone, back]],
  ];
  for (const [what, near, expected] of wrong)
    it(`finds a provider that ${what}`, (done) => {
      failingCases(
        nearnessCases,
        () =>
          harness(
            class extends Process {
              override get near(): NearClass {
                return near;
              }
            },
          ),
        (names) => {
          expect(names).to.deep.equal(expected);
          done();
        },
      );
    });
});
