/**
 * Carrying over: what a replacement inherits beyond queue and state, in a swap of a composite (children
 * made at run time, holds and wires within, swaps within) and in a restart.
 */

import { expect } from "chai";
import type { ChildHandle } from "./child.ts";
import {
  AskTimeout,
  type Channel,
  type Child,
  Component,
  event,
  type Fault,
  type FaultPolicy,
  type KithError,
  launch,
  ManualWorld,
  port,
  type ReplyToken,
  request,
  restart,
  SchedulePeriodic,
  ScheduleTimeout,
  type System,
  Timer,
  timeout,
} from "./index.ts";

class Note extends event("carry/Note")<{ readonly n: number }> {}
class Reply extends event("carry/Reply")<{ readonly n: number }> {}
class Wish extends request("carry/Wish", Reply)<{ readonly n: number }> {}
const Notes = port("Notes", { requests: [Note, Wish] });
class Tick extends timeout("carry/Tick")<{ readonly n: number }> {}

let log: string[] = [];

function instanceOf<C extends Component>(child: Child<C>): C {
  return (child as unknown as ChildHandle).core.instance as C;
}

function note(
  component: { readonly notes: { trigger(note: Note): void } },
  ...numbers: number[]
): void {
  for (const n of numbers) component.notes.trigger(new Note({ n }));
}

/** Sends notes, asks, and sets timers. */
class Sender extends Component {
  readonly notes = this.requires(Notes);
  readonly timer = this.requires(Timer);
  readonly wish = this.notes.onAnswer(Wish, (answer, { n }) => {
    log.push(`wish ${n}: ${answer instanceof AskTimeout ? "timeout" : answer.n}`);
  });

  constructor() {
    super();
    this.timer.on(Tick, ({ n }) => void log.push(`tick ${n}`));
  }

  after(delay: number, n: number): void {
    this.timer.trigger(new ScheduleTimeout({ delay, timeout: new Tick({ n }) }));
  }

  every(period: number, n: number): void {
    this.timer.trigger(new SchedulePeriodic({ period, timeout: new Tick({ n }) }));
  }
}

class Taker extends Component {
  readonly notes = this.provides(Notes);
  readonly state = this.declareState<{ seen: number; tokens: ReplyToken<Reply>[] }>({
    seen: 0,
    tokens: [],
  });

  constructor() {
    super();
    this.notes.on(Note, ({ n }) => {
      log.push(`note ${n}`);
      this.state.seen++;
      for (const token of this.state.tokens) this.notes.reply(token, new Reply({ n }));
      this.state.tokens = [];
    });
    this.notes.on(Wish, (_, token) => void this.state.tokens.push(token));
  }
}

/** A composite with a wire of its own, which it holds, resumes and plugs elsewhere. */
class Box extends Component {
  readonly sender = this.create(Sender, {}, { name: "sender" });
  readonly first = this.create(Taker, {}, { name: "first" });
  readonly second = this.create(Taker, {}, { name: "second" });
  readonly wire: Channel<typeof Notes> = this.connect(
    this.first.ports.notes,
    this.sender.ports.notes,
  );

  rewire(): void {
    this.wire.unplug("provider");
    this.wire.plug(this.second.ports.notes);
  }
}

/** Its channel is held from the beginning, until somebody resumes it. */
class HeldBox extends Box {
  constructor() {
    super();
    this.wire.hold();
  }
}

class Top extends Component {
  readonly box = this.create(boxes[boxClass] as typeof Box, {}, { name: "box" });
}

let boxClass = 0;
const boxes: (new () => Component)[] = [Box, HeldBox];

function boxScene(held = false) {
  log = [];
  boxClass = held ? 1 : 0;
  const world = new ManualWorld();
  const system = launch(Top, {}, world);
  world.settle();
  const box = (): Box => instanceOf(system.instance.box);
  const inBox = (action: (box: Box) => void): void => {
    system.enter(() => action(box()), system.instance.box);
    world.step();
  };
  const inSender = (action: (sender: Sender) => void): void => {
    const { sender } = box();
    system.enter(() => action(instanceOf(sender)), sender);
    world.step();
  };
  const swap = (
    cls: new () => Component,
    discard = false,
    place = "/Top-1/box",
  ): Promise<unknown> => {
    const swapped = system.swap(place, cls, {}, { discard });
    return swapped.catch((error: KithError) => error.code ?? error.message);
  };
  return { world, system, box, inBox, inSender, swap };
}

describe("the inside of a composite that is swapped", () => {
  it("keeps the holds of its channels, with what they keep", async () => {
    const { world, inBox, inSender, swap, system } = boxScene();
    inBox((box) => box.wire.hold());
    inSender((sender) => note(sender, 1, 2));
    const swapped = swap(Box);
    world.settle();
    expect(await swapped).property("carried");
    expect(log).deep.equal([]);
    inSender((sender) => note(sender, 3));
    world.settle();
    expect(log).deep.equal([]);
    inBox((box) => box.wire.resume());
    world.settle();
    expect(log).deep.equal(["note 1", "note 2", "note 3"]);
    expect(system.deadLetters).deep.equal({});
  });

  it("is not held again where its constructor holds and it was resumed since", () => {
    const { world, inBox, inSender, swap } = boxScene(true);
    inBox((box) => box.wire.resume());
    void swap(HeldBox);
    world.settle();
    inSender((sender) => note(sender, 1));
    world.settle();
    expect(log).deep.equal(["note 1"]);
  });

  it("is wired as it was rewired, held or free at one end", () => {
    const { world, inBox, inSender, swap, box, system } = boxScene();
    inBox((one) => one.rewire());
    inSender((sender) => note(sender, 1));
    void swap(Box);
    world.settle();
    inSender((sender) => note(sender, 2));
    world.settle();
    expect(log).deep.equal(["note 1", "note 2"]);
    expect(instanceOf(box().second).state.seen).equal(2);
    inBox((one) => {
      one.wire.hold();
      one.wire.unplug("provider");
    });
    inSender((sender) => note(sender, 3));
    void swap(Box);
    world.settle();
    inBox((one) => {
      one.wire.plug(one.first.ports.notes);
      one.wire.resume();
    });
    world.settle();
    expect(log.at(-1)).equal("note 3");
    expect(instanceOf(box().first).state.seen).equal(1);
    expect(system.deadLetters).deep.equal({});
  });

  it("keeps asks between children, to be answered by the new ones, and timers over many swaps", () => {
    const { world, inSender, swap, system } = boxScene();
    inSender((sender) => {
      sender.wish(new Wish({ n: 1 }));
      sender.wish(new Wish({ n: 2 }), { timeout: 1000 });
      sender.every(10, 5);
      sender.after(25, 6);
    });
    for (let n = 0; n < 5; n++) {
      void swap(Box);
      world.advance(5);
    }
    expect(log).deep.equal(["tick 5", "tick 5", "tick 6"]);
    inSender((sender) => note(sender, 7));
    world.settle();
    expect(log.slice(3)).deep.equal(["note 7", "wish 1: 7", "wish 2: 7"]);
    world.advance(2000);
    expect(log.filter((line) => line.includes("timeout"))).deep.equal([]);
    expect(system.deadLetters).deep.equal({});
  });

  it("refuses a replacement whose wires do not lead an outstanding answer back", async () => {
    const { world, inSender, swap } = boxScene();
    class CrossBox extends Component {
      readonly sender = this.create(Sender, {}, { name: "sender" });
      readonly first = this.create(Taker, {}, { name: "first" });
      readonly second = this.create(Taker, {}, { name: "second" });

      constructor() {
        super();
        this.connect(this.second.ports.notes, this.sender.ports.notes);
      }
    }
    inSender((sender) => sender.wish(new Wish({ n: 1 })));
    world.settle();
    const refused = swap(CrossBox);
    world.settle();
    expect(await refused).equal("KITH_SWAP_PORT");
    inSender((sender) => note(sender, 2));
    world.settle();
    expect(log).deep.equal(["note 2", "wish 1: 2"]);
    const swapped = swap(CrossBox);
    world.settle();
    expect(await swapped).property("carried");
  });

  it("waits for swaps within it, which come to their end first", async () => {
    const { world, system, inSender, swap, box } = boxScene();
    class OtherTaker extends Taker {}
    instanceOf(box().first)["enter"](() => log.push("entered"));
    inSender((sender) => note(sender, 1));
    const within = system.swap("/Top-1/box/first", OtherTaker);
    const whole = swap(Box);
    inSender((sender) => note(sender, 2));
    world.settle();
    expect((await within).name).equal("first");
    expect(await whole).property("carried");
    expect(log.filter((line) => line.startsWith("note"))).deep.equal(["note 1", "note 2"]);
    expect(instanceOf(box().first).state.seen).equal(2);
  });

  it("drops a child where that is allowed, and cancels its timers at the provider", async () => {
    const { world, inSender, swap, system } = boxScene();
    class Smaller extends Component {
      readonly first = this.create(Taker, {}, { name: "first" });
    }
    inSender((sender) => {
      sender.after(10, 1);
      sender.wish(new Wish({ n: 1 }), { timeout: 20 });
    });
    world.settle();
    const refused = swap(Smaller);
    world.settle();
    expect(await refused).equal("KITH_SWAP_CHILD_LOST");
    const swapped = swap(Smaller, true);
    world.settle();
    expect(await swapped)
      .property("discarded")
      .include("/Top-1/box/sender");
    world.advance(100);
    expect(log).deep.equal([]);
    expect(system.deadLetters).deep.equal({});
    expect(system.tree()).not.include("sender");
  });
});

describe("ports of a replacement", () => {
  class Plain extends Component {
    readonly notes = this.requires(Notes);
  }
  class WithTimer extends Plain {
    readonly timer = this.requires(Timer);

    constructor() {
      super();
      this.timer.on(Tick, ({ n }) => void log.push(`tick ${n}`));
      this.onAcquire(() =>
        this.timer.trigger(new ScheduleTimeout({ delay: 5, timeout: new Tick({ n: 1 }) })),
      );
    }
  }
  class Owner extends Component {
    readonly taker = this.create(Taker, {}, { name: "taker" });
    readonly user = this.create(Plain, {}, { name: "user" });
    readonly wire: Channel<typeof Notes> = this.connect(
      this.taker.ports.notes,
      this.user.ports.notes,
    );
  }

  it("are resolved by offers where they are new", async () => {
    log = [];
    const world = new ManualWorld();
    const system = launch(Owner, {}, world);
    world.settle();
    const swapped = system.swap("/Owner-1/user", WithTimer);
    world.advance(5);
    await swapped;
    expect(log).deep.equal(["tick 1"]);
    expect(system.deadLetters).deep.equal({});
  });

  it("stay unconnected where somebody cut their channels, and no offer comes in their place", async () => {
    const world = new ManualWorld();
    const system = launch(Owner, {}, world);
    world.settle();
    system.instance.wire.disconnect();
    const swapped = system.swap("/Owner-1/user", WithTimer);
    world.settle();
    expect(await swapped).property("name", "user");
    const user = instanceOf(system.instance.user);
    system.enter(() => note(user, 1), system.instance.user);
    world.settle();
    expect(system.deadLetters).deep.equal({ "no-channel": 1 });
  });

  it("stay free where an end was unplugged, until another one is plugged in", async () => {
    log = [];
    const world = new ManualWorld();
    const system = launch(Owner, {}, world);
    world.settle();
    const { wire, taker } = system.instance;
    wire.hold();
    wire.unplug("provider");
    system.enter(() => note(instanceOf(system.instance.user), 1), system.instance.user);
    world.settle();
    const swapped = system.swap("/Owner-1/user", Plain);
    world.settle();
    await swapped;
    wire.plug(taker.ports.notes);
    wire.resume();
    world.settle();
    expect(log).deep.equal(["note 1"]);
  });
});

/** Makes children while it runs, one for each guest, and again when it takes over. */
class Inn extends Component {
  readonly state = this.declareState<{ guests: string[] }>({ guests: [] });
  readonly rooms = new Map<string, Child<Sender>>();

  importState(state: { guests: string[] }): void {
    this.state.guests = state.guests;
    for (const name of state.guests) this.room(name);
  }

  arrive(name: string): void {
    this.state.guests.push(name);
    this.room(name);
  }

  depart(name: string): void {
    this.state.guests = this.state.guests.filter((guest) => guest !== name);
    this.kill(this.rooms.get(name) as Child<Sender>);
  }

  private room(name: string): void {
    this.rooms.set(name, this.create(Sender, {}, { name }));
  }
}

class Street extends Component {
  readonly inn = this.create(Inn, {}, { name: "inn" });
  readonly taker = this.create(Taker, {}, { name: "taker" });

  constructor() {
    super();
    this.offers(this.taker.ports.notes);
  }
}

describe("children made at run time", () => {
  function street() {
    log = [];
    const world = new ManualWorld();
    const system = launch(Street, {}, world);
    world.settle();
    const inn = (): Inn => instanceOf(system.instance.inn);
    const inInn = (action: (inn: Inn) => void): void => {
      system.enter(() => action(inn()), system.instance.inn);
    };
    const inRoom = (name: string, action: (sender: Sender) => void): void => {
      const room = inn().rooms.get(name) as Child<Sender>;
      system.enter(() => action(instanceOf(room)), room);
    };
    return { world, system, inn, inInn, inRoom };
  }

  it("are found again by name when the replacement makes them, with their timers and asks", async () => {
    const { world, system, inInn, inRoom } = street();
    inInn((inn) => inn.arrive("ann"));
    inInn((inn) => inn.arrive("bob"));
    world.settle();
    inRoom("ann", (ann) => {
      ann.after(10, 1);
      ann.wish(new Wish({ n: 1 }));
    });
    world.settle();
    const swapped = system.swap("/Street-1/inn", Inn);
    world.settle();
    expect((await swapped).discarded).deep.equal([]);
    inRoom("bob", (bob) => note(bob, 9));
    world.advance(10);
    expect(log).deep.equal(["note 9", "wish 1: 9", "tick 1"]);
    expect(system.deadLetters).deep.equal({});
    expect(system.toString()).include("6 components");
  });

  it("may come and go while the swap drains", async () => {
    const { world, system, inInn, inRoom } = street();
    inInn((inn) => inn.arrive("ann"));
    world.settle();
    inInn(() => undefined);
    const swapped = system.swap("/Street-1/inn", Inn);
    inInn((inn) => inn.arrive("bob"));
    inInn((inn) => inn.depart("ann"));
    world.settle();
    await swapped;
    expect(system.tree())
      .match(/bob \(Sender, started\)/)
      .not.include("ann");
    inRoom("bob", (bob) => note(bob, 3));
    world.settle();
    expect(log).deep.equal(["note 3"]);
    expect(system.toString()).include("5 components");
  });
});

// --- restart ---------------------------------------------------------------------------------------

class Burst extends event("carry/Burst") {}
const Bursts = port("Bursts", { requests: [Note, Burst, Wish] });

/** Counts in a field, which a restart forgets; throws at a burst. */
class Fragile extends Component {
  readonly bursts = this.provides(Bursts);
  readonly notes = this.requires(Notes);
  readonly timer = this.requires(Timer);
  readonly part = this.create(Part, {}, { name: "part" });
  readonly wish = this.notes.onAnswer(Wish, (answer, { n }) => {
    log.push(`wish ${n}: ${answer instanceof AskTimeout ? "timeout" : answer.n}`);
  });
  #seen = 0;

  constructor(init: { list: number[]; constructorThrows?: boolean }) {
    super();
    constructed.push([...init.list]);
    init.list.push(99);
    if (init.constructorThrows === true && constructed.length > 1) throw new Error("constructor");
    this.bursts.on(Note, ({ n }) => void log.push(`note ${n} as number ${++this.#seen}`));
    this.bursts.on(Burst, () => {
      this.timer.trigger(new ScheduleTimeout({ delay: 5, timeout: new Tick({ n: 1 }) }));
      this.wish(new Wish({ n: 1 }), { timeout: 8 });
      throw new Error("burst");
    });
    this.timer.on(Tick, ({ n }) => void log.push(`tick ${n}`));
    this.onAcquire(() => void log.push("acquire"));
    this.onRelease(() => void log.push("release"));
    this.onStart(() => void log.push("start"));
    this.onStop(() => void log.push("stop"));
  }
}

class Part extends Component {
  constructor() {
    super();
    this.onStart(() => void log.push("start part"));
  }
}

let constructed: number[][] = [];

class Feeder extends Component {
  readonly bursts = this.requires(Bursts);
}

class House extends Component {
  readonly fragile: Child<Fragile>;
  readonly feeder = this.create(Feeder, {}, { name: "feeder" });
  readonly taker = this.create(Taker, {}, { name: "taker" });
  readonly faults: Fault[] = [];

  constructor(init: { policy: string; constructorThrows?: boolean }) {
    super();
    const onFault: FaultPolicy = (fault) => {
      this.faults.push(fault);
      return policies[init.policy]?.(fault) ?? "escalate";
    };
    const { constructorThrows = false } = init;
    this.fragile = this.create(
      Fragile,
      { list: [1, 2], constructorThrows },
      { name: "fragile", onFault },
    );
    this.connect(this.fragile.ports.bursts, this.feeder.ports.bursts);
    this.connect(this.taker.ports.notes, this.fragile.ports.notes);
  }

  stopFragile(): void {
    this.stop(this.fragile);
  }
}

const policies: Readonly<Record<string, FaultPolicy>> = {
  restart: () => restart(),
  limited: () => restart({ limit: 2, within: 1000 }),
  backoff: () => restart({ backoff: 10, factor: 2, limit: 10, backoffMax: 35 }),
};

function house(policy: string, constructorThrows = false) {
  log = [];
  constructed = [];
  const world = new ManualWorld();
  const system: System<House> = launch(House, { policy, constructorThrows }, world);
  world.settle();
  const feed = (...events: (Note | Burst)[]): void => {
    const { feeder } = system.instance;
    system.enter(() => events.forEach((one) => instanceOf(feeder).bursts.trigger(one)), feeder);
  };
  return { world, system, feed };
}

const notes = (...numbers: number[]): Note[] => numbers.map((n) => new Note({ n }));

describe("a restart", () => {
  it("forgets the state and keeps the queue, in order, and the channels", () => {
    const { world, feed, system } = house("restart");
    feed(...notes(1, 2), new Burst(), ...notes(3, 4));
    world.settle();
    expect(log.filter((line) => line !== "start part")).deep.equal([
      ...["acquire", "start", "note 1 as number 1", "note 2 as number 2"],
      ...["release", "acquire", "start", "note 3 as number 1", "note 4 as number 2"],
    ]);
    expect(log.filter((line) => line === "start part").length).equal(2);
    expect(system.deadLetters).deep.equal({});
  });

  it("begins from the init as it was given", () => {
    const { world, feed } = house("restart");
    feed(new Burst(), new Burst());
    world.settle();
    expect(constructed).deep.equal([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
  });

  it("cancels timers and asks; a late reply is a dead letter", () => {
    const { world, feed, system } = house("restart");
    feed(new Burst());
    world.settle();
    log = [];
    const { taker } = system.instance;
    const { tokens } = instanceOf(taker).state;
    expect(tokens.length).equal(1);
    const reply = (): void =>
      instanceOf(taker).notes.reply(tokens[0] as ReplyToken<Reply>, new Reply({ n: 1 }));
    system.enter(reply, taker);
    world.advance(100);
    expect(log).deep.equal([]);
    expect(system.deadLetters).deep.equal({ "no-asker": 1 });
  });

  it("turns callbacks of the failed instance into dead letters", () => {
    const { world, feed, system } = house("restart");
    const old = instanceOf(system.instance.fragile);
    feed(new Burst());
    while (old["enter"] !== undefined && !system.tree().includes("faulted")) world.step();
    old["enter"](() => log.push("entered"));
    world.settle();
    old["enter"](() => log.push("entered"));
    world.settle();
    expect(log).not.include("entered");
    expect(system.deadLetters).deep.equal({ "no-component": 2 });
  });

  it("is done as often as the limit says, and then escalates to the system", async () => {
    const { world, feed, system } = house("limited");
    const done = system.done.catch((error: KithError) => error);
    feed(new Burst(), ...notes(1), new Burst(), ...notes(2), new Burst(), ...notes(3));
    world.settle();
    expect(await done).property("code", "KITH_RESTART_LIMIT");
    expect(constructed.length).equal(3);
    expect(log.filter((line) => line.startsWith("note"))).deep.equal([
      "note 1 as number 1",
      "note 2 as number 1",
    ]);
    expect(system.tree()).match(/House-1 \(House, faulted/);
    expect(system.tree()).match(/fragile \(Fragile, faulted, 1 queued\)/);
  });

  it("may be done again once the time of the limit is over", () => {
    const { world, feed, system } = house("limited");
    for (let n = 0; n < 6; n++) {
      feed(new Burst());
      world.advance(501);
    }
    expect(system.tree()).include("fragile (Fragile, started)");
    expect(constructed.length).equal(7);
  });

  it("waits for the back-off, which grows up to its bound", () => {
    const { world, feed } = house("backoff");
    const waits: number[] = [];
    for (let n = 0; n < 4; n++) {
      feed(new Burst());
      world.settle();
      let waited = 0;
      for (const before = constructed.length; constructed.length === before; waited++)
        world.advance(1);
      waits.push(waited);
    }
    expect(waits).deep.equal([10, 20, 35, 35]);
  });

  it("counts a constructor that throws against the limit, and escalates with its cause", async () => {
    const { world, feed, system } = house("limited", true);
    const done = system.done.catch((error: KithError) => error);
    feed(new Burst());
    world.settle();
    expect(constructed.length).equal(3);
    const error = (await done) as KithError;
    expect(error.code).equal("KITH_RESTART_LIMIT");
    expect(error.cause).property("message", "constructor");
    expect(system.instance.faults.map(({ cause }) => (cause as Error).message)).deep.equal([
      "burst",
      "constructor",
      "constructor",
    ]);
    expect(system.toString()).include("6 components");
  });

  it("does not swallow what its parent has asked for meanwhile", () => {
    const { world, feed, system } = house("restart");
    feed(new Burst(), ...notes(1));
    while (!system.tree().includes("fragile (Fragile, faulted")) world.step();
    system.enter(() => system.instance.stopFragile());
    world.settle();
    expect(system.tree()).match(/fragile \(Fragile, stopped/);
  });

  it("begins with the channels of a composite as its constructor makes them, with what they kept", () => {
    log = [];
    class Retry extends Component {
      readonly box = this.create(HeldBox, {}, { name: "box", onFault: () => restart() });
    }
    const world = new ManualWorld();
    const system = launch(Retry, {}, world);
    world.settle();
    const { box } = system.instance;
    const fail = (): void => {
      throw new Error("box");
    };
    const send = (...numbers: number[]): void => {
      const { sender } = instanceOf(box);
      system.enter(() => note(instanceOf(sender), ...numbers), sender);
      world.settle();
    };
    system.enter(() => {
      instanceOf(box).wire.hold();
      instanceOf(box).wire.hold();
    }, box);
    send(1, 2);
    system.enter(fail, box);
    world.settle();
    send(3);
    expect(log).deep.equal([]);
    // Held three times before, and once by the constructor now.
    system.enter(() => instanceOf(box).wire.resume(), box);
    world.settle();
    expect(log).deep.equal(["note 1", "note 2", "note 3"]);
    expect(system.deadLetters).deep.equal({});
  });
});
