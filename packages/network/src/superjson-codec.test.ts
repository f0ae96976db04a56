import { expect } from "chai";
import SuperJSON from "superjson";
import { Any, codecProperties, content, malformed, to } from "./codec-kit.test.ts";
import { codecCompliance } from "./compliance/index.ts";
import { SuperjsonCodec } from "./superjson-codec.ts";

const codec = new SuperjsonCodec();

/** A frame of Any with the given `json` and annotations. */
function frameOf(json: unknown, values?: unknown): Uint8Array {
  const meta = values === undefined ? {} : { meta: { values, v: 1 } };
  return new TextEncoder().encode(JSON.stringify({ tag: Any.tag, to, from: to, json, ...meta }));
}

codecCompliance("SuperjsonCodec", () => new SuperjsonCodec());

describe("SuperjsonCodec", () => {
  codecProperties(codec);

  it("writes text that people can read", () => {
    const sent = new Any({ to, from: to, content: { n: 1, when: new Map([["a", 2n]]) } });
    expect(JSON.parse(new TextDecoder().decode(codec.encode(sent)))).to.deep.equal({
      tag: "codec-kit/Any",
      to,
      from: to,
      json: { content: { n: 1, when: [["a", "2"]] } },
      meta: { values: { "content.when": ["map", { "0.1": ["bigint"] }] }, v: 1 },
    });
  });

  it("reads what the library writes elsewhere", () => {
    const part = { list: [1] };
    const { json, meta } = SuperJSON.serialize({ content: [new Set([part]), part, 2n, undefined] });
    const frame = { tag: Any.tag, to, from: to, json, meta };
    expect(content(codec.decode(new TextEncoder().encode(JSON.stringify(frame))))).to.deep.equal([
      new Set([part]),
      part,
      2n,
      undefined,
    ]);
  });

  it("follows no annotation that it would not write", () => {
    for (const [value, kind] of [
      ["2020-01-01T00:00:00.000Z", "Date"],
      ["/(a+)+$/", "regexp"],
      [{ name: "E", message: "m" }, "Error"],
      ["http://example.org", "URL"],
      [{}, ["class", "Any"]],
      ["s", ["symbol", "s"]],
      [[1], ["typed-array", "Float64Array"]],
      [[1], ["custom", "unknown"]],
      ["x".repeat(2000), "bigint"],
      ["1".repeat(2000), "bigint"],
      ["zero", "number"],
      [{ length: 3 }, "set"],
      [[1, 2], "map"],
      [1, "undefined"],
      ["no base64!", ["custom", "bytes"]],
      [{ tag: 1, json: {} }, ["custom", "event"]],
      [{ tag: Any.tag, json: [] }, ["custom", "event"]],
      [{ json: ["key"] }, ["custom", "object"]],
      ["x", "toString"],
      ["x", "__proto__"],
    ])
      malformed(codec, frameOf({ content: value }, { content: [kind] }));
  });

  it("lets no path lead out of the message, or into what has been changed", () => {
    const polluting = [
      "__proto__.polluted",
      "constructor.prototype.polluted",
      "content.__proto__.polluted",
      "content.4294967290",
      "content.-1",
      "content.length",
      "content.1e0",
      "nowhere",
      "",
    ];
    for (const path of polluting)
      malformed(codec, frameOf({ content: [null, null] }, { [path]: ["undefined"] }));
    // First the map, then into it: the library would look for each entry by counting.
    malformed(
      codec,
      frameOf({ content: [[1, null]] }, { content: ["map"], "content.0.1": ["undefined"] }),
    );
    expect(
      content(
        codec.decode(
          frameOf({ content: [[1, null]] }, { "content.0.1": ["undefined"], content: ["map"] }),
        ),
      ),
    ).to.deep.equal(new Map([[1, undefined]]));
    expect(Reflect.get({}, "polluted")).to.equal(undefined);
  });

  it("a key named __proto__ is a key", () => {
    const text = new TextDecoder().decode(frameOf({ content: { key: { polluted: 1 } } }));
    const found = content(
      codec.decode(new TextEncoder().encode(text.replace('"key"', '"__proto__"'))),
    );
    expect(Object.keys(Object(found))).to.deep.equal(["__proto__"]);
    expect(Object.getPrototypeOf(found)).to.equal(Object.prototype);
    const own = text.replace('"content"', '"__proto__"');
    malformed(codec, new TextEncoder().encode(own));
  });

  it("refuses what is too deep or no text", () => {
    const deep = (levels: number): Uint8Array =>
      new TextEncoder().encode(
        new TextDecoder()
          .decode(frameOf({ content: 5 }))
          .replace(":5}", `:${"[".repeat(levels)}${"]".repeat(levels)}}`),
      );
    expect(content(codec.decode(deep(2)))).to.deep.equal([[]]);
    malformed(codec, deep(200));
    malformed(codec, deep(200_000));
    let tree: unknown = ["set"];
    for (let i = 0; i < 200; i++) tree = [["custom", "object"], { json: tree }];
    malformed(codec, frameOf({ content: 1 }, { content: tree }));
    const frame = frameOf({ content: "abc" });
    frame[frame.indexOf("b".charCodeAt(0), frame.length - 6)] = 0xff;
    malformed(codec, frame);
  });
});
