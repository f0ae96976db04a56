/**
 * The detectors under random faults, seed by seed. A seed decides the provider, the transport, and which
 * faults there are. While they last, FD3 and FD4 have to hold; once they are over, FD1 and FD2.
 *
 * `KITH_FD_SEEDS` says how many seeds (default 4); the planted bugs run 200.
 */

import { mix, streamKey } from "@kith/core";
import { addressOf } from "@kith/network";
import { delay, duplication, loss, oneWay, partition, reordering, simulate } from "@kith/sim";
import { expect } from "chai";
import { type DetectorClass, type Monitor, monitorOf } from "./compliance/index.ts";
import {
  AdaptiveDetector,
  contradiction,
  type DetectorState,
  PhiDetector,
  type SuspectReason,
} from "./index.ts";

const seeds = Number(process.env["KITH_FD_SEEDS"] ?? 4);
const nodes = 6;
const path = "/Monitor-1/Detector";

interface Reached {
  suspects: number;
  restores: number;
  returned: number;
  gone: number;
  swaps: number;
}

/** Runs one seed; what it has reached. Throws where something does not hold. */
function run(seed: number, reached: Reached): void {
  const key = streamKey(seed, "fd swarm").low;
  let count = 0;
  const below = (bound: number): number => mix(key, count++) % bound;
  const coin = (): boolean => below(2) === 0;
  const kinds: readonly DetectorClass[] = [AdaptiveDetector, PhiDetector];
  const kind = kinds[below(2)] ?? AdaptiveDetector;
  const world = simulate(monitorOf(kind), {
    seed,
    nodes,
    transport: coin() ? "datagram" : "stream",
  }).boot();
  const monitorAt = (index: number, action: (monitor: Monitor) => void): void => {
    const { system } = world.node(index);
    system.enter(() => action(system.instance));
  };
  const everyone = Array.from({ length: nodes }, (_, index) => index);
  const virtual = (index: number, n: number) => ({ ...world.peer(index), peerId: 100 * n + index });
  const meet = (index: number): void =>
    monitorAt(index, (it) => {
      it.arrived(world.peer(index));
      it.arrived(virtual(index, 1));
      for (const other of everyone) {
        it.watch(world.peer(other));
        it.watch(virtual(other, 1), "second");
      }
    });
  const check = (): void => {
    for (const { state, index } of world.nodes) {
      if (state === "down") continue;
      const { complaint } = world.node(index).root;
      expect(complaint, `FD3, seed ${seed}, node ${index + 1}, ${world.time} ms`).to.equal(null);
    }
  };
  for (const index of everyone) meet(index);
  world.runFor(5000);

  const rules = [
    ...(coin() ? [loss(0.05 + below(30) / 100)] : []),
    ...(coin() ? [delay(0, below(2000))] : []),
    ...(coin() ? [duplication(0.2), reordering(0.2, 200)] : []),
  ].map((rule) => world.rule(rule));
  const steps = 40;
  const mends: (() => void)[] = [];
  for (let step = 0; step < steps; step++) {
    const index = below(nodes);
    const node = world.node(index);
    switch (below(9)) {
      case 0:
        if (node.state === "up") node.crash();
        break;
      case 1:
      case 2:
        if (node.state === "down") {
          node.start();
          meet(index);
          // The others learn of the new life from whoever tells them: here, from the test.
          for (const other of everyone)
            if (world.node(other).state !== "down")
              monitorAt(other, (it) => it.watch(world.peer(index)));
        }
        break;
      case 3:
        if (node.state === "up") node.pause();
        break;
      case 4:
        if (node.state === "paused") node.resume();
        break;
      case 5:
        mends.push(
          world.rule(
            coin()
              ? oneWay(node.name, `n${below(nodes) + 1}`)
              : partition(
                  [node.name],
                  everyone.map((i) => `n${i + 1}`).filter((n) => n !== node.name),
                ),
          ),
        );
        break;
      case 6:
        mends.pop()?.();
        break;
      case 7:
        if (node.state === "up")
          node.system.swapThen(path, { cls: kinds[below(2)] ?? kind }, (result) => {
            if ("cause" in result) throw result.cause;
            reached.swaps++;
          });
        break;
      default:
        if (node.state === "up")
          monitorAt(index, (it) => {
            const other = below(nodes);
            if (coin()) it.unwatch(world.peer(other));
            else it.watch(world.peer(other));
            if (coin()) it.departed(virtual(index, 1));
            else it.arrived(virtual(index, 1));
          });
    }
    world.runFor(200 + below(3000));
    check();
  }

  // --- the faults stop ---
  for (const mend of [...mends, ...rules]) mend();
  for (const node of world.nodes) if (node.state === "paused") node.resume();
  const down = everyone.filter((index) => world.node(index).state === "down");
  const up = everyone.filter((index) => !down.includes(index));
  const past = down.map((index) => ({
    ...world.peer(index),
    incarnation: world.node(index).lives,
  }));
  for (const index of up) {
    monitorAt(index, (it) => {
      it.arrived(virtual(index, 1));
      for (const other of up) {
        it.watch(world.peer(other));
        it.watch(virtual(other, 1), "second");
      }
      for (const peer of past) it.watch(peer);
    });
  }
  // Every bound of the detectors is at its cap within that time.
  world.runFor(180_000);
  check();
  const suspicions = (): number =>
    up.reduce(
      (sum, index) =>
        sum + world.node(index).root.told.filter(({ what }) => what.startsWith("Suspect")).length,
      0,
    );
  const before = suspicions();
  world.runFor(120_000);
  expect(suspicions(), `FD2, seed ${seed}: suspicions long after the faults`).to.equal(before);
  for (const index of up) {
    const monitor = world.node(index).root;
    for (const other of up)
      for (const [watcher, peer] of [
        ["w", world.peer(other)],
        ["second", virtual(other, 1)],
      ] as const)
        expect(
          monitor.of(watcher).of(peer),
          `FD2, seed ${seed}: ${index + 1} on ${peer.peerId}`,
        ).equal("alive");
    for (const peer of past)
      expect(monitor.of("w").of(peer), `FD1, seed ${seed}: ${index + 1} on ${peer.host}`).equal(
        "absent",
      );
    // FD4: of an earlier life at an address nothing is said but its end.
    for (const { what, peer } of monitor.told) {
      if (what === "Restore") reached.restores++;
      if (what.startsWith("Suspect")) reached.suspects++;
      if (what.startsWith("Returned")) reached.returned++;
      if (what === `Suspect ${"gone" satisfies SuspectReason}`) reached.gone++;
      const now = world.peer(Number(peer.host.slice(1)) - 1);
      expect(addressOf(now)).to.equal(addressOf(peer));
    }
    const last = new Map<string, string>();
    for (const { what, peer } of monitor.told)
      if (
        peer.incarnation < world.node(Number(peer.host.slice(1)) - 1).lives &&
        what !== "Unwatched"
      )
        last.set(`${peer.peerId} ${peer.host}#${peer.incarnation}`, what);
    for (const [name, what] of last)
      expect(what, `FD4, seed ${seed}: the last word on ${name}`).to.not.equal("Restore");
    const state = stateOf(monitor);
    expect(contradiction(state, world.peer(index)), `seed ${seed}`).to.equal(undefined);
    // FD1: one beat for each process that is probed, and nobody else's.
    for (const [address, { newest, targets }] of state.places)
      for (const [incarnation, { seq }] of targets)
        expect(seq > 0 || incarnation < newest || address === addressOf(world.peer(index)), address)
          .to.be.true;
  }
}

/** What the detector of a monitor knows. */
function stateOf(monitor: Monitor): DetectorState {
  const { child } = monitor as unknown as { child: { core: { instance: AdaptiveDetector } } };
  return child.core.instance.exportState();
}

describe("a failure detector under random faults", function () {
  this.timeout(600_000);

  it(`keeps FD1 to FD4 for ${seeds} seeds`, () => {
    const reached: Reached = { suspects: 0, restores: 0, returned: 0, gone: 0, swaps: 0 };
    for (let seed = 1; seed <= seeds; seed++) run(seed, reached);
    // A run that meets nothing proves nothing.
    for (const [what, count] of Object.entries(reached)) expect(count, what).to.be.above(seeds / 4);
  });
});
