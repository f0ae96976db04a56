import { expect } from "chai";
import { Component, type Draw, launch, ManualWorld } from "./index.ts";
import { DrawStream, mix, streamKey } from "./random.ts";
import { codeOf, start } from "./kit.test.ts";

// What a seed means: to change these is to change every recorded run.
const PINNED_FLOATS = [0.737083075968822, 0.09521118276678753, 0.09856355913928994];
const PINNED_KEY = { high: 2460995869, low: 682366757 };
const PINNED_MIXES = [3816608188, 1869094891, 2528939014, 4103727410, 3541369936];

const draws = (...parts: (string | number)[]): Draw => new DrawStream(streamKey(...parts));
const take = (count: number, from: Draw): number[] =>
  Array.from({ length: count }, () => from.float());

class Gambler extends Component {
  readonly child = this.create(Child);
  roll(purpose: string, count: number): number[] {
    return take(count, this.random(purpose));
  }
}
class Child extends Component {}
const roll = (
  purpose: string,
  count: number,
  options: { seed?: number | string; node?: string } = {},
): number[] => start(Gambler, undefined, options).system.instance.roll(purpose, count);

describe("a draw", () => {
  it("depends on seed, node, path, purpose and count, and on nothing else", () => {
    const base = roll("a", 5, { seed: 1 });
    expect(roll("a", 5, { seed: 1 })).to.deep.equal(base);
    const others = [
      roll("a", 5, { seed: 2 }),
      roll("a", 5, { seed: "x" }),
      roll("b", 5, { seed: 1 }),
      roll("a", 5, { seed: 1, node: "n" }),
    ];
    for (const other of others) expect(other).not.to.deep.equal(base);
    expect(new Set([base, ...others].flat()).size).to.equal(25);
  });

  it("differs by path", () => {
    const { system } = start(Gambler);
    const other = start(class Elsewhere extends Gambler {}).system;
    expect(system.instance.roll("a", 3)).not.to.deep.equal(other.instance.roll("a", 3));
  });

  it("of one purpose leaves those of another as they are, made or not", () => {
    const alone = roll("b", 4);
    const { instance } = start(Gambler).system;
    const mixed: number[] = [];
    for (let i = 0; i < 4; i++) {
      instance.roll("a", i);
      mixed.push(...instance.roll("b", 1));
      instance.roll("c", 1);
    }
    expect(mixed).to.deep.equal(alone);
  });

  it("has values that never change between versions", () => {
    expect(roll("a", 3, { seed: 42 })).to.deep.equal(PINNED_FLOATS);
    expect(streamKey(42, "", "/Main-1", "election")).to.deep.equal(PINNED_KEY);
    expect([0, 1, 2, 2 ** 32, 2 ** 32 + 1].map((count) => mix(0x12345678, count))).to.deep.equal(
      PINNED_MIXES,
    );
  });

  it("is uniform over 100 bins, over neighbouring streams and over their low bits", () => {
    const chiSquare = (samples: readonly number[], bins: number): number => {
      const counts = new Array<number>(bins).fill(0);
      for (const bin of samples) counts[bin] = (counts[bin] ?? 0) + 1;
      const expected = samples.length / bins;
      return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    };
    // 99 degrees of freedom: above 160 once in ten thousand; 63: above 115.
    expect(
      chiSquare(
        take(100_000, draws(1, "u")).map((x) => Math.floor(x * 100)),
        100,
      ),
    ).to.be.lessThan(160);
    const first = Array.from({ length: 50_000 }, (_, i) => draws(1, "s", i).float());
    expect(
      chiSquare(
        first.map((x) => Math.floor(x * 100)),
        100,
      ),
    ).to.be.lessThan(160);
    const low = take(50_000, draws(7, "low")).map((x) =>
      Number(BigInt(Math.round(x * 2 ** 53)) & 63n),
    );
    expect(chiSquare(low, 64)).to.be.lessThan(115);
    const pairs = take(100_000, draws(3, "pairs"));
    const joint = pairs
      .slice(1)
      .map((x, i) => Math.floor(x * 10) * 10 + Math.floor((pairs[i] as number) * 10));
    expect(chiSquare(joint, 100)).to.be.lessThan(160);
  });

  it("does not confuse the parts of a stream's name", () => {
    const names = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], ["a", "b", "c"]];
    expect(new Set(names.map((parts) => JSON.stringify(streamKey(...parts)))).size).to.equal(
      names.length,
    );
  });
});

describe("draws", () => {
  it("give integers within their bounds, both ends reached", () => {
    const from = draws("bounds");
    const below = new Set(Array.from({ length: 500 }, () => from.below(6)));
    expect([...below].toSorted((a, b) => a - b)).to.deep.equal([0, 1, 2, 3, 4, 5]);
    const between = new Set(Array.from({ length: 500 }, () => from.between(-1, 2)));
    expect([...between].toSorted((a, b) => a - b)).to.deep.equal([-1, 0, 1, 2]);
    expect(from.below(1)).to.equal(0);
    expect(from.between(4, 4)).to.equal(4);
    expect(from.below(Number.MAX_SAFE_INTEGER)).to.be.within(0, Number.MAX_SAFE_INTEGER - 1);
  });

  it("give floats from 0 to below 1", () => {
    for (const x of take(10_000, draws("range"))) expect(x >= 0 && x < 1).to.equal(true);
  });

  it("give chances, choices and permutations", () => {
    const from = draws("more");
    expect(from.chance(0)).to.equal(false);
    expect(from.chance(1)).to.equal(true);
    const hits = Array.from({ length: 10_000 }, () => from.chance(0.25)).filter(Boolean).length;
    expect(hits).to.be.within(2300, 2700);
    const list = [1, 2, 3, 4, 5] as const;
    expect(new Set(Array.from({ length: 200 }, () => from.pick(list)))).to.deep.equal(
      new Set(list),
    );
    const shuffled = from.shuffle(list);
    expect(shuffled.toSorted((a, b) => a - b)).to.deep.equal([...list]);
    const firsts = Array.from({ length: 5000 }, () => from.shuffle(list)[0] as number);
    for (const n of list)
      expect(firsts.filter((first) => first === n).length).to.be.within(850, 1150);
    expect(from.shuffle([])).to.deep.equal([]);
  });

  it("refuse bounds that are none", () => {
    const from = draws("bad");
    const actions = [
      () => from.below(0),
      () => from.below(-1),
      () => from.below(2.5),
      () => from.below(NaN),
      () => from.below(2 ** 53),
      () => from.pick([]),
      () => from.between(2, 1),
    ];
    expect(actions.map(codeOf)).to.deep.equal(actions.map(() => "KITH_BAD_ARGUMENT"));
  });
});

describe("draws of a replacement", () => {
  it("never come again, also where it has drawn more than its predecessor", () => {
    const drawn: number[] = [];
    class Once extends Component {
      draw(): void {
        drawn.push(this.random("p").float());
      }
    }
    class Thrice extends Once {
      constructor() {
        super();
        for (let n = 0; n < 3; n++) this.draw();
      }
    }
    const world = new ManualWorld();
    const system = launch(Once, {}, world);
    world.settle();
    system.instance.draw();
    system.swapThen("/Once-1", { cls: Thrice }, () => undefined);
    world.settle();
    system.instance.draw();
    // The first is drawn again in the constructor: there the replacement draws as its predecessor did.
    expect(drawn).to.have.length(5);
    expect(new Set(drawn).size).to.equal(4);
    expect(drawn[1]).to.equal(drawn[0]);
  });
});
