/** What must hold for every provider of Membership, one case each. */

import type { PeerRef } from "@kith/network";
import { type Case, pass, until, type Wait } from "@kith/testing/compliance";
import { expect } from "chai";
import type { Attendant, MemberHarness, MemberWord } from "./member-harness.ts";

/** Who has crashed is called dead within so many milliseconds: the provider's defaults for a few, and room. */
const deadWithin = 90_000;

/** What the processes are told, once they all have started. */
class Attendants {
  readonly #harness: MemberHarness;
  readonly #all: Attendant[] = [];

  constructor(harness: MemberHarness) {
    this.#harness = harness;
  }

  get indices(): number[] {
    return Array.from({ length: this.#harness.count }, (_, index) => index);
  }

  but(...gone: readonly number[]): number[] {
    return this.indices.filter((index) => !gone.includes(index));
  }

  /** Starts one, or its next life, which enters by these seeds. */
  enters(index: number, ...seeds: readonly PeerRef[]): void {
    this.#harness.enter(index, (it) => {
      this.#all[index] = it;
      it.enters(...seeds);
    });
  }

  /** What one of them was told of a life. */
  told(at: number, peer: PeerRef): readonly MemberWord[] {
    return this.#all[at]?.about(peer) ?? [];
  }

  /** Whether that is the last word on a life at all these. */
  agree(at: readonly number[], peer: PeerRef, word: MemberWord): boolean {
    return at.every((index) => this.told(index, peer).at(-1) === word);
  }

  /** Whether all these know each other to be alive. */
  know(members: readonly number[]): boolean {
    return members.every((of) =>
      this.agree(
        members.filter((at) => at !== of),
        this.#harness.self(of),
        "alive",
      ),
    );
  }

  /** How often that was said at these, of whomever. */
  count(at: readonly number[], word: MemberWord): number {
    const said = at.flatMap((index) => [...(this.#all[index]?.told.values() ?? [])].flat());
    return said.filter((one) => one === word).length;
  }

  /** Nobody is told the same twice in a row, or anything of itself. */
  checkWords(): void {
    for (const [index, one] of this.#all.entries())
      for (const [name, told] of one?.told ?? []) {
        const { peerId, incarnation } = this.#harness.self(index);
        if (name === `${peerId}#${incarnation}`)
          expect(told, `what ${index} is told of itself`).to.deep.equal([]);
        const repeated = told.some((word, at) => word === told[at - 1]);
        expect(repeated, `${index} on ${name}: ${told.join(", ")}`).to.equal(false);
      }
  }
}

/** A case whose processes all know each other when it begins. */
function one(
  name: string,
  body: (harness: MemberHarness, all: Attendants) => Generator<Wait, void, void>,
  ...needs: readonly (keyof MemberHarness)[]
): Case<MemberHarness> {
  return {
    name,
    applies: (harness) => needs.every((need) => harness[need] !== undefined),
    run: function* (harness) {
      const all = new Attendants(harness);
      for (const index of all.indices) all.enters(index, harness.self(0), harness.self(1));
      yield until("all know all", () => all.know(all.indices), 60_000);
      yield* body(harness, all);
      all.checkWords();
    },
  };
}

/** The cases of the suite. */
export const memberCases: readonly Case<MemberHarness>[] = [
  one("all that enter know all, and suspect nobody at rest", function* (_harness, all) {
    yield pass(30_000);
    expect(all.count(all.indices, "suspected") + all.count(all.indices, "dead")).to.equal(0);
    expect(all.know(all.indices)).to.equal(true);
  }),
  one(
    "FD1: who has crashed is called dead by all, and nobody else is",
    function* (harness, all) {
      const gone = harness.self(2);
      harness.crash?.(2);
      const others = all.but(2);
      yield until("all know it", () => all.agree(others, gone, "dead"), deadWithin);
      yield pass(20_000);
      expect(all.agree(others, gone, "dead"), "it stays so").to.equal(true);
      expect(all.count(others, "dead")).to.equal(others.length);
      expect(all.know(others)).to.equal(true);
    },
    "crash",
  ),
  one(
    "who leaves is known to have left, and nobody has to call it dead",
    function* (harness, all) {
      const gone = harness.self(3);
      const others = all.but(3);
      harness.enter(3, (it) => it.leaves());
      yield until("all know it", () => all.agree(others, gone, "left"), 60_000);
      harness.crash?.(3);
      yield pass(40_000);
      expect(all.count(others, "dead")).to.equal(0);
      expect(all.agree(others, gone, "left")).to.equal(true);
    },
    "crash",
  ),
  one(
    "FD4: a restart is the end of one life and the beginning of another",
    function* (harness, all) {
      const past = harness.self(3);
      harness.crash?.(3);
      const later = harness.self(3);
      harness.restart?.(3);
      all.enters(3, harness.self(0), harness.self(1));
      const others = all.but(3);
      yield until(
        "all know both",
        () => all.agree(others, past, "dead") && all.agree(others, later, "alive"),
        deadWithin,
      );
      yield pass(40_000);
      expect(all.agree(others, past, "dead"), "the old life").to.equal(true);
      expect(all.know(all.indices)).to.equal(true);
    },
    "crash",
    "restart",
  ),
  one(
    "a seed that does not answer is not the last one",
    function* (harness, all) {
      harness.crash?.(0);
      harness.crash?.(5);
      harness.restart?.(5);
      all.enters(5, harness.self(0), harness.self(1));
      yield until("it is a member", () => all.know(all.but(0)), deadWithin);
    },
    "crash",
    "restart",
  ),
  one(
    "one who does not hear one other is called dead by nobody",
    function* (harness, all) {
      harness.cut?.(0, 1, "one");
      yield pass(120_000);
      harness.mend?.();
      expect(all.count(all.indices, "dead")).to.equal(0);
    },
    "cut",
    "mend",
  ),
  one(
    "who was cut off and called dead is a member again when it is heard of",
    function* (harness, all) {
      const others = all.but(3);
      for (const index of others) harness.cut?.(index, 3, "both");
      yield until("it is dead", () => all.agree(others, harness.self(3), "dead"), deadWithin);
      yield pass(5000);
      harness.mend?.();
      yield until("all know all", () => all.know(all.indices), deadWithin);
    },
    "cut",
    "mend",
  ),
  one(
    "a swap at any instant loses nobody and tells nothing twice",
    function* (harness, all) {
      for (let swap = 0; swap < 60; swap++) {
        harness.swap?.(swap % harness.count);
        yield pass(177);
      }
      expect(all.count(all.indices, "dead")).to.equal(0);
      expect(all.know(all.indices)).to.equal(true);
      const gone = harness.self(2);
      harness.crash?.(2);
      const others = all.but(2);
      for (let swap = 0; swap < 20; swap++) {
        harness.swap?.(others[swap % others.length] ?? 0);
        yield pass(377);
      }
      yield until("all know it", () => all.agree(others, gone, "dead"), deadWithin);
    },
    "swap",
    "crash",
  ),
];
