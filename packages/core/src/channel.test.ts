/**
 * Channels: order, holds, rewiring, cutting, and what becomes of answers on their way. What a swap
 * does to channels is in `swap.test.ts`; that none of it loses anything, in `delivery.properties.test.ts`.
 */

import { expect } from "chai";
import type { ChannelCore } from "./channel.ts";
import type { ChildHandle } from "./child.ts";
import { coreOf } from "./component.ts";
import {
  AskTimeout,
  by,
  type Channel,
  type Child,
  Component,
  type DeadLetter,
  event,
  type KithError,
  launch,
  ManualWorld,
  type ManualWorldOptions,
  port,
  type ReplyToken,
  request,
  SchedulePeriodic,
  type System,
  Timer,
  timeout,
} from "./index.ts";

class Note extends event("channel/Note")<{ readonly n: number }> {}
class News extends event("channel/News")<{ readonly n: number }> {}
class Late extends event("channel/Late")<{ readonly n: number }> {}
class Reply extends event("channel/Reply")<{ readonly n: number }> {}
class Wish extends request("channel/Wish", Reply)<{ readonly n: number }> {}
const Notes = port("Notes", { requests: [Note, Wish], indications: [News, Late] });
class Beat extends timeout("channel/Beat") {}

let log: string[] = [];

class User extends Component {
  readonly notes = this.requires(Notes);
  readonly wish = this.notes.onAnswer(Wish, (answer, { n }) => {
    log.push(`wish ${n}: ${answer instanceof AskTimeout ? "timeout" : answer.n}`);
  });

  readonly subscription = this.notes.on(News, ({ n }) => void log.push(`news ${n}`));
}

class Provider extends Component {
  readonly notes = this.provides(Notes);
  tokens: ReplyToken<Reply>[] = [];

  constructor({ name }: { name: string }) {
    super();
    this.notes.on(Note, ({ n }) => void log.push(`${name} ${n}`));
    this.notes.on(Wish, (_, token) => void this.tokens.push(token));
  }
}

class Net extends Component {
  readonly p = this.create(Provider, { name: "p" }, { name: "p" });
  readonly q = this.create(Provider, { name: "q" }, { name: "q" });
  readonly u = this.create(User, {}, { name: "u" });
  readonly v = this.create(User, {}, { name: "v" });
  readonly wire: Channel<typeof Notes> = this.connect(this.p.ports.notes, this.u.ports.notes);
  readonly spare: Channel<typeof Notes> = this.connect(this.q.ports.notes, this.v.ports.notes);

  swapP(): void {
    this.swap(this.p, Provider, { name: "p2" });
  }
}

function instanceOf<C extends Component>(child: Child<C>): C {
  return (child as unknown as ChildHandle).core.instance as C;
}

function net(options: ManualWorldOptions = {}) {
  log = [];
  const world = new ManualWorld(options);
  const system = launch(Net, {}, world);
  world.settle();
  expect(system.tree()).not.include("faulted");
  const { instance: main } = system;
  const letters: string[] = [];
  system.events.on("deadLetter", ({ reason, event: gone }: DeadLetter) =>
    letters.push(`${reason} ${(gone as Note | undefined)?.n}`),
  );
  const inU = (action: (user: User) => void): void =>
    system.enter(() => action(instanceOf(main.u)), main.u);
  const inP = (action: (provider: Provider) => void): void =>
    system.enter(() => action(instanceOf(main.p)), main.p);
  const note = (...numbers: number[]): void =>
    inU(({ notes }) => numbers.forEach((n) => notes.trigger(new Note({ n }))));
  const news = (...numbers: number[]): void =>
    inP(({ notes }) => numbers.forEach((n) => notes.trigger(new News({ n }))));
  const rule = (action: (main: Net) => void): void => {
    system.enter(() => action(main));
    world.settle();
  };
  return { world, system, main, letters, inU, inP, note, news, rule };
}

function systemOf(main: Net): System {
  return main[coreOf].system;
}

function codeOf(action: () => void): string {
  try {
    action();
    return "none";
  } catch (error) {
    return (error as KithError).code;
  }
}

describe("a channel", () => {
  it("keeps the order in each direction while it is held, and delivers at the last resume", () => {
    const { world, note, news, rule } = net();
    rule(({ wire }) => {
      wire.hold();
      wire.hold();
    });
    note(1, 2);
    news(3);
    world.settle();
    note(4);
    rule(({ wire }) => wire.resume());
    expect(log).deep.equal([]);
    rule(({ wire }) => wire.resume());
    expect(log.filter((line) => line.startsWith("p"))).deep.equal(["p 1", "p 2", "p 4"]);
    expect(log).include("news 3");
    note(5);
    world.settle();
    expect(log.at(-1)).equal("p 5");
  });

  it("is not resumed more often than held", () => {
    const { rule } = net();
    rule(({ wire }) => {
      expect(codeOf(() => wire.resume())).equal("KITH_NOT_HELD");
      wire.hold();
      wire.resume();
      expect(codeOf(() => wire.resume())).equal("KITH_NOT_HELD");
    });
  });

  it("moves to another provider without losing what it holds", () => {
    const { world, note, rule, letters } = net();
    rule(({ wire }) => wire.hold());
    note(1, 2);
    world.settle();
    rule(({ wire, q }) => {
      wire.unplug("provider");
      wire.plug(q.ports.notes);
      wire.resume();
    });
    note(3);
    world.settle();
    expect(log).deep.equal(["q 1", "q 2", "q 3"]);
    expect(letters).deep.equal([]);
  });

  it("has dead letters for a free end, and for what it holds when it is cut", () => {
    const { world, note, rule, letters } = net();
    rule(({ wire }) => wire.unplug("provider"));
    note(1);
    world.settle();
    expect(letters.length).equal(1);
    rule(({ wire }) => wire.hold());
    note(2);
    world.settle();
    rule(({ wire }) => wire.resume());
    expect(letters.at(-1)).equal("unplugged 2");
    rule(({ wire, p }) => {
      wire.plug(p.ports.notes);
      wire.hold();
    });
    note(3, 4);
    world.settle();
    rule(({ wire }) => wire.disconnect());
    expect(letters.slice(2)).deep.equal(["disconnected 3", "disconnected 4"]);
    note(5);
    world.settle();
    expect(letters.length).equal(5);
    expect(log).deep.equal([]);
  });

  it("has its receivers fixed when an event is triggered, and its handlers when it is executed", () => {
    const { world, main, rule, news, letters } = net();
    const user = instanceOf(main.u);
    const late = (): void => void user.notes.on(Late, () => void log.push("late"));
    const send = (): void => {
      const provider = instanceOf(main.p);
      system.enter(() => provider.notes.trigger(new Late({ n: 1 })), main.p);
      world.settle();
    };
    const system = systemOf(main);
    rule(({ wire }) => wire.hold());
    // Nobody takes it now, and a handler that comes while the channel is held comes too late.
    send();
    expect(letters).deep.equal(["no-handler 1"]);
    late();
    rule(({ wire }) => wire.resume());
    expect(log).deep.equal([]);
    // One that was taken and finds its handler gone is a dead letter.
    rule(({ wire }) => wire.hold());
    news(2);
    world.settle();
    user.subscription.cancel();
    rule(({ wire }) => wire.resume());
    expect(letters).deep.equal(["no-handler 1", "no-handler 2"]);
    send();
    expect(log).deep.equal(["late"]);
  });

  it("says so when an end is taken, free, or gone", () => {
    const { rule } = net();
    rule(({ wire, q, v }) => {
      expect(codeOf(() => wire.plug(q.ports.notes))).equal("KITH_CHANNEL_END");
      wire.unplug("user");
      expect(codeOf(() => wire.unplug("user"))).equal("KITH_CHANNEL_END");
      wire.plug(v.ports.notes);
      wire.disconnect();
      wire.disconnect();
      for (const action of [
        () => wire.hold(),
        () => wire.resume(),
        () => wire.unplug("user"),
        () => wire.plug(v.ports.notes),
      ]) {
        expect(codeOf(action)).equal("KITH_CHANNEL_END");
      }
    });
  });

  it("is forgotten by its owner when it is cut", () => {
    const { rule, main } = net();
    const { owner } = main.wire as unknown as ChannelCore;
    expect(owner.channels?.size).equal(2);
    rule(({ wire }) => wire.disconnect());
    expect(owner.channels?.size).equal(1);
  });

  it("fails its receiver when its buffer is full, and keeps what is in it", async () => {
    const { world, system, note, rule, letters } = net({ holdBound: 2 });
    const done = system.done.catch((error: KithError) => error.code);
    rule(({ wire }) => wire.hold());
    note(1, 2, 3);
    world.settle();
    expect(await done).equal("KITH_HOLD_OVERFLOW");
    expect(letters).deep.equal(["hold-overflow 3"]);
  });
});

describe("an answer on its way", () => {
  it("waits in a held channel, in order with what its provider sends", () => {
    const { world, inU, inP, rule } = net();
    inU(({ wish }) => wish(new Wish({ n: 1 })));
    world.settle();
    rule(({ wire }) => wire.hold());
    inP(({ notes, tokens }) => {
      notes.trigger(new News({ n: 1 }));
      notes.reply(tokens[0] as ReplyToken<Reply>, new Reply({ n: 2 }));
      notes.trigger(new News({ n: 3 }));
    });
    world.settle();
    expect(log).deep.equal([]);
    rule(({ wire }) => wire.resume());
    expect(log).deep.equal(["news 1", "wish 1: 2", "news 3"]);
  });

  it("counts where it came in time, though the timeout passes while the channel is held", () => {
    const { world, inU, inP, rule } = net();
    inU(({ wish }) => wish(new Wish({ n: 1 }), { timeout: 10 }));
    world.settle();
    rule(({ wire }) => wire.hold());
    inP(({ notes, tokens }) => notes.reply(tokens[0] as ReplyToken<Reply>, new Reply({ n: 2 })));
    world.advance(20);
    expect(log).deep.equal([]);
    rule(({ wire }) => wire.resume());
    expect(log).deep.equal(["wish 1: 2"]);
  });

  for (const when of ["before", "after"] as const) {
    it(`is a timeout for the asker when the channel is cut ${when} the time is over`, () => {
      const { world, inU, inP, rule, letters } = net();
      inU(({ wish }) => wish(new Wish({ n: 1 }), { timeout: 10 }));
      world.settle();
      rule(({ wire }) => wire.hold());
      inP(({ notes, tokens }) => notes.reply(tokens[0] as ReplyToken<Reply>, new Reply({ n: 2 })));
      world.settle();
      if (when === "before") rule(({ wire }) => wire.disconnect());
      world.advance(10);
      if (when === "after") rule(({ wire }) => wire.disconnect());
      expect(log).deep.equal(["wish 1: timeout"]);
      expect(letters).deep.equal(["disconnected 2"]);
    });
  }

  it("is a dead letter at another user, and its asker still has its timeout", () => {
    const { world, inU, inP, rule, letters } = net();
    inU(({ wish }) => wish(new Wish({ n: 1 }), { timeout: 10 }));
    world.settle();
    rule(({ wire, v }) => {
      wire.unplug("user");
      wire.plug(v.ports.notes);
    });
    inP(({ notes, tokens }) => notes.reply(tokens[0] as ReplyToken<Reply>, new Reply({ n: 2 })));
    world.settle();
    expect(letters).deep.equal(["no-asker 2"]);
    world.advance(10);
    expect(log).deep.equal(["wish 1: timeout"]);
  });

  it("of a periodic timer may be lost without ending the timer", () => {
    log = [];
    class Beating extends Component {
      readonly timer = this.requires(Timer);

      constructor() {
        super();
        this.timer.on(Beat, () => void log.push("beat"));
        this.onStart(() =>
          this.timer.trigger(new SchedulePeriodic({ period: 10, timeout: new Beat() })),
        );
      }
    }
    class Owner extends Component {
      readonly beating = this.create(Beating, {}, { name: "beating" });
    }
    const world = new ManualWorld();
    const system = launch(Owner, {}, world);
    world.advance(10);
    expect(log.length).equal(1);
    const { core } = system.instance.beating as unknown as ChildHandle;
    const [row] = core.pending.rows.values();
    const { channel } = row as { channel: ChannelCore };
    channel.unplug("user");
    world.advance(20);
    expect(system.deadLetters).deep.equal({ unplugged: 2 });
    channel.plug(core.portNamed("timer") as never);
    world.advance(20);
    expect(log.length).equal(3);
  });
});

describe("a channel that a swap holds", () => {
  /** Begins a swap of the provider that drains for a while, and stops in the middle of it. */
  function midSwap() {
    const scene = net();
    const { world, main, rule } = scene;
    let left = 6;
    const spin = (): void => {
      if (left-- > 0) instanceOf(main.p)["enter"](spin);
    };
    rule(() => undefined);
    spin();
    scene.system.enter(() => main.swapP());
    const channel = main.wire as unknown as ChannelCore;
    while (channel.holds === 0) world.step();
    const within = (action: (main: Net) => void): void => {
      scene.system.enter(() => action(main));
      world.step();
    };
    return { ...scene, channel, within };
  }

  it("is cut as if it were not held: what was sent before arrives", () => {
    const { world, note, channel, main, letters } = midSwap();
    note(1, 2);
    while ((channel.kept?.length ?? 0) < 2) world.step();
    main.wire.disconnect();
    note(3);
    world.settle();
    expect(log.map((line) => line.replace("p2", "p"))).deep.equal(["p 1", "p 2"]);
    expect(letters).deep.equal(["no-channel 3"]);
  });

  it("is unplugged and plugged as if it were not held", () => {
    const { world, note, channel, main, letters } = midSwap();
    note(1);
    while ((channel.kept?.length ?? 0) < 1) world.step();
    main.wire.unplug("provider");
    note(2);
    while (letters.length === 0 && world.step());
    main.wire.plug(main.q.ports.notes);
    note(3);
    world.settle();
    expect(log.map((line) => line.replace("p2", "p")).sort()).deep.equal(["p 1", "q 3"]);
    expect(letters.length).equal(1);
    expect(channel.holds).equal(0);
  });

  it("is not resumed by its owner", () => {
    const { world, main, channel } = midSwap();
    expect(codeOf(() => main.wire.resume())).equal("KITH_NOT_HELD");
    expect(channel.holds).equal(1);
    world.settle();
    expect(channel.holds).equal(0);
  });

  it("is held by its owner as if it were not held", () => {
    const { world, note, channel, main } = midSwap();
    note(1);
    while ((channel.kept?.length ?? 0) < 1) world.step();
    main.wire.hold();
    note(2);
    world.settle();
    expect(log.map((line) => line.replace("p2", "p"))).deep.equal(["p 1"]);
    main.wire.resume();
    world.settle();
    expect(log.at(-1)).equal("p2 2");
    expect(channel.holds).equal(0);
  });

  it("delivers in the order in which things were sent, also across channels", () => {
    const { world, system, main, note, within } = midSwap();
    within((one) => one["connect"](one.p.ports.notes, one.v.ports.notes));
    const noteOfV = (n: number): void =>
      system.enter(() => instanceOf(main.v).notes.trigger(new Note({ n })), main.v);
    const settled: (() => void)[] = [
      () => note(1),
      () => noteOfV(2),
      () => note(3),
      () => noteOfV(4),
    ];
    for (const send of settled) {
      send();
      world.step();
    }
    world.settle();
    const taken = log.filter((line) => line.startsWith("p"));
    expect(taken.length).equal(4);
    const swapped = taken.map((line) => Number(line.split(" ")[1]));
    expect(swapped).deep.equal([1, 2, 3, 4]);
  });
});

describe("a plug", () => {
  class Provider extends Component {
    readonly notes = this.provides(Notes);
  }
  class Keyed extends Component {
    readonly notes = this.provides(
      Notes,
      by(News, ({ n }) => n),
    );
  }
  class Plugging extends Component {
    readonly keyed = this.create(Keyed);
    readonly provider = this.create(Provider);
    readonly notes = this.requires(Notes);
    readonly channel: Channel<typeof Notes> = this.connect(this.keyed.ports.notes, this.notes, {
      key: 1,
    });
    replug(): void {
      this.channel.unplug("provider");
      this.channel.plug(this.provider.ports.notes);
    }
    remove(): void {
      this.kill(this.provider);
    }
  }
  const codeOfReplug = (before: (main: Plugging) => void): unknown => {
    const world = new ManualWorld();
    const system = launch(Plugging, {}, world);
    world.settle();
    system.enter(() => before(system.instance));
    world.settle();
    let code: unknown;
    system.enter(() => {
      try {
        system.instance.replug();
      } catch (error) {
        ({ code } = error as KithError);
      }
    });
    world.settle();
    return code;
  };

  it("of a channel with a key wants a provider with a key extractor, as connecting does", () => {
    expect(codeOfReplug(() => undefined)).to.equal("KITH_BAD_ARGUMENT");
  });

  it("wants a component that is still there", () => {
    expect(codeOfReplug((main) => main.remove())).to.equal("KITH_DESTROYED");
  });
});

describe("several channels of one key", () => {
  it("go on in their order when one of them is cut", () => {
    for (const cut of [0, 1, 2]) {
      const got: string[] = [];
      class Source extends Component {
        readonly notes = this.provides(
          Notes,
          by(News, ({ n }) => n),
        );
        send(): void {
          this.enter(() => this.notes.trigger(new News({ n: 1 })));
        }
      }
      class Reader extends Component {
        readonly notes = this.requires(Notes);
        constructor(init: { name: string }) {
          super();
          this.notes.on(News, () => void got.push(init.name));
        }
      }
      class Town extends Component {
        readonly source = this.create(Source);
        readonly channels = ["a", "b", "c"].map((name) =>
          this.connect(
            this.source.ports.notes,
            this.create(Reader, { name }, { name }).ports.notes,
            { key: 1 },
          ),
        );
        send(): void {
          ((this.source as unknown as ChildHandle).core.instance as Source).send();
        }
      }
      const world = new ManualWorld();
      const system = launch(Town, {}, world);
      world.settle();
      system.enter(() => system.instance.channels[cut]?.disconnect());
      world.settle();
      system.instance.send();
      world.settle();
      expect(got).to.deep.equal(["a", "b", "c"].filter((_, n) => n !== cut));
    }
  });
});
