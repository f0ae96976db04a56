import { expect } from "chai";
import type { LintFinding } from "./lint.ts";
import { copyConfiguration, lint } from "./lint.ts";
import { plant, uproot } from "./repository.ts";

/** What a component package may not do: the snippet, and words of the message it must get. */
const IMPURE: readonly (readonly [snippet: string, message: string])[] = [
  ["Date.now();", "`Date` is not for component packages. Ask the Timer port"],
  ["new Date();", "`Date`"],
  ["Date();", "`Date`"],
  ["export type When = Date;", "`Date`"],
  ["performance.now();", "`performance`"],
  ["setTimeout(() => {}, 1);", "`setTimeout` is not for component packages. Ask the Timer port"],
  ["setInterval(() => {}, 1);", "`setInterval`"],
  ["setImmediate(() => {});", "`setImmediate`"],
  ["clearTimeout(1);", "`clearTimeout`"],
  ["queueMicrotask(() => {});", "`queueMicrotask`"],
  ["Math.random();", "`Math.random` is not for component packages. Use `this.random`"],
  ['Math["random"]();', "`Math.random`"],
  ["const { random } = Math; random();", "`Math.random`"],
  ["const m = Math; m.random();", "`Math` as a value"],
  ["crypto.randomUUID();", "`crypto` is not for component packages. Use `this.random`"],
  ["new Promise(() => {});", "`Promise` is not for component packages. Handlers run to completion"],
  ["export type Later = Promise<number>;", "`Promise`"],
  ["export function later(p: { then(): void }) { p.then(); }", "`then`"],
  ["export async function f() {}", "An async function"],
  ["export const f = async () => {};", "An async function"],
  ["export class C { async f() {} }", "An async function"],
  ["export async function* f() {}", "An async function"],
  ["await 1;", "`await` is not for component packages. Handlers run to completion"],
  ["for await (const x of []) f(x); export function f(_: unknown) {}", "`for await`"],
  ["Array.fromAsync([]);", "`fromAsync`"],
  ['fetch("http://example.org");', "`fetch` is not for component packages. Use the Network port"],
  ['new WebSocket("ws://example.org");', "`WebSocket`"],
  ["new MessageChannel();", "`MessageChannel`"],
  ["new Intl.Collator();", "`Intl`"],
  ['"a".localeCompare("b");', "`localeCompare`"],
  ["(1).toLocaleString();", "`toLocaleString`"],
  ['"a".toLocaleLowerCase();', "`toLocaleLowerCase`"],
  ["new WeakRef({});", "`WeakRef`"],
  ["new FinalizationRegistry(() => {});", "`FinalizationRegistry`"],
  ['Buffer.from("a");', "`Buffer` is not for component packages. Use `Uint8Array`"],
  ["process.exit();", "`process`"],
  ["console.log(1);", "`console` is not for component packages. Use the component's logger"],
  ["globalThis.setTimeout(() => {});", "`globalThis.setTimeout`"],
  ['globalThis["Date"].now();', "`globalThis.Date`"],
  ["const { fetch: get } = globalThis; get();", "`globalThis.fetch`"],
  ["export const all = globalThis;", "`globalThis` as a value"],
  ["globalThis.globalThis.fetch();", "`globalThis.globalThis`"],
  ['export const read = (name: "Date") => globalThis[name];', "`globalThis` as a value"],
  ['require("x");', "`require`"],
  [
    'import fs from "node:fs"; fs;',
    "Node's module `node:fs` is not for component packages. Use the Storage port",
  ],
  ['import { connect } from "net"; connect;', "Node's module `net`"],
  ['import { setTimeout } from "timers/promises"; setTimeout;', "Node's module `timers/promises`"],
  ['export * from "node:path";', "Node's module `node:path`"],
  ['export { join } from "path";', "Node's module `path`"],
  ['import type { Socket } from "node:net"; export type S = Socket;', "Node's module `node:net`"],
  ['import("./other.ts");', "A dynamic import"],
  ["export const here = import.meta.url;", "`import.meta`"],
];

/** What it may do, although it looks like the above. */
const PURE: readonly string[] = [
  "export const m = Math.max(1, Math.floor(2.5), Math.exp(1));",
  "export const { floor, ceil } = Math;",
  "export type M = typeof Math;",
  "export const copy = structuredClone({ a: 1 });",
  "export class C { process = 1; fetch() { return this.process; } Date = 2; }",
  "export const f = (performance: number, crypto: string) => [performance, crypto];",
  "export function g() { const process = { env: 1 }; return process.env; }",
  "export interface Request { Date: number; Promise: string }",
  "export const o = { Date: 1, setTimeout: 2 }.Date;",
  'export const text = "Date.now() and Math.random()"; // Date.now() in a comment',
  'export const late = (s: string) => s < "b" && s.toLowerCase() === "a";',
  "export const g2 = globalThis.Symbol;",
  "export const bytes = new TextEncoder().encode(String(new Uint8Array(1)));",
  "class Timer {} export class MyDate extends Timer {}",
  "export function* steps() { yield 1; }",
  'export { o as default2 } from "./o.ts";',
];

const NOT_PURE = "export const now = () => Date.now();";
const PROMISING = "export async function f(): Promise<void> {}";
const CAST = "export const f = (x: unknown) => x as string;";
const ANY = "export let x: any;";

/** Files by path, with the rules of the house that must bite in each. */
const PLACES: readonly (readonly [file: string, text: string, rules: readonly string[]])[] = [
  ["packages/core/src/kernel.ts", NOT_PURE, ["pure"]],
  ["packages/core/src/deep/er/kernel.ts", NOT_PURE, ["pure"]],
  ["packages/core/src/host.ts", NOT_PURE, []],
  ["packages/core/src/deep/host.ts", NOT_PURE, ["pure"]],
  ["packages/core/src/system.ts", PROMISING, []],
  ["packages/core/src/settlement.ts", PROMISING, []],
  ["packages/core/src/system-clock.ts", PROMISING, ["pure", "pure"]],
  ["packages/core/src/clock.test.ts", NOT_PURE, []],
  ["packages/ring/src/compliance/ring.ts", NOT_PURE, ["pure"]],
  ["packages/ring/src/host.ts", NOT_PURE, ["pure"]],
  ["packages/ring/src/system.ts", PROMISING, ["pure", "pure"]],
  ["packages/sim/src/world.ts", NOT_PURE, ["pure"]],
  ["packages/sim/src/traps.ts", NOT_PURE, []],
  ["packages/testing/src/bundling.ts", NOT_PURE, []],
  ["packages/testing/src/planting.ts", NOT_PURE, []],
  ["packages/testing/src/kit.ts", PROMISING, []],
  ["packages/testing/src/wall.ts", NOT_PURE, ["pure"]],
  ["packages/node/src/real.ts", NOT_PURE, []],
  ["packages/cli/src/main.ts", NOT_PURE, []],
  ["packages/storage/src/host/deep/disk.ts", NOT_PURE, []],
  ["packages/storage/src/disk.ts", NOT_PURE, ["pure"]],
  ["packages/gateway/src/resp.ts", NOT_PURE, []],
  ["packages/dashboard/src/page.ts", NOT_PURE, []],
  ["packages/client/src/client.ts", PROMISING, []],
  ["examples/chat/src/main.ts", NOT_PURE, []],
  ["packages/core/src/cast.ts", `${CAST}\n${ANY}`, []],
  ["packages/ring/src/cast.ts", `${CAST}\n${ANY}`, ["no-any", "no-cast"]],
  ["packages/ring/src/angle.ts", "export const f = (x: unknown) => <string>x;", ["no-cast"]],
  [
    "packages/ring/src/double.ts",
    "export const f = (x: 1) => x as unknown as 2;",
    ["no-cast", "no-cast"],
  ],
  ["packages/ring/src/const.ts", "export const c = [1] as const;", []],
  ["packages/ring/src/angle-const.ts", "export const c = <const>[1];", []],
  ["packages/ring/src/satisfies.ts", "export const c = { a: 1 } satisfies object;", []],
  ["packages/ring/src/generic.ts", "export type A = Map<string, any[]>;", ["no-any"]],
  ["packages/node/src/cast.ts", CAST, ["no-cast"]],
  ["packages/ring/src/cast.test.ts", `${CAST}\n${ANY}`, []],
  ["examples/chat/src/cast.ts", `${CAST}\n${ANY}`, ["no-any", "no-cast"]],
];

describe("lint", () => {
  const findings = new Map<string, LintFinding[]>();

  before(() => {
    const files: Record<string, string> = {};
    IMPURE.forEach(([snippet], n) => (files[`packages/ring/src/impure-${n}.ts`] = snippet));
    PURE.forEach((snippet, n) => (files[`packages/ring/src/pure-${n}.ts`] = snippet));
    for (const [file, text] of PLACES) files[file] = text;
    const root = plant(files);
    try {
      copyConfiguration(root);
      for (const finding of lint(root, { typeAware: false })) {
        const list = findings.get(finding.file) ?? [];
        findings.set(finding.file, [...list, finding]);
      }
    } finally {
      uproot(root);
    }
  });

  const ours = (file: string) =>
    (findings.get(file) ?? []).filter(({ rule }) => rule.startsWith("kith("));

  describe("in a component package, forbids", () => {
    IMPURE.forEach(([snippet, message], n) => {
      it(snippet, () => {
        const found = ours(`packages/ring/src/impure-${n}.ts`);
        expect(found.map((finding) => finding.message).join("\n")).to.contain(message);
      });
    });
  });

  describe("in a component package, permits", () => {
    PURE.forEach((snippet, n) => {
      it(snippet, () => {
        const found = ours(`packages/ring/src/pure-${n}.ts`);
        expect(found.map((finding) => finding.message)).to.deep.equal([]);
      });
    });
  });

  describe("by place", () => {
    for (const [file, text, rules] of PLACES) {
      it(`${file}: ${rules.join(", ") || "nothing"} against ${text.split("\n")[0]}`, () => {
        const found = ours(file).map(({ rule }) => rule.slice("kith(".length, -1));
        expect(found.toSorted()).to.deep.equal(rules);
      });
    }
  });
});
