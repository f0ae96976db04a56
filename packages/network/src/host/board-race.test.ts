/**
 * Two switchboards that call each other, in every order in which what they do can reach them. Orders that differ
 * only in what happens at different stations are the same to both, and are tried once (sleep sets).
 */

import { expect } from "chai";
import { ConnectionDown, ConnectionUp, Dropped } from "../index.ts";
import { type Choice, expectSound, World } from "./board-kit.test.ts";

const limits = {
  handshakeMs: 1000,
  heartbeatMs: 500,
  silenceMs: 2000,
  backOffMs: 100,
  backOffMsMax: 400,
};

/** Where an act has its effect that concerns both. */
const everywhere = "";

interface Scene {
  readonly world: World;
  /** What may happen once, at any time, besides what is brought. */
  readonly acts: Choice[];
}

interface Explored {
  readonly orders: number;
  readonly complete: boolean;
}

/** Runs a scene in all orders, or so many of them. */
function explore(make: () => Scene, check: (scene: Scene) => void, ordersMax = 3000): Explored {
  let orders = 0;
  // What is left to try: the way there, its last step included, and what needs no trying afterwards.
  const left: {
    readonly steps: readonly string[];
    readonly asleep: ReadonlyMap<string, string>;
  }[] = [{ steps: [], asleep: new Map() }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const scene = make();
    const choicesOf = (): Choice[] => [...scene.acts, ...scene.world.choices()];
    const step = (name: string): void => {
      const choice = choicesOf().find((one) => one.name === name);
      if (choice === undefined) throw new Error(`there is no ${name}`);
      const act = scene.acts.indexOf(choice);
      if (act >= 0) scene.acts.splice(act, 1);
      choice.run();
    };
    for (const name of next.steps) step(name);
    const steps = [...next.steps];
    let asleep = next.asleep;
    for (let choices = choicesOf(); ; choices = choicesOf()) {
      const awake = choices.filter(({ name }) => !asleep.has(name));
      const [first] = awake;
      if (first === undefined) {
        // Where all that can happen sleeps, an order like this one has been tried.
        if (choices.length === 0) {
          orders++;
          try {
            check(scene);
          } catch (cause) {
            throw new Error(`${String(cause)} in the order: ${steps.join(", ")}`, { cause });
          }
        }
        break;
      }
      const done = new Map(asleep);
      const sleeping = awake.map(({ name, at }) => {
        const after = new Map(
          [...done].filter(
            ([, other]) => other !== at && other !== everywhere && at !== everywhere,
          ),
        );
        done.set(name, at);
        return after;
      });
      awake.forEach(({ name }, i) => {
        if (i > 0) left.push({ steps: [...steps, name], asleep: sleeping[i] ?? new Map() });
      });
      asleep = sleeping[0] ?? new Map();
      step(first.name);
      steps.push(first.name);
    }
    if (orders >= ordersMax) return { orders, complete: false };
  }
  return { orders, complete: true };
}

function two(): { world: World; a: ReturnType<World["start"]>; b: ReturnType<World["start"]> } {
  const world = new World(limits);
  return { world, a: world.start(1), b: world.start(2) };
}

function sends(
  from: ReturnType<World["start"]>,
  to: ReturnType<World["start"]>,
  ...numbers: number[]
): Choice {
  return {
    name: `${from.self.port} sends ${numbers.join()}`,
    at: `h:${from.self.port}`,
    run: () => {
      for (const n of numbers) from.send(to.self, n, n % 2 === 0 ? "acknowledged" : null);
      from.settle();
    },
  };
}

describe("switchboards that call each other, in all orders", () => {
  it("have one connection, lose nothing, and never say that it ended", () => {
    const { orders, complete } = explore(
      () => {
        const { world, a, b } = two();
        return { world, acts: [sends(a, b, 1, 2), sends(b, a, 3, 4)] };
      },
      ({ world }) => {
        world.pass(600);
        expectSound(world, true);
        expect(world.wires).to.equal(1);
        for (const [i, station] of world.lives.entries()) {
          expect(station.all(ConnectionUp)).to.have.length(1);
          expect(station.all(ConnectionDown)).to.deep.equal([]);
          expect(station.all(Dropped)).to.deep.equal([]);
          expect(station.arrived).to.deep.equal(i === 0 ? [3, 4] : [1, 2]);
        }
      },
    );
    console.log(`      ${orders} orders`);
    expect(complete).to.equal(true);
    expect(orders).to.be.above(20);
  });

  it("have one connection also where the calls of one are refused", () => {
    const { complete } = explore(
      () => {
        const { world, a, b } = two();
        world.closed.add("h:1");
        return { world, acts: [sends(a, b, 1, 2), sends(b, a, 3, 4)] };
      },
      ({ world }) => {
        world.pass(1500);
        expectSound(world, true);
        expect(world.wires).to.equal(1);
        const [a, b] = world.lives;
        expect(a?.arrived.length).to.equal(
          2 - (b?.all(Dropped).length ?? 0) - unasked(b, "failed"),
        );
        expect(b?.arrived).to.deep.equal([1, 2]);
      },
    );
    expect(complete).to.equal(true);
  });

  it("lose only with a word where a wire breaks at any time", () => {
    const { orders } = explore(
      () => {
        const { world, a, b } = two();
        const cut: Choice = {
          name: "a wire breaks",
          at: everywhere,
          run: () => {
            const end = world.ends.find(({ over }) => !over);
            if (end !== undefined) world.cut(end);
          },
        };
        return { world, acts: [cut, sends(a, b, 1, 2), sends(b, a, 3, 4)].reverse() };
      },
      ({ world }) => {
        world.pass(1500);
        expectSound(world, true);
        expect(world.wires).to.be.at.most(1);
      },
      500,
    );
    expect(orders).to.be.above(100);
  });

  it("lose only with a word where one restarts at any time, and know the new life", () => {
    const { orders } = explore(
      () => {
        const { world, a, b } = two();
        const restart: Choice = {
          name: "2 restarts",
          at: "h:2",
          run: () => {
            world.crash(b);
            const next = world.start(2);
            next.send(a.self, 5, "acknowledged");
            next.settle();
          },
        };
        return { world, acts: [restart, sends(a, b, 1), sends(b, a, 3)] };
      },
      ({ world }) => {
        world.pass(1500);
        expectSound(world, true);
        expect(world.wires).to.be.at.most(1);
        const [a, , next] = world.lives;
        const last = a?.all(ConnectionUp).at(-1);
        if (world.wires === 1) expect(last?.peer.incarnation).to.equal(2);
        // The dead can still be heard, but not after the living.
        const heard = (a?.all(ConnectionUp) ?? []).map(({ peer }) => peer.incarnation);
        expect(heard).to.deep.equal(heard.toSorted((x, y) => x - y));
        expect(next?.answers(5)).to.have.length(1);
      },
      500,
    );
    expect(orders).to.be.above(100);
  });
});

function unasked(station: ReturnType<World["start"]> | undefined, status: string): number {
  return (station?.told ?? []).filter((one) => "status" in one && one.status === status).length;
}
