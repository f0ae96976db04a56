/**
 * Routing on a ring that stands still, against an oracle: all pairs of peers, with tables that are whole, that have a
 * fifth of dead entries, and that were filled by accident. RT1 is asserted by `decide` itself at each hop; here RT2 (the
 * length) is too, and that every way ends at the owner (RT3).
 */

import { DrawStream, streamKey } from "@kith/core";
import type { PeerRef } from "@kith/network";
import { expect } from "chai";
import { chordSharp } from "./chord-sharp.ts";
import { flexible } from "./flexible.ts";
import { kary, slotAt } from "./kary.ts";
import { evenIds, type Kind, ownerOf, peerAt, viewOf } from "./kit.test.ts";
import { decide } from "./route.ts";
import { contradiction, emptyState, entryOf, learn, missed, type RouterState } from "./state.ts";
import type { Table } from "./table.ts";

const size = 4 * 2 ** 48;
const tables: Readonly<Record<Kind, () => Table>> = {
  flexible: () => flexible(64),
  kary: () => kary(8, 3),
  sharp: () => chordSharp(),
};

interface Ring {
  readonly ids: readonly number[];
  readonly refs: readonly PeerRef[];
  readonly states: readonly RouterState[];
  readonly table: Table;
  readonly at: ReadonlyMap<number, number>;
}

/** Peers that have heard of their neighbours and of some others, at random; Chord# of its fingers. */
function ringOf(ids: readonly number[], kind: Kind, others: number, seed: number, of = size): Ring {
  const table = tables[kind]();
  const refs = ids.map((id, index) => peerAt(index, id));
  const draw = new DrawStream(streamKey("static", seed));
  const states = refs.map((self, index) => {
    const state = emptyState({ self, size: of, cluster: "" });
    state.view = viewOf(refs, index, Math.min(8, Math.max(1, ids.length - 1)));
    const hear = (peer: PeerRef, after: number | null): void => {
      if (!learn(state, peer, { firstHand: false, after, now: 0 })) return;
      const entry = entryOf(state, peer);
      if (entry !== undefined) table.trim(state, entry);
    };
    const run = [state.view.predecessor, self, ...state.view.successors];
    for (const [place, peer] of run.entries())
      if (peer !== null) hear(peer, run[place - 1]?.peerId ?? null);
    for (let count = 0; kind !== "sharp" && count < others; count++) hear(draw.pick(refs), null);
    return state;
  });
  for (let level = 0; kind === "sharp" && 2 ** level < ids.length; level++)
    for (const [index, state] of states.entries()) {
      const [finger, next] = [2 ** level, 2 ** (level + 1)].map(
        (ahead) => refs[(index + ahead) % refs.length] as PeerRef,
      ) as [PeerRef, PeerRef];
      state.fingers[level] = finger;
      if (ids.length > 1) learn(state, next, { firstHand: false, now: 0 });
      table.fingerTold(
        state,
        level,
        ids.length > next.peerId && 2 ** (level + 1) >= ids.length ? null : next,
      );
    }
  return { ids, refs, states, table, at: new Map(ids.map((id, index) => [id, index])) };
}

/**
 * Walks from a peer to the owner of a key; how many hops, how many tries at the dead, and whom it passes.
 *
 * @param chooses by what equally good ways are told apart; null for nothing
 */
function walk(
  { states, table, at, ids }: Ring,
  from: number,
  key: number,
  dead: ReadonlySet<number>,
  draw: DrawStream,
  chooses: Table | null = table,
): {
  readonly owner: number;
  readonly hops: number;
  readonly tries: number;
  readonly way: readonly number[];
} {
  let here = from;
  let last = false;
  let excluded: PeerRef[] = [];
  let hops = 0;
  let tries = 0;
  let triesHere = 0;
  const way = [from];
  for (;;) {
    const state = states[here] as RouterState;
    const packet = { key, last, excluded, goal: { kind: "lookup" } as const };
    const decision = decide(state, packet, chooses, draw);
    if (decision.kind === "deliver") return { owner: ids[here] as number, hops, tries, way };
    if (decision.kind !== "forward")
      throw new Error(`From ${from} to ${key}: ${decision.kind} at ${here} after ${hops} hops.`);
    const { to, last: marked } = decision.step;
    if (hops + tries > 100) throw new Error(`From ${from} to ${key}: no end.`);
    if (dead.has(to.peerId)) {
      tries++;
      missed(state, to, 0);
      if (++triesHere >= 4) throw new Error(`From ${from} to ${key}: silence.`);
      excluded = [...excluded, to].slice(-4);
      continue;
    }
    hops++;
    triesHere = 0;
    here = at.get(to.peerId) as number;
    way.push(here);
    last = marked;
  }
}

/** One-way latencies in milliseconds: in one of five regions it is near, and far between two. */
function latencies(peers: number): { readonly of: (from: number, to: number) => number } {
  const draw = new DrawStream(streamKey("regions"));
  const regions = Array.from({ length: peers }, () => draw.below(5));
  return {
    of: (from, to) => {
      const [a = 0, b = 0] = [regions[from], regions[to]];
      return a === b ? 2 : 20 + 10 * Math.abs(a - b);
    },
  };
}

/** The first of five attempts that does not come to nothing. */
function attempts<T>(attempt: () => T): T {
  for (let left = 4; left > 0; left--)
    try {
      return attempt();
    } catch (error) {
      if (!String(error).includes("silence")) throw error;
    }
  return attempt();
}

/** All pairs take a minute; each 97th is looked at unless `KITH_ROUTER_ALL` is set. */
const stride = process.env["KITH_ROUTER_ALL"] === undefined ? 97 : 1;

const kinds = Object.keys(tables) as Kind[];

describe("ways on a ring that stands still", () => {
  const draw = new DrawStream(streamKey("walks"));

  for (const kind of kinds) {
    it(`${kind}: lead to the owner on every ring of up to 4 on 8 points, for all keys`, () => {
      for (let set = 1; set < 256; set++) {
        const ids = [0, 1, 2, 3, 4, 5, 6, 7].filter((point) => (set >> point) % 2 === 1);
        if (ids.length > 4) continue;
        const ring = ringOf(ids, kind, 20, set, 8);
        for (const from of ids.keys())
          for (let key = 0; key < 8; key++)
            expect(walk(ring, from, key, new Set(), draw).owner).to.equal(ownerOf(ids, key));
      }
    });

    it(`${kind}: RT2, between pairs of 1,000 peers, in at most ⌈log2 n⌉ hops`, () => {
      const ids = evenIds(1000, 1);
      const ring = ringOf(ids, kind, 150, 1);
      let longest = 0;
      for (const state of ring.states) expect(contradiction(state)).to.equal(undefined);
      for (const from of ids.keys())
        for (let index = from % stride; index < ids.length; index += stride) {
          const id = ids[index] as number;
          // Its own identifier, and right behind the one before: both ends of what it owns.
          const before = ids[(index + ids.length - 1) % ids.length] as number;
          const key = (from + index) % 2 === 0 ? id : (before + 1) % size;
          const { owner, hops } = walk(ring, from, key, new Set(), draw);
          if (owner !== id) expect(owner, `key ${key}`).to.equal(id);
          if (hops > longest) longest = hops;
        }
      expect(longest).to.be.within(2, 10);
    });

    it(`${kind}: find the owner where a fifth of all entries are dead`, () => {
      const ids = evenIds(500, 2);
      const dead = new Set(ids.filter((_, index) => index % 5 === 3));
      const alive = ids.filter((id) => !dead.has(id));
      const ring = ringOf(ids, kind, 200, 2);
      // The ring has closed, but the tables know nothing of it.
      const refs = alive.map((id) => ring.refs[ring.at.get(id) as number] as PeerRef);
      for (const [index, { peerId }] of refs.entries()) {
        const state = ring.states[ring.at.get(peerId) as number] as RouterState;
        state.view = viewOf(refs, index, 8);
        for (const peer of state.view.successors) learn(state, peer, { firstHand: true, now: 0 });
      }
      let longest = 0;
      for (const id of alive)
        for (let count = 0; count < 15; count++) {
          const key = draw.below(2 ** 31) * 2 ** 19;
          // As the source does: some attempts, each of which the tables learn from.
          const found = attempts(() => walk(ring, ring.at.get(id) as number, key, dead, draw));
          expect(found.owner, `key ${key}`).to.equal(ownerOf(alive, key));
          longest = Math.max(longest, found.hops - found.tries);
        }
      expect(longest).to.be.at.most(9);
    });
  }

  // Chord# has one finger for each level, and nothing to choose from.
  for (const kind of ["flexible", "kary"] as const)
    it(`${kind}: are shorter in time where round trips are known, and hardly longer in hops`, () => {
      const ids = evenIds(300, 5);
      const ring = ringOf(ids, kind, 200, 5);
      const { of } = latencies(ids.length);
      for (const [from, state] of ring.states.entries())
        for (const entry of state.entries)
          entry.roundTrip = 2 * of(from, ring.at.get(entry.peer.peerId) as number);
      const total = (chooses: Table | null): { millis: number; hops: number } => {
        let millis = 0;
        let hops = 0;
        for (const from of ids.keys())
          for (let other = from % 23; other < ids.length; other += 23) {
            const { owner, way } = walk(ring, from, ids[other] as number, new Set(), draw, chooses);
            expect(owner).to.equal(ids[other]);
            hops += way.length - 1;
            for (const [step, to] of way.slice(1).entries()) millis += of(way[step] as number, to);
          }
        return { millis, hops };
      };
      const [blind, sighted] = [total(null), total(ring.table)];
      expect(sighted.millis / blind.millis).to.be.below(0.92);
      expect(sighted.hops / blind.hops).to.be.below(1.1);
    });

  it("need log2 n hops with Chord# where identifiers are crowded, and ranges of keys differ by a factor of a million", () => {
    const crowded = Array.from({ length: 200 }, (_, index) => Math.floor(1.16 ** index) + index);
    const ring = ringOf(crowded, "sharp", 0, 3);
    let longest = 0;
    for (const from of crowded.keys())
      for (const id of crowded)
        longest = Math.max(longest, walk(ring, from, id, new Set(), draw).hops);
    expect(longest).to.be.within(4, 8);
  });

  it("end where predecessors contradict each other", () => {
    const ids = evenIds(50, 4);
    for (const kind of kinds) {
      const ring = ringOf(ids, kind, 20, 4);
      // Each third believes that a newcomer stands right before it, whom nobody else knows.
      for (const state of ring.states.filter((_, index) => index % 3 === 0)) {
        const ghost = peerAt(99, (state.self.peerId + size - 1) % size);
        state.view = { ...state.view, predecessor: ghost };
        learn(state, ghost, { firstHand: true, now: 0 });
      }
      const ghosts = new Set(ids.map((id) => (id + size - 1) % size));
      for (const from of ids.keys())
        for (const id of ids) {
          // It ends: at the owner, at nobody, or where a peer has tried four times in vain; never after 100 steps.
          try {
            walk(ring, from, (id + size - 1000) % size, ghosts, draw);
          } catch (error) {
            expect(String(error)).to.match(/nobody|silence/);
          }
        }
    }
  });
});

describe("k-ary slots", () => {
  it("cut the ring into levels, each distance into one slot, also where k does not divide it", () => {
    for (const k of [2, 3, 8])
      for (const points of [16, 64, 100, 81])
        for (let far = 1; far < points; far++) {
          const { start, width } = slotAt(far, k, points);
          expect(far, `${far} of ${points}, base ${k}`).to.be.within(start, start + width);
          const index = start / width;
          expect(Math.round(index)).to.be.within(1, k - 1);
        }
    expect(slotAt(size - 1, 8, size)).to.deep.equal({ start: (7 * size) / 8, width: size / 8 });
    expect(slotAt(1, 8, size).start).to.be.within(0.5, 1);
  });
});
