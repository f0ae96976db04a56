/** Plain data of every kind that a message may carry, and what equality means for it. */

/** Pairs of a name and a value, built anew at each call. */
export function samples(): readonly (readonly [name: string, value: unknown])[] {
  const deep = (levels: number): unknown => (levels === 0 ? "bottom" : [deep(levels - 1)]);
  return [
    ["null, undefined, true, false", [null, undefined, true, false]],
    [
      "small integers",
      [0, 1, 63, 64, 127, 128, 255, 256, 16_383, 16_384, -1, -32, -33, -128, -129],
    ],
    [
      "large integers",
      [
        2 ** 28 - 1,
        2 ** 28,
        2 ** 31,
        2 ** 32,
        2 ** 48,
        Number.MAX_SAFE_INTEGER,
        -(2 ** 31),
        Number.MIN_SAFE_INTEGER,
      ],
    ],
    [
      "doubles",
      [0.1, -0.5, 1e300, 5e-324, Number.MAX_VALUE, 2 ** 53, 2 ** 60, Infinity, -Infinity, NaN, -0],
    ],
    [
      "bigints",
      [0n, 1n, -1n, 255n, 256n, 2n ** 63n, -(2n ** 64n), 2n ** 200n + 1n, -(2n ** 1000n)],
    ],
    ["strings", ["", "a", "key:1", "x".repeat(63), "x".repeat(64), "x".repeat(1000), "\u0000"]],
    [
      "strings beyond ASCII",
      ["ä", "€", "日本", "😀", "a".repeat(60) + "ü😀", "ü".repeat(100), "\ufeffx", "\uffff"],
    ],
    [
      "strings with lone surrogates",
      ["\ud800", "a\udc00b", "\udc00\ud800", `${"x".repeat(80)}\ud83d`],
    ],
    [
      "byte arrays",
      [new Uint8Array(), new Uint8Array([0, 255, 128]), new Uint8Array(1000).fill(7)],
    ],
    ["a part of a byte array", new Uint8Array([1, 2, 3, 4]).subarray(1, 3)],
    ["arrays", [[], [[]], [1, [2, [3]]], Array.from({ length: 300 }, (_, i) => i)]],
    [
      "objects",
      [{}, { a: 1, b: { c: [2] } }, { "": 1, "with space": 2, "1": 3, ü: 4, ["x".repeat(200)]: 5 }],
    ],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
    ["an undefined field", { here: undefined, there: 1 }],
    [
      "fields with the names of an envelope",
      { to: 1, from: { tag: "x" }, constructor: "c", toString: 1 },
    ],
    [
      "a key named __proto__",
      Object.defineProperty({ a: 1 }, "__proto__", {
        value: { polluted: 1 },
        enumerable: true,
        configurable: true,
        writable: true,
      }),
    ],
    [
      "maps",
      [
        new Map(),
        new Map<unknown, unknown>([
          ["a", 1],
          [2, "b"],
          [null, new Map([[{ k: 1 }, []]])],
        ]),
      ],
    ],
    ["sets", [new Set(), new Set<unknown>([1, "1", null, undefined, "x"])]],
    [
      "peer references",
      [
        { peerId: 2 ** 50, host: "h", port: 1, incarnation: 0 },
        { peerId: 1, host: "::1", port: 65_535, incarnation: 9, failureDomain: "zone" },
        { peerId: 1, host: "h", port: 1, incarnation: 0, rebirth: 1 },
        { peerId: 1, host: "h", port: 1, incarnation: 0, rebirth: 2 ** 40, failureDomain: "zone" },
      ],
    ],
    [
      "what is nearly a peer reference",
      [
        { peerId: 1, host: "h", port: 1, incarnation: 0, more: 1 },
        { peerId: 1.5, host: "", port: -1, incarnation: 0 },
        { peerId: 1, host: "h", port: 1, incarnation: 0, rebirth: 0 },
        { peerId: 1, host: "h" },
      ],
    ],
    ["ten levels", deep(10)],
    ["sixty levels", deep(60)],
  ];
}

/**
 * Where two plain values differ, or null where they are equal: of the same classes, with the same parts in the
 * same order (of fields: in any order), numbers by `Object.is`.
 */
export function difference(a: unknown, b: unknown, place = ""): string | null {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return Object.is(a, b) ? null : `${place}: ${text(a)} is not ${text(b)}`;
  }
  if (kindOf(a) !== kindOf(b)) return `${place}: ${kindOf(a)} is not ${kindOf(b)}`;
  if (a === b) return `${place}: both are the same object`;
  const parts = partsOf(a);
  const others = partsOf(b);
  if (parts.length !== others.length)
    return `${place}: ${parts.length} parts are not ${others.length}`;
  for (const [i, [key, part]] of parts.entries()) {
    const [otherKey, other] = others[i] ?? [];
    const found =
      difference(key, otherKey, `${place}(key ${i})`) ??
      difference(part, other, `${place}.${text(key)}`);
    if (found !== null) return found;
  }
  return null;
}

function kindOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return "object";
  return value instanceof Uint8Array ? "Uint8Array" : value.constructor.name;
}

function partsOf(value: object): (readonly [unknown, unknown])[] {
  if (value instanceof Map) return [...value];
  if (value instanceof Set) return [...value].map((member, i) => [i, member]);
  if (Array.isArray(value) || value instanceof Uint8Array)
    return Array.from(value, (part, i) => [i, part]);
  return Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1));
}

function text(value: unknown): string {
  return typeof value === "string"
    ? JSON.stringify(value)
    : typeof value === "object" && value !== null
      ? "an object"
      : String(value);
}
