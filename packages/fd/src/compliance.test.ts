import { Component, isOf } from "@kith/core";
import { failingCases } from "@kith/testing/compliance";
import { expect } from "chai";
import {
  Attendant,
  detectorCompliance,
  memberCases,
  memberCompliance,
} from "./compliance/index.ts";
import {
  AdaptiveDetector,
  Enter,
  Leave,
  MemberAlive,
  MemberChange,
  MemberDead,
  MemberLeft,
  Membership,
  PhiDetector,
  Swim,
} from "./index.ts";
import { simulated, simulatedMembers, Swimmer } from "./sim-harness.test.ts";

detectorCompliance("AdaptiveDetector", () => simulated(AdaptiveDetector));
detectorCompliance("PhiDetector", () => simulated(PhiDetector));
detectorCompliance("AdaptiveDetector, swapped for PhiDetector and back,", () =>
  simulated(AdaptiveDetector, 2, PhiDetector),
);
memberCompliance("Swim", () => simulatedMembers(Swimmer));

/** A provider that hands on what the Swim beneath it says, or something else. */
abstract class Wrong extends Component {
  readonly membership = this.provides(Membership);
  readonly inner = this.requires(Membership);
  readonly swim = this.create(Swim, {}, { name: "Swim" });

  constructor() {
    super();
    this.connect(this.swim.ports.membership, this.inner);
    for (const cls of [Enter, Leave])
      this.membership.on(cls, (request) => this.inner.trigger(request));
    this.inner.on(MemberChange, (change) => this.say(change));
  }

  abstract say(change: MemberChange): void;
}

class NeverForgives extends Wrong {
  readonly #dead = new Set<string>();

  say(change: MemberChange): void {
    const { peerId, incarnation } = change.peer;
    const key = `${peerId}#${incarnation}`;
    if (isOf(change.constructor, MemberDead)) this.#dead.add(key);
    if (!isOf(change.constructor, MemberAlive) || !this.#dead.has(key))
      this.membership.trigger(change);
  }
}

class CallsLeaversDead extends Wrong {
  say(change: MemberChange): void {
    const { peer } = change;
    const left = isOf(change.constructor, MemberLeft);
    this.membership.trigger(left ? new MemberDead({ peer }) : change);
  }
}

describe("the suite of Membership", () => {
  const wrong = [
    [
      "never forgives",
      NeverForgives,
      "who was cut off and called dead is a member again when it is heard of",
    ],
    [
      "calls those dead that have left",
      CallsLeaversDead,
      "who leaves is known to have left, and nobody has to call it dead",
    ],
  ] as const;
  for (const [what, cls, expected] of wrong)
    it(`finds a provider that ${what}`, (done) => {
      class Wronged extends Attendant {
        readonly provider = this.create(cls);

        constructor() {
          super();
          this.connect(this.provider.ports.membership, this.membership);
        }
      }
      failingCases(
        memberCases,
        () => simulatedMembers(Wronged, false),
        (names) => {
          expect(names).to.deep.equal([expected]);
          done();
        },
      );
    });
});
