import { expect } from "chai";
import { Component, type Given, type Setting, setting, SettingChanged } from "./index.ts";
import { codeOf, instanceAt, start } from "./kit.test.ts";

const beat = setting.duration("test.beat", 500, { min: 1 });
const size = setting.integer("test.size", 4, { min: 1, max: 100 });

/** The value that a text is converted to, or the code of the error. */
function parsed<T>(from: Setting<T>, text: string): T | string {
  let given: Given | undefined;
  const code = codeOf(() => (given = from.parse(text)));
  return given === undefined ? code : from.read(given);
}
const bad = "KITH_BAD_SETTING";

describe("a setting's conversion", () => {
  const table: readonly (readonly [
    string,
    Setting<unknown>,
    readonly (readonly [string, unknown])[],
  ])[] = [
    [
      "integer",
      setting.integer("i", 0, { min: -10, max: 5000 }) as Setting<unknown>,
      [
        ["7", 7],
        [" 7 ", 7],
        ["-3", -3],
        ["+3", 3],
        ["1e3", 1000],
        ["3.0", 3],
        ["3.5", bad],
        ["-11", bad],
        ["5001", bad],
        ["", bad],
        [" ", bad],
        ["seven", bad],
        ["7x", bad],
        ["0x10", bad],
        ["1_000", bad],
        ["NaN", bad],
        ["Infinity", bad],
        ["1e400", bad],
        ["true", bad],
      ],
    ],
    [
      "number",
      setting.number("n", 0) as Setting<unknown>,
      [
        ["1.5", 1.5],
        [".5", 0.5],
        ["5.", 5],
        ["-1e-3", -0.001],
        ["1,5", bad],
        ["", bad],
        ["--1", bad],
        ["1e999", bad],
        ["e5", bad],
        [".", bad],
      ],
    ],
    [
      "duration",
      setting.duration("d", 0) as Setting<unknown>,
      [
        ["250us", 0.25],
        ["20ms", 20],
        ["1.5s", 1500],
        ["1.005s", 1005],
        ["2m", 120_000],
        ["1h", 3_600_000],
        ["0ms", 0],
        [" 1s ", 1000],
        ["20", bad],
        ["20 ms", bad],
        ["-1s", bad],
        ["1d", bad],
        ["s", bad],
        ["", bad],
        ["1sm", bad],
        ["1S", bad],
      ],
    ],
    [
      "boolean",
      setting.boolean("b", false) as Setting<unknown>,
      [
        ["true", true],
        ["false", false],
        [" true ", true],
        ["TRUE", bad],
        ["1", bad],
        ["0", bad],
        ["yes", bad],
        ["", bad],
      ],
    ],
    [
      "text",
      setting.text("t", "") as Setting<unknown>,
      [
        ["a b", "a b"],
        ["", ""],
        [" kept ", " kept "],
      ],
    ],
    [
      "word",
      setting.oneOf("w", ["ring", "chord"], "ring") as Setting<unknown>,
      [
        ["chord", "chord"],
        [" ring ", "ring"],
        ["Ring", bad],
        ["", bad],
        ["other", bad],
      ],
    ],
  ];
  for (const [name, kind, cases] of table) {
    it(`of ${name === "integer" ? "an" : "a"} ${name} is right or an error`, () => {
      for (const [text, value] of cases)
        expect(parsed(kind, text), `${name} ${JSON.stringify(text)}`).to.equal(value);
    });
  }

  it("checks values that are given as such, and its own default", () => {
    const codes = [
      () => size.of(3.5),
      () => size.of(0),
      () => size.of(101),
      () => size.of(NaN),
      () => size.of("4" as never),
      () => size.of(4n as never),
      () => setting.boolean("b", false).of(1 as never),
      () => setting.text("t", "").of(null as never),
      () => setting.oneOf("w", ["a"], "a").of("b" as never),
      () => setting.integer("bad", 0, { min: 1 }),
      () => beat.of(0),
    ].map(codeOf);
    expect(codes).to.deep.equal(codes.map(() => bad));
    expect(size.of(100)).to.deep.equal({ name: "test.size", value: 100 });
  });

  it("says what is wrong", () => {
    expect(() => size.parse("200")).to.throw(
      "Setting test.size wants a number up to 100, not 200.",
    );
    expect(() => size.parse("many")).to.throw('Setting test.size cannot read the text "many".');
    expect(() => setting.number("n", 0).of(Infinity)).to.throw(
      "Setting n wants a finite number, not Infinity.",
    );
    expect(() => setting.oneOf("w", ["a", "b"], "a").of("c" as never)).to.throw(
      'Setting w wants one of a, b, not "c".',
    );
  });
});

describe("settings of components", () => {
  class Node extends Component {
    readonly told: string[] = [];
    constructor() {
      super();
      this.control.on(
        SettingChanged,
        ({ name }) => void this.told.push(`${name}=${this.setting(size)}`),
      );
    }
    get values(): [number, number] {
      return [this.setting(size), this.setting(beat)];
    }
    change(value: number): void {
      this.configure(size.of(value));
    }
  }
  class Leaf extends Node {}
  class Box extends Node {
    readonly inherits = this.create(Leaf, {}, { name: "inherits" });
    readonly own = this.create(Leaf, {}, { name: "own", settings: [size.of(9)] });
  }
  class Main extends Node {
    readonly box = this.create(Box, {}, { name: "box", settings: [beat.of(20)] });
    readonly beside = this.create(Leaf, {}, { name: "beside" });
  }
  const values = (run: ReturnType<typeof start<typeof Main>>): Record<string, number[]> =>
    Object.fromEntries(
      ["", "/box", "/box/inherits", "/box/own", "/beside"].map((path) => [
        path,
        instanceAt<Node>(run.system, `/Main-1${path}`).values,
      ]),
    );

  it("have their defaults, are handed down, and are overridden further down", () => {
    expect(values(start(Main))).to.deep.equal({
      "": [4, 500],
      "/box": [4, 20],
      "/box/inherits": [4, 20],
      "/box/own": [9, 20],
      "/beside": [4, 500],
    });
  });

  it("are given to a whole system by its world", () => {
    expect(values(start(Main, undefined, { settings: [size.of(7)] }))).to.deep.equal({
      "": [7, 500],
      "/box": [7, 20],
      "/box/inherits": [7, 20],
      "/box/own": [9, 20],
      "/beside": [7, 500],
    });
  });

  it("hold in a constructor already", () => {
    const seen: number[] = [];
    class Early extends Component {
      constructor() {
        super();
        seen.push(this.setting(size));
      }
    }
    start(
      class extends Component {
        readonly a = this.create(Early);
        readonly b = this.create(Early, {}, { settings: [size.of(2)] });
      },
    );
    expect(seen).to.deep.equal([4, 2]);
  });

  it("are updated while it runs, from inside: whom it concerns is told", () => {
    const run = start(Main);
    const told = (path: string): string[] => instanceAt<Node>(run.system, `/Main-1${path}`).told;
    run.do((main) => main.change(50));
    expect(values(run)).to.deep.equal({
      "": [50, 500],
      "/box": [50, 20],
      "/box/inherits": [50, 20],
      "/box/own": [9, 20],
      "/beside": [50, 500],
    });
    expect(
      ["", "/box", "/box/inherits", "/box/own", "/beside"].map((path) => told(path).join()),
    ).to.deep.equal(["test.size=50", "test.size=50", "test.size=50", "", "test.size=50"]);
  });

  it("and from outside, for all or from a path down", () => {
    const run = start(Main);
    run.system.configure(size.of(60));
    run.system.configure(size.of(70), "/Main-1/box");
    run.system.configure(size.of(80), run.system.instance.beside);
    run.world.settle();
    expect(Object.values(values(run)).map(([n]) => n)).to.deep.equal([60, 70, 70, 9, 80]);
    expect(codeOf(() => run.system.configure(size.of(1), "/Main-1/nobody"))).to.equal(
      "KITH_UNKNOWN_PATH",
    );
  });

  it("overtake data: what comes after the change sees it", () => {
    const run = start(Main);
    run.do((main) => {
      main.change(33);
      expect(main.values[0]).to.equal(33);
    });
  });
});
