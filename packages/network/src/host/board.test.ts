/** What a switchboard does as time passes: pauses, signs of life, ends in peace, and what its log says. */

import { expect } from "chai";
import {
  ConnectionDown,
  ConnectionUp,
  Dropped,
  NetworkDrained,
  NetworkFull,
  type PeerRef,
} from "../index.ts";
import { expectSound, type Station, World } from "./board-kit.test.ts";
import { Call } from "./call.ts";
import { CalledHandshake } from "./handshake.ts";
import { farewell } from "./farewell.ts";
import { Inbox } from "./inbox.ts";
import type { Limits } from "./limits.ts";

const limits = {
  handshakeMs: 1000,
  heartbeatMs: 500,
  silenceMs: 2000,
  idleMs: 5000,
  backOffMs: 100,
  backOffMsMax: 1600,
};

function connected(change: Partial<Limits> = {}): { world: World; a: Station; b: Station } {
  const world = new World({ ...limits, ...change });
  const [a, b] = [world.start(1), world.start(2)];
  a.send(b.self, 1);
  world.settle();
  expect(b.arrived).to.deep.equal([1]);
  return { world, a, b };
}

function downs(station: Station): string[] {
  return station.all(ConnectionDown).map(({ reason }) => reason);
}

function said(station: Station, level: string, pattern: RegExp): number {
  return station.log.filter((one) => one.level === level && pattern.test(one.text)).length;
}

const nobody: PeerRef = { peerId: 9, host: "h", port: 9, incarnation: 1 };

describe("a switchboard in time", () => {
  it("lives on signs of life alone, and closes in peace what nobody uses", () => {
    const { world, a, b } = connected();
    world.pass(4500);
    expect([...downs(a), ...downs(b)]).to.deep.equal([]);
    world.pass(1500);
    expect([downs(a), downs(b)]).to.deep.equal([["closed"], ["closed"]]);
    expect(world.wires).to.equal(0);
    // Nothing is to be remembered of it, and no timer is left.
    world.pass(2000);
    expect([a, b].map(({ timers, board }) => [timers.size, [...board.links].length])).to.deep.equal(
      [
        [0, 0],
        [0, 0],
      ],
    );
    expect(said(a, "warn", /./) + said(b, "warn", /./)).to.equal(0);
    expectSound(world, true);
  });

  it("loses nothing of what is sent while it closes in peace", () => {
    for (const who of [0, 1]) {
      for (const crossing of [true, false]) {
        const { world, a, b } = connected();
        const [from, to] = who === 0 ? [a, b] : [b, a];
        world.pass(4900);
        // The goodbye is on its way, or has just come.
        world.pass(500, false);
        for (const station of [a, b]) station.settle();
        if (!crossing) for (const { run } of world.choices()) run();
        for (let n = 10; n < 20; n++) from.send(to.self, n, n % 2 === 0 ? "sent" : null);
        world.pass(1000);
        const numbers = to.arrived.filter((n) => n >= 10);
        expect(numbers).to.deep.equal([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
        expect(from.all(Dropped)).to.deep.equal([]);
        expectSound(world, true);
      }
    }
  });

  it("gives up a connection that is silent, on both sides, and says so once", () => {
    const { world, a, b } = connected();
    world.frozen.add("h:1 h:2");
    a.send(b.self, 2, "acknowledged");
    world.pass(1900);
    expect(downs(a)).to.deep.equal([]);
    world.pass(300);
    expect([downs(a), downs(b)]).to.deep.equal([["lost"], ["lost"]]);
    expect(a.answers(2)).to.deep.equal(["unknown"]);
    expect(said(a, "warn", /nothing was heard/)).to.equal(1);
  });

  it("does not take its own standstill for the silence of others", () => {
    const { world, a, b } = connected({ idleMs: 0 });
    // So that all that has come was noticed by a tick.
    world.pass(300);
    world.now += 60_000;
    world.pass(100, false);
    for (const station of [a, b]) station.settle();
    world.pass(1500);
    expect([...downs(a), ...downs(b)]).to.deep.equal([]);
    // And hears real silence afterwards.
    world.frozen.add("h:1 h:2");
    world.pass(2500);
    expect(downs(a)).to.deep.equal(["lost"]);
  });

  it("calls again after pauses that grow to a limit, are never the same, and begin anew", () => {
    const world = new World({ ...limits, idleMs: 0 });
    const a = world.start(1);
    let draws = 0;
    world.draw = () => (draws++ * 0.37) % 1;
    let n = 0;
    const attempt = (to: PeerRef): number => {
      const before = world.dialled.length;
      const from = world.now;
      while (world.dialled.length === before) {
        a.send(to, ++n);
        world.pass(100);
      }
      return world.now - from;
    };
    const pauses = Array.from({ length: 9 }, () => attempt(nobody));
    const expected = [0, 100, 200, 400, 800, 1600, 1600, 1600, 1600];
    pauses.forEach((pause, i) => {
      const whole = expected[i] ?? 0;
      expect(pause, pauses.join()).to.be.within(whole / 2, whole + 200);
    });
    expect(new Set(pauses.slice(5)).size).to.be.above(1);
    expect(downs(a)).to.deep.equal(Array.from({ length: 9 }, () => "refused"));
    // Somebody is there at last, for longer than the longest pause.
    const other = world.start(9);
    attempt(other.self);
    world.pass(2000);
    expect(downs(a)).to.have.length(9);
    world.crash(other);
    world.settle();
    world.stations.delete("h:9");
    expect(attempt(other.self)).to.be.at.most(200);
    expect(attempt(other.self)).to.be.at.most(300);
  });

  it("forgets an address that does not answer, but not while its failures count", () => {
    const world = new World(limits);
    const a = world.start(1);
    a.send(nobody, 1);
    world.pass(50_000);
    expect([...a.board.links]).to.have.length(1);
    world.pass(20_000);
    expect([...a.board.links]).to.have.length(0);
    expect(a.timers.size).to.equal(0);
  });

  it("warns once of a peer that is out of reach, and says once that it is back", () => {
    const world = new World(limits);
    const a = world.start(1);
    for (let n = 0; n < 200; n++) {
      a.send(nobody, n);
      world.pass(100);
    }
    const calls = world.dialled.length;
    expect(calls).to.be.above(8);
    expect(said(a, "warn", /./)).to.equal(1);
    expect(said(a, "warn", /a call to h:9 ended: nobody listens/)).to.equal(1);
    expect(said(a, "debug", /a call to h:9 ended/)).to.equal(calls - 1);
    const other = world.start(9);
    a.send(other.self, 500);
    world.pass(3000);
    expect(said(a, "info", /connected with 9@h:9#1 again/)).to.equal(1);
    // Gone again: one warning for the connection and all calls after it.
    world.crash(other);
    for (let n = 600; n < 700; n++) {
      a.send(nobody, n);
      world.pass(100);
    }
    expect(said(a, "warn", /./)).to.equal(2);
  });

  it("counts what it leaves out where strangers fill the log, and still tells of peers", () => {
    const { world, a, b } = connected();
    const stranger = world.start(7);
    for (let n = 0; n < 1000; n++) {
      const wire = world.dial(stranger, "h:1", {
        opened: () => wire.send(Uint8Array.of(1, 2, 3)),
        received: () => undefined,
        drained: () => undefined,
        ended: () => undefined,
      });
      world.settle();
    }
    expect(said(a, "warn", /malformed/)).to.equal(20);
    world.crash(b);
    world.settle();
    expect(said(a, "warn", /the connection with 2@h:2#1 ended/)).to.equal(1);
    world.pass(20_000);
    expect(said(a, "warn", /980 more calls of others ended/)).to.equal(1);
  });

  it("takes nothing of an old life, also after the connection with the new one has ended", () => {
    const world = new World(limits);
    const a = world.start(1);
    const old = world.start(2);
    old.send(a.self, 1);
    for (let i = 0; i < 4; i++) for (const { run } of world.choices()) run();
    // Its proof is on its way now.
    const late = world.ends.find(({ at, coming }) => at === "h:1" && coming.length > 0);
    expect(late?.coming.map(({ kind }) => kind)).to.deep.equal(["frame"]);
    const kept = late?.coming.splice(0) ?? [];
    const next = world.start(2);
    a.send(next.self, 2);
    world.settle();
    expect(next.arrived).to.deep.equal([2]);
    world.crash(next);
    world.settle();
    late?.coming.push(...kept);
    world.settle();
    expect(a.all(ConnectionUp).map(({ peer }) => peer.incarnation)).to.deep.equal([2]);
  });

  it("loses nothing where calls meet after a row of failures", () => {
    const world = new World({ ...limits, idleMs: 0 });
    const b = world.start(2);
    const there = { peerId: 1, host: "h", port: 1, incarnation: 1 };
    for (let n = 0; n < 60; n++) {
      b.send(there, n);
      world.pass(100);
    }
    const lost = b.all(Dropped).length;
    const refused = downs(b).length;
    expect(refused).to.be.above(4);
    const a = world.start(1);
    const before = world.dialled.length;
    b.send(a.self, 100, "acknowledged");
    while (world.dialled.length === before) (world.pass(100, false), b.settle());
    a.send(b.self, 200);
    world.settle();
    world.pass(500);
    expect([a.arrived.at(-1), b.arrived]).to.deep.equal([100, [200]]);
    expect(b.all(Dropped).length).to.equal(lost);
    expect(downs(b).length).to.equal(refused);
    expectSound(world, true);
  });

  it("says that a queue is full and drained, and loses with a word what does not fit", () => {
    const world = new World({
      ...limits,
      queueMessagesMax: 40,
      windowBytes: 2000,
      batchBytes: 500,
    });
    const [a, b] = [world.start(1), world.start(2)];
    for (let n = 0; n < 100; n++) a.send(b.self, n, n % 3 === 0 ? "acknowledged" : null);
    expect(a.all(NetworkFull)).to.have.length(1);
    world.settle();
    world.pass(300);
    expect(a.all(NetworkDrained)).to.have.length(1);
    expect(b.arrived).to.deep.equal(Array.from({ length: 40 }, (_, n) => n));
    expect(a.all(Dropped).map(({ reason }) => reason)).to.deep.equal(
      Array.from({ length: 40 }, () => "full"),
    );
    expect(a.answers(3)).to.deep.equal(["acknowledged"]);
    expect(a.answers(99)).to.deep.equal(["failed"]);
    expectSound(world, true);
  });

  it("answers each delivery once, whatever becomes of the connection", () => {
    const { world, a, b } = connected();
    for (let n = 10; n < 30; n++) a.send(b.self, n, "acknowledged");
    a.settle();
    // They arrive, and their receipts are on their way when the wire breaks.
    const way = world.choices().find(({ at }) => at === "h:2");
    way?.run();
    for (let n = 30; n < 40; n++) a.send(b.self, n, "acknowledged");
    const [end] = world.ends.filter(({ open, over }) => open && !over);
    if (end !== undefined) world.cut(end);
    world.settle();
    world.pass(1000);
    for (let n = 10; n < 30; n++) expect(a.answers(n)).to.deep.equal(["unknown"]);
    for (let n = 30; n < 40; n++) expect(a.answers(n), String(n)).to.have.length(1);
    // A delivery over the next connection is not taken for one of the first.
    a.send(b.self, 50, "acknowledged");
    world.pass(1000);
    expect(a.answers(50)).to.deep.equal(["acknowledged"]);
    expectSound(world, true);
  });

  it("stops with nothing left behind", () => {
    const { world, a, b } = connected();
    a.send(nobody, 5);
    a.board.stop();
    world.settle();
    expect([a.timers.size, a.listener, [...a.board.links].length]).to.deep.equal([0, null, 0]);
    expect(downs(b)).to.deep.equal(["closed"]);
    // What still comes to its wires does not wake it.
    a.woken = false;
    for (const { user } of world.ends.filter(({ station }) => station === a))
      user?.received(Uint8Array.of(0));
    expect([a.woken, a.timers.size]).to.deep.equal([false, 0]);
  });
});

describe("a listening socket", () => {
  it("that is troubled shows in the log, and the network lives", () => {
    const { a } = connected();
    for (let i = 0; i < 100; i++) a.listener?.troubled(new Error("too many open files"));
    expect(said(a, "warn", /could not be taken: too many open files/)).to.equal(20);
  });
});

describe("the inbox", () => {
  it("has a limit where the host cannot stop reading", () => {
    const inbox = new Inbox(1000, 500);
    const desk = { happened: () => undefined, drained: () => undefined };
    const shake = new CalledHandshake(
      { self: nobody, cluster: "", secret: "", codec: "", fingerprint: "" },
      new Uint8Array(32),
    );
    const call = new Call(desk, "page", shake, null, 0);
    expect(inbox.floodBytes).to.be.within(1000, 100_000);
    for (let i = 0; i < 200; i++) inbox.put({ kind: "frame", call, frame: new Uint8Array(100) });
    expect(call.paused).to.equal(true);
    expect(call.inboxBytes).to.be.above(inbox.floodBytes);
    // Where it can, it is paused once, and read again when half of it has been dealt with.
    let paused = "";
    const wire = {
      waiting: 0,
      send: () => undefined,
      close: () => undefined,
      admit: () => undefined,
      pause: () => void (paused += "pause "),
      resume: () => void (paused += "resume "),
    };
    const other = new Call(desk, "peer", shake, null, 0);
    other.wire = wire;
    for (let i = 0; i < 10; i++)
      inbox.put({ kind: "frame", call: other, frame: new Uint8Array(100) });
    while (inbox.deal(() => undefined));
    expect(paused).to.equal("pause resume ");
    expect([call.inboxBytes, other.inboxBytes]).to.deep.equal([0, 0]);
  });

  it("ends a connection that floods it", () => {
    const world = new World({ ...limits, inboxBytesMax: 1000, frameBytesMax: 500 });
    const [a, b] = [world.start(1), world.start(2)];
    a.send(b.self, 1);
    world.settle();
    const end = world.ends.find((one) => one.station === b && one.open);
    // A page cannot pause: whatever comes, comes.
    for (let i = 0; i < 1000; i++) end?.user?.received(new Uint8Array(0));
    world.settle();
    expect(downs(b)).to.deep.equal(["lost"]);
    expect(said(b, "warn", /more came than can be dealt with/)).to.equal(1);
    expect(farewell.flooded).to.equal(4111);
  });
});
