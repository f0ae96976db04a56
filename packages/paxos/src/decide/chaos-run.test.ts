/**
 * Deciders under faults of network, processes and disks: one run by its seed. Whatever any peer is ever told of an
 * instance is the same, and was proposed; and when everything is well again, all that was proposed is decided.
 */

import { mix } from "@kith/core";
import {
  delay,
  duplication,
  keptWrites,
  loss,
  lostWrites,
  partition,
  reordering,
  resets,
  simulate,
  slowFlush,
  swapNemesis,
  tornWrites,
} from "@kith/sim";
import { type DecideClass, decidePeerOf } from "../compliance/index.ts";
import { FastPaxos } from "../fast/fast-paxos.ts";
import { addressAt } from "../register.test.ts";
import { SinglePaxos } from "../single/single-paxos.ts";

/** What was met in a run. */
export interface DecideMarks {
  decided: number;
  contended: number;
  crashes: number;
  swaps: number;
}

/** Runs a seed. @throws what it finds wrong */
export function decideChaos(seed: number, provider?: DecideClass): DecideMarks {
  let count = 0;
  const draw = (bound: number): number => mix(mix(seed, 97), count++) % bound;
  const has = (): boolean => draw(2) === 0;
  const cls = provider ?? (seed % 2 === 0 ? SinglePaxos : FastPaxos);
  const members = 3 + draw(3);
  const nodes = members + 1;
  const faults = { crash: has(), cut: has(), copies: has(), swap: draw(3) === 0 };
  const world = simulate(decidePeerOf(cls), {
    seed,
    nodes,
    transport: faults.copies ? "datagram" : "stream",
    init: {
      acceptors: Array.from({ length: members }, (_, index) => addressAt(index)),
      settings: { retry: 100, backoff: 10 },
    },
  }).boot();
  const undo: (() => void)[] = [];
  if (has()) undo.push(world.rule(loss(0.02 + draw(10) / 100)));
  if (has()) undo.push(world.rule(delay(0, 5 + draw(100), { from: `n${1 + draw(nodes)}` })));
  if (faults.copies) undo.push(world.rule(duplication(0.1)), world.rule(reordering(0.2, 80)));
  else if (has()) undo.push(world.rule(resets(0.01)));
  for (const { disk } of world.nodes) {
    const kind = draw(3);
    disk.faults.add(kind === 0 ? lostWrites(0.5) : kind === 1 ? tornWrites(0.5) : keptWrites(0.5));
    undo.push(disk.faults.add(slowFlush(0.3, 5, 20 + draw(100))));
  }
  const nemesis = faults.swap
    ? swapNemesis(world, { every: 300, paths: ["/Peer-1/decider"] })
    : null;

  const marks: DecideMarks = { decided: 0, contended: 0, crashes: 0, swaps: 0 };
  const proposed = new Map<string, Set<string>>();
  const told = new Map<string, string>();
  const hear = (instance: string, value: string): void => {
    const before = told.get(instance) ?? value;
    told.set(instance, value);
    if (before !== value) throw new Error(`PX1: ${instance} is ${before}, and ${value}`);
    if (proposed.get(instance)?.has(value) !== true)
      throw new Error(`PX2: nobody proposed ${value} for ${instance}`);
  };
  const sweep = (): void => {
    for (const node of world.nodes) {
      if (node.state !== "up") continue;
      const { root } = node;
      for (const [instance, value] of root.known) hear(instance, value);
      for (const [instance, answers] of root.answers)
        for (const value of answers)
          if (value !== "Unknown" && value !== "Busy") hear(instance, value);
    }
  };
  const enter = (
    index: number,
    action: (peer: InstanceType<ReturnType<typeof decidePeerOf>>) => void,
  ): void => {
    const node = world.node(index);
    if (node.state !== "up") return;
    const { system } = node;
    const { instance } = system;
    system.enter(() => action(instance));
  };
  const proposeAt = (index: number, name: string): void => {
    const value = `${name} of n${index} at ${world.time}`;
    if (world.node(index).state !== "up") return;
    proposed.set(name, (proposed.get(name) ?? new Set()).add(value));
    enter(index, (peer) => peer.decide(name, value));
  };

  let cut: (() => void) | null = null;
  let names = 0;
  while (world.time < 4000) {
    world.runFor(1 + draw(60));
    if (draw(3) === 0) names++;
    const name = `i${names}`;
    for (let n = 1 + draw(3); n > 0; n--) proposeAt(draw(nodes), name);
    if (draw(6) === 0) enter(draw(nodes), (peer) => peer.learn(`i${draw(names + 1)}`));
    const index = draw(nodes);
    const node = world.node(index);
    if (faults.crash && draw(6) === 0) {
      sweep();
      // Sometimes all at once: then what is on no disk is nowhere.
      const all = draw(3) === 0;
      for (const one of all ? world.nodes : [node]) {
        if (one.state === "up") {
          marks.crashes++;
          one.crash();
        } else one.start();
      }
      if (all) for (const one of world.nodes) if (one.state === "down") one.start();
    }
    if (faults.cut && draw(10) === 0) {
      cut?.();
      const some = world.nodes.filter(() => has()).map((one) => one.name);
      const rest = world.nodes.map((one) => one.name).filter((one) => !some.includes(one));
      cut = some.length > 0 && rest.length > 0 && has() ? world.rule(partition(some, rest)) : null;
    }
    sweep();
  }
  nemesis?.stop();
  marks.swaps = nemesis?.swapped ?? 0;
  cut?.();
  for (const one of undo) one();
  for (const node of world.nodes) if (node.state === "down") node.start();
  world.runFor(500);
  // Now all is well: whatever was proposed is decided when somebody asks for it.
  for (const name of proposed.keys()) proposeAt(draw(nodes), name);
  for (const name of proposed.keys()) enter(draw(nodes), (peer) => peer.learn(name));
  for (let waited = 0; waited < 20_000 && told.size < proposed.size; waited += 500) {
    world.runFor(500);
    sweep();
  }
  for (const [name, values] of proposed) {
    if (!told.has(name)) throw new Error(`${name} is not decided`);
    if (values.size > 2) marks.contended++;
  }
  marks.decided = told.size;
  return marks;
}
