/** One random schedule over the pure group: losses, copies, crashes, torn tails, membership changes. */

import { mix } from "@kith/core";
import { Lab, lastOf } from "./lab.test.ts";
import { configOf } from "./state.ts";
import { isVoter, votersOf } from "./config.ts";
import { noOutcome, type Marks } from "./marks.test.ts";

/** One run. @returns what happened in it */
export function run(seed: number, steps = 3000): Marks {
  let count = 0;
  const draw = (bound: number): number => mix(mix(seed, 77), count++) % bound;
  // With leases, where clocks run as differently as they just may. Draws of their own: other seeds stay as they are.
  const leases = seed % 8 === 5;
  let handovers = 0;
  const drawLease = (bound: number): number => mix(mix(seed, 78), handovers++) % bound;
  const voters = draw(3) === 0 ? [1, 2, 3, 4, 5] : [1, 2, 3];
  const lab = new Lab({
    seed,
    tableEvery: 1 + draw(6),
    rate: (peerId) => (leases ? 0.95 + (mix(seed, peerId) % 3) / 20 : 1),
    settings: {
      lease: leases ? { drift: 0.1, margin: 1 } : false,
      keepEntries: draw(8),
      cutEntries: 1 + draw(8),
      batchBytesMax: 40 + draw(200),
      inflightMax: 1 + draw(4),
      promoteLagMax: 8,
    },
  });
  lab.found(voters);
  const marks: Marks = noOutcome();
  // Swarm: which faults this seed has.
  const has = {
    loss: draw(2) === 0,
    copies: draw(2) === 0,
    order: draw(2) === 0,
    crash: draw(3) > 0,
    cut: draw(2) === 0,
    members: draw(2) === 0,
    slow: draw(2) === 0,
    elections: draw(2) === 0,
  };
  let reads = 0;
  let lines = 0;
  const peers = (): number[] => [...lab.machines.keys()];
  const pick = <T>(list: readonly T[]): T | undefined => list[draw(list.length)];

  // In a third of the seeds leaders hardly last: elections, crashes and lost messages all the time.
  const duel = seed % 3 === 0;
  const step = (faults: boolean): void => {
    if (leases && drawLease(100) < 3) {
      handover();
      return;
    }
    if (duel && draw(100) < 12) {
      unrest();
      return;
    }
    const what = draw(100);
    const up = lab.up;
    if (what < 42 && lab.network.length > 0) {
      const at = faults && has.order ? draw(Math.min(lab.network.length, 8)) : 0;
      const message = lab.network[at];
      if (message === undefined) return;
      if (faults && has.loss && draw(12) === 0) {
        lab.network.splice(at, 1);
      } else if (faults && has.copies && draw(12) === 0) lab.hand(message);
      else lab.deliver(message);
    } else if (what < 60) {
      const machine = pick(up);
      if (machine !== undefined && !(faults && has.slow && draw(3) === 0))
        lab.flush(machine.peerId);
    } else if (what < 72) {
      lab.wait(draw(10) === 0 ? draw(1500) : draw(40));
    } else if (what < 82) {
      const leader = lab.leader();
      const machine = leader ?? pick(up);
      if (machine === undefined) return;
      if (leader !== undefined) marks.proposed++;
      if (lab.propose(machine.peerId, `c${++lines}`).accepted) marks.accepted++;
    } else if (what < 90) {
      // Also at those who only believe that they lead.
      const leaders = up.filter(({ state }) => state?.role === "leader");
      const machine = pick(leaders);
      if (machine !== undefined) lab.read(machine.peerId, ++reads);
    } else if (!faults) return;
    else if (what < 93 && has.crash) {
      const down = [...lab.machines.values()].filter(({ state }) => state === null);
      const back = pick(down);
      if (back !== undefined && draw(2) === 0) lab.restart(back.peerId);
      else {
        const victim = pick(up);
        if (victim === undefined || down.length >= 2) return;
        const { pending } = victim.disk;
        if (pending.length > 0) marks.torn++;
        if (victim.state?.role === "leader" && (victim.state.leadership?.reads.length ?? 0) > 0)
          marks.leaderLostReads++;
        lab.crash(victim.peerId, draw(pending.length + 1));
      }
    } else if (what < 95 && has.cut) {
      if (lab.cuts.size > 0) lab.cuts.clear();
      else {
        const one = pick(peers());
        for (const other of peers()) {
          if (other === one) continue;
          lab.cuts.add(`${one}>${other}`);
          if (draw(4) > 0) lab.cuts.add(`${other}>${one}`);
        }
      }
    } else if (what < 96 && has.elections) {
      const machine = pick(up);
      if (machine !== undefined) lab.timeout(machine.peerId);
    } else if (what < 99 && has.members) change();
    else if (what === 99) {
      const leader = lab.leader();
      const to = pick(leader?.state ? votersOf(configOf(leader.state)) : []);
      if (leader !== undefined && to !== undefined) lab.transfer(leader.peerId, to.replicaId);
    }
  };

  const unrest = (): void => {
    const machine = pick([...lab.machines.values()]);
    if (machine === undefined) return;
    const down = [...lab.machines.values()].filter(({ state }) => state === null);
    const kind = draw(10);
    if (machine.state === null) lab.restart(machine.peerId);
    else if (kind < 4) lab.timeout(machine.peerId);
    else if (kind < 6 && down.length * 2 + 1 < lab.machines.size) {
      lab.crash(machine.peerId, draw(machine.disk.pending.length + 1));
      if (draw(2) === 0) lab.restart(machine.peerId);
    } else if (kind === 6) {
      // A leader that does not know yet that another one has been elected, and is asked for reads.
      lab.cuts.clear();
      const leader = lab.leader();
      if (leader === undefined || leader === machine) return;
      isolate(leader.peerId);
      lab.timeout(machine.peerId);
      askAll(draw(12));
    } else if (kind === 7)
      lab.network = lab.network.filter(({ toPeer }) => toPeer !== machine.peerId);
    else
      lab.network = lab.network.filter(
        ({ fromPeer }) => fromPeer !== machine.peerId || draw(2) === 0,
      );
  };

  const isolate = (peerId: number): void => {
    for (const other of peers()) {
      lab.cuts.add(`${peerId}>${other}`);
      lab.cuts.add(`${other}>${peerId}`);
    }
  };

  /** Lets some rounds of messages and writes pass; then reads at all who believe that they lead. */
  const askAll = (rounds: number): void => {
    for (let round = rounds; round > 0; round--) {
      for (const message of lab.network.splice(0)) lab.hand(message);
      for (const { peerId } of lab.up) while (lab.flush(peerId));
    }
    for (const { state, peerId } of lab.up) if (state?.role === "leader") lab.read(peerId, ++reads);
  };

  /** A leader has just been confirmed; then it hands over or is cut off, and another one comes while it may have a lease. */
  const handover = (): void => {
    lab.cuts.clear();
    const leader = lab.leader();
    if (leader?.state === undefined || leader.state === null) return;
    lab.wait(200);
    askAll(drawLease(3));
    const others = votersOf(configOf(leader.state)).filter(
      ({ replicaId }) => replicaId !== leader.self,
    );
    const next = others[drawLease(others.length)];
    const there = next === undefined ? undefined : lab.machines.get(next.peerId);
    if (next === undefined || there?.state === undefined || there.state === null) return;
    const kind = drawLease(5);
    const late = lab.invitations[drawLease(Math.max(1, lab.invitations.length))];
    if (kind === 0) lab.transfer(leader.peerId, next.replicaId);
    if (kind > 2) estrange(leader.peerId, next.peerId);
    isolate(leader.peerId);
    const friends = lab.up.filter(
      ({ peerId }) => peerId !== leader.peerId && peerId !== next.peerId,
    );
    const friend = friends[drawLease(friends.length)];
    if (kind === 1 || kind === 2) {
      if (kind === 2) lab.disconnect(next.peerId, leader.peerId);
      lab.timeout(next.peerId);
    } else if (kind === 3) {
      for (const { peerId, disk } of friends) {
        lab.crash(peerId, disk.pending.length);
        lab.restart(peerId);
      }
      lab.timeout(next.peerId);
    } else if (kind === 4 && friend !== undefined) {
      lab.disconnect(friend.peerId, leader.peerId);
      lab.timeout(friend.peerId);
    }
    if (late !== undefined && drawLease(3) === 0) lab.hand(late);
    askAll(4 + drawLease(10));
  };

  /** Cuts a voter off its leader, which the others confirm, until the voter is not loyal any more. */
  const estrange = (leader: number, voter: number): void => {
    lab.cuts.add(`${leader}>${voter}`);
    lab.network = lab.network.filter(({ toPeer }) => toPeer !== voter);
    for (let i = 0; i < 20; i++) {
      const { contact, settings } = lab.state(voter);
      if (lab.clock(voter) - contact >= settings.electionMin) return;
      lab.wait(150);
      askAll(2);
    }
  };

  const change = (): void => {
    const leader = lab.leader();
    if (leader === undefined || leader.state === null) return;
    const config = configOf(leader.state);
    const { members } = config;
    const outside = [1, 2, 3, 4, 5, 6, 7].filter(
      (id) => !members.some(({ peerId }) => peerId === id),
    );
    const learner = members.find(({ voter }) => !voter);
    const kind = learner !== undefined && draw(2) === 0 ? 1 : draw(3);
    if (kind === 0 && members.length < 6) {
      const peerId = pick(outside);
      if (peerId !== undefined)
        lab.change(leader.peerId, {
          kind: "add-learner",
          peer: { peerId, host: `n${peerId}`, port: 7000 },
        });
    } else if (kind === 1 && learner !== undefined) {
      if (lab.change(leader.peerId, { kind: "promote", replicaId: learner.replicaId })) {
        marks.promoted++;
        if (lab.cuts.size > 0) marks.promotedUnderCut++;
      }
    } else if (votersOf(config).length > 2) {
      const member = pick(members);
      if (member === undefined) return;
      const done = lab.change(leader.peerId, { kind: "remove", replicaId: member.replicaId });
      if (done && member.replicaId === leader.self) marks.leaderRemoved++;
      else if (done) marks.removed++;
    }
  };

  for (let i = 0; i < steps; i++) step(true);
  // Everything heals; then something has to be done again, and everywhere.
  lab.cuts.clear();
  for (const { state, peerId } of lab.machines.values()) if (state === null) lab.restart(peerId);
  let wanted = -1;
  for (let i = 0; i < 5000; i++) {
    for (const message of lab.network.splice(0)) lab.hand(message);
    for (const { peerId } of lab.up) while (lab.flush(peerId));
    lab.wait(20);
    const leader = lab.leader();
    if (leader?.state === undefined || leader.state === null) continue;
    const { state } = leader;
    if (wanted < 0 || lastOf(state) < wanted) {
      const done = lab.propose(leader.peerId, "end");
      if (done.accepted) wanted = done.index;
    }
    const members = configOf(state).members;
    const done = members.every(({ peerId, replicaId }) => {
      const other = lab.machines.get(peerId);
      return other?.self === replicaId && (other.state?.applied ?? 0) >= wanted;
    });
    if (wanted > 0 && done && isVoter(configOf(state), leader.self)) {
      if (lab.openReads.size > 0) continue;
      marks.committed = lab.committed;
      Object.assign(marks, lab.marks);
      return marks;
    }
  }
  throw new Error(`seed ${seed}: after healing nothing goes on`);
}
