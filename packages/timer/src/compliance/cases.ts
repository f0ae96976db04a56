/** What must hold for every provider of Timer, one case each. */

import { Component, type Child, launch, restart, type System } from "@kith/core";
import { type Case, pass, type Script, until } from "@kith/testing/compliance";
import { expect } from "chai";
import { Heir, Owner, type TimerHarness } from "./harness.ts";

/** Several owners below one parent, which can do to them what parents do. */
class Family extends Component {
  readonly members: readonly Child<Owner>[];
  readonly owners: Owner[] = [];

  constructor() {
    super();
    const { owners } = this;
    const member = (base: typeof Owner): new () => Owner =>
      class extends base {
        constructor() {
          super();
          owners.push(this);
        }
      };
    this.members = [1, 2, 3].map((n) => this.create(member(Owner), {}, { name: `Owner-${n}` }));
    this.onFault(() => restart({ backoff: 0 }));
    this.heir = member(Heir);
  }

  private readonly heir: new () => Owner;

  /** The first member's component as it is now: each construction comes last. */
  get latest(): Owner {
    const last = this.owners.at(-1);
    if (last === undefined) throw new Error("no owner was created");
    return last;
  }

  child(index: number): Child<Owner> {
    const found = this.members[index];
    if (found === undefined) throw new Error(`there is no member ${index}`);
    return found;
  }

  stopFirst(): void {
    this.stop(this.child(0));
  }

  killFirst(): void {
    this.kill(this.child(0));
  }

  swapFirst(): void {
    this.swap(this.child(0), this.heir);
  }
}

/** Runs one owner, waits for its start, and hands both over. */
function* alone(
  { world }: TimerHarness,
  body: (owner: Owner, system: System<Owner>) => Script,
): Script {
  const system = launch(Owner, {}, world);
  let ready = false;
  system.enter(() => (ready = true));
  yield until("the owner has started", () => ready);
  yield* body(system.instance, system);
  // A provider that answers what was cancelled, or twice, leaves a trace.
  expect(system.deadLetters["no-asker"] ?? 0, "answers that nobody waited for").to.equal(0);
}

function* family(
  { world }: TimerHarness,
  body: (parent: Family, owners: readonly Owner[], system: System<Family>) => Script,
): Script {
  const system = launch(Family, {}, world);
  let ready = false;
  system.enter(() => (ready = true));
  yield until("the owners have started", () => ready);
  yield pass(1);
  yield* body(system.instance, [...system.instance.owners], system);
  expect(system.deadLetters["no-asker"] ?? 0, "answers that nobody waited for").to.equal(0);
}

function one(
  name: string,
  body: (owner: Owner, system: System<Owner>) => Script,
): Case<TimerHarness> {
  return { name, run: (harness) => alone(harness, body) };
}

function first<T>(list: readonly T[]): T {
  const [head] = list;
  if (head === undefined) throw new Error("the list is empty");
  return head;
}

function neverEarly(owner: Owner): void {
  for (const { n, early } of owner.noted.seen)
    expect(early, `timeout ${n} came early, in ms`).to.be.at.most(0);
}

/** A fixed permutation of 0 to count - 1. */
function shuffled(count: number): number[] {
  // 7919 is prime and divides none of the counts that are used.
  return Array.from({ length: count }, (_, i) => (i * 7919) % count);
}

/** The cases of the suite. */
export const timerCases: readonly Case<TimerHarness>[] = [
  one("a one-shot timer comes once, and not early", function* (owner, system) {
    system.enter(() => owner.arm(1, 20));
    yield until("the timeout comes", () => owner.noted.seen.length > 0);
    yield pass(60);
    expect(owner.numbers).to.deep.equal([1]);
    neverEarly(owner);
  }),
  one("a timer does not come before its time", function* (owner, system) {
    system.enter(() => owner.arm(1, 10_000));
    yield pass(40);
    expect(owner.numbers).to.deep.equal([]);
    system.enter(() => owner.arm(2, 10));
    yield until("the second timeout comes", () => owner.noted.seen.length > 0);
    expect(owner.numbers).to.deep.equal([2]);
  }),
  one("a delay of 0 comes soon, in a later turn", function* (owner, system) {
    let during = -1;
    system.enter(() => {
      owner.arm(1, 0);
      during = owner.noted.seen.length;
    });
    yield until("the timeout comes", () => owner.noted.seen.length > 0);
    expect(during).to.equal(0);
    expect(owner.numbers).to.deep.equal([1]);
  }),
  one("a fraction of a millisecond counts", function* (owner, system) {
    for (const [n, delay] of [0.001, 0.25, 0.4999, 0.5, 1.0001, 1.0015, 2.75].entries()) {
      system.enter(() => owner.arm(n, delay));
      yield until(`the timeout after ${delay} ms comes`, () => owner.noted.seen.length > n);
    }
    neverEarly(owner);
  }),
  one("timers come in the order of their times", function* (owner, system) {
    system.enter(() => {
      for (const [n, delay] of [30, 10, 40, 20, 15].entries()) owner.arm(n, delay);
    });
    yield until("all have come", () => owner.noted.seen.length >= 5);
    expect(owner.numbers).to.deep.equal([1, 4, 3, 0, 2]);
    neverEarly(owner);
  }),
  one("a timer armed later and due earlier comes first", function* (owner, system) {
    system.enter(() => owner.arm(1, 60));
    yield pass(20);
    system.enter(() => owner.arm(2, 5));
    yield until("both have come", () => owner.noted.seen.length >= 2);
    expect(owner.numbers).to.deep.equal([2, 1]);
    neverEarly(owner);
  }),
  one("a timer may be armed in the handler of another", function* (owner, system) {
    owner.react = (n) => {
      if (n < 20) owner.arm(n + 1, 1);
    };
    system.enter(() => owner.arm(1, 1));
    yield until("the chain is through", () => owner.noted.seen.length >= 20);
    expect(owner.numbers).to.deep.equal(Array.from({ length: 20 }, (_, i) => i + 1));
    neverEarly(owner);
  }),
  one("a cancelled timer does not come", function* (owner, system) {
    system.enter(() => {
      owner.arm(1, 30, "a");
      owner.arm(2, 30, "b");
    });
    yield pass(5);
    system.enter(() => owner.cancel("a"));
    yield until("the other comes", () => owner.noted.seen.length > 0);
    yield pass(60);
    expect(owner.numbers).to.deep.equal([2]);
  }),
  one("a timer may be cancelled in the turn in which it was armed", function* (owner, system) {
    system.enter(() => {
      owner.arm(1, 10, 7);
      owner.cancel(7);
      owner.cancel(7);
      owner.cancel("never armed");
    });
    yield pass(40);
    expect(owner.numbers).to.deep.equal([]);
  }),
  {
    // Which of the two comes first is nobody's business; that the other one does not come is.
    name: "a timeout that is queued already can still be cancelled",
    run: function* ({ world }) {
      const system = launch(Owner, {}, world);
      const owner = system.instance;
      let ready = false;
      system.enter(() => (ready = true));
      yield until("the owner has started", () => ready);
      owner.react = (n) => owner.cancel(n === 1 ? "second" : "first");
      system.enter(() => {
        owner.arm(1, 10, "first");
        owner.arm(2, 10, "second");
      });
      yield until("one comes", () => owner.noted.seen.length > 0);
      yield pass(40);
      expect(owner.noted.seen).to.have.length(1);
    },
  },
  one(
    "arming an id again replaces the timer, for an earlier time or a later one",
    function* (owner, system) {
      system.enter(() => {
        owner.arm(1, 20, "x");
        owner.arm(2, 60, "x");
        owner.arm(3, 90, "y");
        owner.arm(4, 10, "y");
      });
      yield until("both have come", () => owner.noted.seen.length >= 2);
      yield pass(120);
      expect(owner.numbers).to.deep.equal([4, 2]);
      neverEarly(owner);
    },
  ),
  one("an id is free again after its timer has come", function* (owner, system) {
    system.enter(() => owner.arm(1, 5, "x"));
    yield until("the first comes", () => owner.noted.seen.length >= 1);
    system.enter(() => owner.arm(2, 5, "x"));
    yield until("the second comes", () => owner.noted.seen.length >= 2);
    expect(owner.numbers).to.deep.equal([1, 2]);
  }),
  one("a periodic timer comes every period until it is cancelled", function* (owner, system) {
    let from = 0;
    system.enter(() => {
      from = owner.noted.seen.length;
      owner.repeat(1, 20, "p");
    });
    yield until("it has come five times", () => owner.noted.seen.length >= from + 5);
    const { seen } = owner.noted;
    const start = first(seen).at + first(seen).early - 20;
    for (const [i, { at }] of seen.entries()) {
      expect(Math.round((at - start) * 1000) / 1000, `time of tick ${i + 1}`).to.be.at.least(
        (i + 1) * 20,
      );
    }
    system.enter(() => owner.cancel("p"));
    yield pass(1);
    const count = owner.noted.seen.length;
    yield pass(80);
    expect(owner.noted.seen).to.have.length(count);
  }),
  one("a periodic timer comes no more often than its period says", function* (owner, system) {
    let start = 0;
    system.enter(() => {
      owner.repeat(1, 10, "p");
      owner.arm(2, 0);
    });
    yield until("the beginning is known", () => owner.noted.seen.length >= 1);
    start = first(owner.noted.seen).at;
    yield pass(100);
    const ticks = owner.noted.seen.filter(({ n }) => n === 1);
    const elapsed = (ticks.at(-1)?.at ?? start) - start;
    expect(ticks.length).to.be.at.least(3);
    // One more for the time between arming and the first look at the clock.
    expect(ticks.length).to.be.at.most(Math.floor(elapsed / 10) + 1);
  }),
  one("a periodic timer has a first delay of its own", function* (owner, system) {
    system.enter(() => {
      owner.repeat(1, 1000, "late", 10);
      owner.repeat(2, 15, "early", 60);
    });
    yield until(
      "the second has come twice",
      () => owner.numbers.filter((n) => n === 2).length >= 2,
    );
    expect(owner.numbers.slice(0, 3)).to.deep.equal([1, 2, 2]);
    expect(first(owner.noted.seen).early).to.be.at.most(0);
    expect(owner.noted.seen[1]?.early).to.be.at.most(0);
    system.enter(() => {
      owner.cancel("late");
      owner.cancel("early");
    });
    yield pass(5);
  }),
  one("a long delay is not cut short", function* (owner, system) {
    // Beyond the 2^31 milliseconds that hosts' timers count.
    for (const [n, delay] of [2 ** 31 + 5, 2 ** 32 + 5, 3e10].entries())
      system.enter(() => owner.arm(n, delay));
    yield pass(40);
    expect(owner.numbers).to.deep.equal([]);
  }),
  one("10,000 timers come, all of them, in the order of their times", function* (owner, system) {
    const count = 10_000;
    system.enter(() => {
      for (const n of shuffled(count)) owner.arm(n, 20 + n / 50, n);
      owner.arm(-1, 0);
    });
    yield until("all have come", () => owner.noted.seen.length > count, 20_000);
    // Time may pass while a provider takes all these requests, and a timer's time counts from when it is
    // taken. The one armed last shows how much: none in a virtual world.
    const last = owner.noted.seen.find(({ n }) => n === -1);
    const taking = last === undefined ? NaN : -last.early;
    const seen = owner.numbers.filter((n) => n >= 0);
    expect(new Set(seen).size).to.equal(count);
    let latest = 0;
    for (const n of seen) {
      latest = Math.max(latest, n);
      expect((latest - n) / 50, `${n} after ${latest}`).to.be.at.most(taking + 0.0001);
    }
    neverEarly(owner);
  }),
  one("10,000 timers can be cancelled", function* (owner, system) {
    const count = 10_000;
    system.enter(() => {
      for (const n of shuffled(count)) owner.arm(n, 500 + n / 50, n);
    });
    // The provider takes them in this order, so all are armed, however long that takes.
    system.enter(() => {
      for (let n = 0; n < count; n++) if (n % 1000 !== 0) owner.cancel(n);
    });
    yield until("the ten that are left come", () => owner.noted.seen.length >= 10);
    yield pass(300);
    // In what order is another case's question: here time may pass from one request to the next.
    const left = owner.numbers.toSorted((a, b) => a - b);
    expect(left).to.deep.equal(Array.from({ length: 10 }, (_, i) => i * 1000));
  }),
  {
    name: "owners that use the same ids do not disturb each other",
    run: (harness) =>
      family(harness, function* (_, owners, system) {
        for (const [i, owner] of owners.entries())
          system.enter(() => owner.arm(i, 20 + i * 5, "same"), `/Family-1/Owner-${i + 1}`);
        yield pass(5);
        system.enter(() => owners[1]?.cancel("same"), "/Family-1/Owner-2");
        yield until(
          "the other two come",
          () => owners.flatMap((owner) => owner.numbers).length >= 2,
        );
        yield pass(40);
        expect(owners.map((owner) => owner.numbers)).to.deep.equal([[0], [], [2]]);
      }),
  },
  ...(["stopFirst", "killFirst"] as const).map((end): Case<TimerHarness> => ({
    name:
      end === "stopFirst"
        ? "stopping the owner cancels its timers"
        : "killing the owner cancels its timers",
    run: (harness) =>
      family(harness, function* (parent, owners, system) {
        const owner = first(owners);
        system.enter(() => {
          owner.arm(1, 30);
          owner.repeat(2, 30, "p");
        }, "/Family-1/Owner-1");
        system.enter(() => owners[1]?.arm(3, 40), "/Family-1/Owner-2");
        yield pass(5);
        system.enter(() => parent[end]());
        yield until("the other owner's timer comes", () => owners[1]?.numbers.length === 1);
        yield pass(60);
        expect(owner.numbers).to.deep.equal([]);
      }),
  })),
  {
    name: "restarting the owner cancels its timers, and the new one can arm its own",
    run: (harness) =>
      family(harness, function* (parent, owners, system) {
        const owner = first(owners);
        system.enter(() => {
          owner.arm(1, 30, "x");
          owner.repeat(2, 30, "p");
        }, "/Family-1/Owner-1");
        yield pass(5);
        system.enter(() => owner.fail(), "/Family-1/Owner-1");
        yield until("it is restarted", () => parent.latest !== owners[2]);
        const next = parent.latest;
        system.enter(() => next.arm(3, 20, "x"), "/Family-1/Owner-1");
        yield until("its own timer comes", () => next.numbers.length > 0);
        yield pass(80);
        expect([owner.numbers, next.numbers]).to.deep.equal([[], [3]]);
      }),
  },
  {
    name: "timers survive the owner's swap",
    run: (harness) =>
      family(harness, function* (parent, owners, system) {
        const owner = first(owners);
        system.enter(() => {
          owner.arm(1, 40, "x");
          owner.arm(2, 60, "y");
          owner.repeat(3, 50, "p");
        }, "/Family-1/Owner-1");
        yield pass(5);
        system.enter(() => parent.swapFirst());
        yield until("it is replaced", () => parent.latest instanceof Heir);
        const heir = parent.latest;
        system.enter(() => heir.cancel("y"), "/Family-1/Owner-1");
        yield until("the timers come to the heir", () => heir.numbers.length >= 3);
        expect(heir.numbers.slice(0, 3)).to.deep.equal([1, 3, 3]);
        expect(heir.noted.seen.slice(0, 2).every(({ early }) => early <= 0)).to.equal(true);
        system.enter(() => heir.cancel("p"), "/Family-1/Owner-1");
        yield pass(5);
      }),
  },
  {
    name: "timers survive the provider's swap",
    applies: (harness) => harness.swapProvider !== undefined,
    run: (harness) =>
      alone(harness, function* (owner, system) {
        system.enter(() => {
          owner.arm(1, 40, "x");
          owner.arm(2, 60, "y");
          owner.repeat(3, 25, "p");
        });
        yield pass(5);
        harness.swapProvider?.(system);
        yield pass(5);
        system.enter(() => owner.cancel("y"));
        yield until("the timers come", () => owner.numbers.length >= 3);
        expect(owner.numbers.slice(0, 3)).to.deep.equal([3, 1, 3]);
        expect(owner.noted.seen.slice(0, 2).every(({ early }) => early <= 0)).to.equal(true);
        system.enter(() => owner.cancel("p"));
        yield pass(60);
        expect(owner.numbers).to.not.include(2);
      }),
  },
  {
    name: "after a long pause a periodic timer comes once, not once for each period missed",
    applies: (harness) => harness.lag !== undefined,
    run: (harness) =>
      alone(harness, function* (owner, system) {
        system.enter(() => owner.repeat(1, 20, "p"));
        yield until("it has come", () => owner.numbers.length > 0);
        const before = owner.numbers.length;
        harness.lag?.(400);
        yield until("it comes again", () => owner.numbers.length > before);
        // A provider that made up for the pause would give twenty in one go.
        const since = owner.noted.seen.slice(before).map(({ at }) => at);
        expect(since.length).to.be.at.most(2 + ((since.at(-1) ?? 0) - (since[0] ?? 0)) / 20);
        system.enter(() => owner.cancel("p"));
        yield pass(5);
      }),
  },
];
