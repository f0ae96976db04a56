/**
 * Switchboards in random walks: three processes that send, are brought what is on its way in any order, break,
 * freeze, restart and wait, against what the port promises. `KITH_NETWORK_WALKS` sets how many; a seed that
 * fails is in the message.
 */

import { expect } from "chai";
import { expectSound, pairOf, type Station, World } from "./board-kit.test.ts";

const walks = Number(process.env["KITH_NETWORK_WALKS"] ?? 60);
const stepsMax = 150;
const limits = {
  handshakeMs: 1000,
  heartbeatMs: 500,
  silenceMs: 2000,
  idleMs: 3000,
  closeMs: 300,
  backOffMs: 100,
  backOffMsMax: 800,
  queueMessagesMax: 30,
  queueBytesMax: 3000,
  batchBytes: 300,
  windowBytes: 900,
  inboxBytesMax: 600,
};

/** A small generator of its own: a walk is its seed. */
function draws(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Outcome {
  readonly ups: number;
  readonly arrived: number;
}

function walk(seed: number, faults: boolean): Outcome {
  const draw = draws(seed);
  const below = (n: number): number => Math.floor(draw() * n);
  const world = new World(limits);
  world.turns = false;
  world.draw = draws(seed + 1_000_000);
  const ports = [1, 2, 3];
  for (const port of ports) world.start(port);
  const living = (): Station[] => world.lives.filter(({ alive }) => alive);
  const one = (): Station => living()[below(3)] ?? world.start(1);
  let n = 0;
  const steps: readonly (() => void)[] = [
    () => {
      const [from, to] = [one(), one()];
      if (from === to) return;
      const count = draw() < 0.1 ? 40 : 1 + below(4);
      for (let i = 0; i < count; i++) {
        const until = [null, null, "sent", "acknowledged"] as const;
        from.send(
          to.self,
          n++,
          until[below(4)],
          draw() < 0.2 ? new Uint8Array(below(400)) : undefined,
        );
      }
      if (draw() < 0.7) from.endSlice();
    },
    () => {
      for (let i = below(6); i >= 0; i--) {
        const choices = world.choices();
        choices[below(choices.length)]?.run();
      }
    },
    () => {
      const { length } = world.choices();
      for (let i = 0; i < length; i++) {
        const choices = world.choices();
        choices[below(choices.length)]?.run();
        one().turn();
      }
    },
    () => one().turn(),
    () => one().endSlice(),
    () => {
      world.pass(100 * (1 + below(draw() < 0.1 ? 40 : 3)), false);
      for (const station of living()) if (draw() < 0.8) station.turn();
    },
    () => {
      world.settle();
    },
  ];
  const breaking: readonly (() => void)[] = [
    () => {
      const open = world.ends.filter(({ over }) => !over);
      const end = open[below(open.length)];
      if (end !== undefined) world.cut(end);
    },
    () => {
      const pair = pairOf(`h:${1 + below(3)}`, `h:${1 + below(3)}`);
      if (!world.frozen.delete(pair)) world.frozen.add(pair);
    },
    () => {
      const at = `h:${1 + below(3)}`;
      if (!world.closed.delete(at)) world.closed.add(at);
    },
    () => {
      const station = one();
      world.crash(station);
      world.start(station.self.port);
    },
  ];
  for (let step = 0; step < stepsMax; step++) {
    if (faults && draw() < 0.05) breaking[below(breaking.length)]?.();
    else steps[below(steps.length)]?.();
    if (step % 10 === 0) expectSound(world, false);
  }
  world.frozen.clear();
  world.closed.clear();
  world.turns = true;
  world.settle();
  world.pass(2500);
  expectSound(world, true);
  expect(world.wires, "one connection for each pair").to.be.at.most(3);
  const pairs = new Set<string>();
  for (const end of world.ends) {
    if (end.over || !end.open || end.other.over || end.name.startsWith("seen")) continue;
    if (end.user === null || end.other.user === null || end.at > end.other.at) continue;
    const pair = pairOf(end.at, end.other.at);
    expect(pairs.has(pair), `two connections between ${pair}`).to.equal(false);
    pairs.add(pair);
  }
  // Whoever is left reaches everybody again.
  const all = living();
  const last = n;
  for (const from of all)
    for (const to of all) if (from !== to) from.send(to.self, n++, "acknowledged");
  world.pass(3000);
  expectSound(world, true);
  for (const from of all)
    for (let i = last; i < n; i++)
      if (from.sent.has(i)) expect(from.answers(i), `message ${i}`).to.deep.equal(["acknowledged"]);
  return {
    ups: world.lives.reduce((sum, { told }) => sum + told.filter((t) => "peer" in t).length, 0),
    arrived: world.lives.reduce((sum, { arrived }) => sum + arrived.length, 0),
  };
}

describe("switchboards in random walks", () => {
  for (const faults of [false, true])
    it(`keep what is promised, ${walks} times, ${faults ? "where things break" : "in peace"}`, function () {
      this.timeout(600_000);
      let arrived = 0;
      for (let seed = 1; seed <= walks; seed++) {
        try {
          arrived += walk(seed, faults).arrived;
        } catch (cause) {
          throw new Error(`seed ${seed}: ${String(cause)}`, { cause });
        }
      }
      console.log(`      ${arrived} messages arrived`);
      expect(arrived).to.be.above(walks * 20);
    });
});
