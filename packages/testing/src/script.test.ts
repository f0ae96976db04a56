import { expect } from "chai";
import { Component, event, type EventClass, type Fault, port, restart, setting } from "@kith/core";
import {
  Bill,
  Cache,
  expectFailure,
  failureOf,
  Get,
  Heart,
  Heartbeat,
  KeyValue,
  Note,
  Order,
  Part,
  Ping,
  Pinger,
  PingPong,
  Pong,
  Ponger,
  Pulse,
  Put,
  Shop,
  Store,
  Value,
} from "./fixtures.test.ts";
import { drive } from "./index.ts";

describe("a script", () => {
  it("reads like what it tests", () => {
    drive(Pinger, { rounds: 2 })
      .expect("pp", Ping, { n: 1 })
      .inject("pp", new Pong({ n: 1 }))
      .expect("pp", Ping, { n: 2 })
      .inject("pp", new Pong({ n: 2 }))
      .expectNothing()
      .run();
  });

  it("is a value: it can be continued in several ways, and run again", () => {
    const begun = drive(Pinger, { rounds: 3 }).expect("pp", Ping, { n: 1 });
    const one = begun.inject("pp", new Pong({ n: 1 })).expect("pp", Ping, { n: 2 });
    const other = begun.inject("pp", new Pong({ n: 2 })).expect("pp", Ping, { n: 3 });
    for (const script of [one, other, one, begun, other]) script.run();
  });

  it("does nothing before it runs", () => {
    let built = 0;
    class Counted extends Component {
      constructor() {
        super();
        built++;
      }
    }
    const script = drive(Counted).advance(1).expectNothing();
    expect(built).to.equal(0);
    script.run();
    script.run();
    expect(built).to.equal(2);
  });

  it("holds or fails at once, whatever the manual time: nothing is waited for", () => {
    const hour = 3_600_000;
    const transcript = drive(Ponger).advance(hour).expectNothing().run();
    expect(transcript.time).to.equal(hour);
    failureOf(drive(Ponger).advance(hour).expect("pp", Pong), "KITH_TEST_EXPECTED");
  });

  it("counts statements, not what they leave behind", () => {
    const script = drive(Cache)
      .exactly(3, (b) => b.advance(1))
      .ask("kv", new Get({ key: "a" }))
      .expectRequest("below", Get)
      .noReply()
      .block((b) => b.allow("kv", Value).advance(1))
      .expect("kv", Changeless);
    expect(failureOf(script, "KITH_TEST_EXPECTED").message).to.match(/^Cache, statement 5: /);
  });
});

/** A class that passes at the port for the compiler, and never comes. */
const Changeless = KeyValue.indications[0] as EventClass<never>;

describe("check", () => {
  const pinger = drive(Pinger, { rounds: 9 })
    .expect("pp", Ping)
    .inject("pp", new Pong({ n: 1 }))
    .expect("pp", Ping);

  it("looks at the component itself", () => {
    pinger
      .check(({ state }) => expect(state.last).to.equal(1))
      .inject("pp", new Pong({ n: 7 }))
      .expect("pp", Ping)
      .check(({ state }) => expect(state.last).to.equal(7))
      .run();
  });

  it("fails with what the assertion threw as its cause", () => {
    const script = pinger.check(({ state }) => expect(state.last).to.equal(2));
    const error = expectFailure(script, "KITH_TEST_ACTION", [
      "Pinger, statement 4: check(…)",
      "  AssertionError: expected 1 to equal 2",
      "  the last events:",
      "    0 ms  out    pp  Ping { n: 1 }",
      "    0 ms  in     pp  Pong { n: 1 }",
      "    0 ms  out    pp  Ping { n: 2 }",
    ]);
    expect(error.cause).to.have.property("name", "AssertionError");
  });
});

describe("the transcript", () => {
  const script = drive(Cache)
    .ask("kv", new Get({ key: "a" }))
    .expectRequest("below", Get)
    .noReply()
    .advance(1000)
    .expectAnswer("kv", Value);

  it("tells both directions with ports and times", () => {
    expect(script.run().toString().split("\n")).to.deep.equal([
      '   0 ms  in     kv     Get { key: "a" } (asked)',
      '   0 ms  out    below  Get { key: "a" } (asked)',
      '1000 ms  out    kv     Value { value: null } (answers Get { key: "a" })',
    ]);
  });

  it("has the events themselves", () => {
    const { lines, time } = script.run();
    expect(time).to.equal(1000);
    expect(lines.map(({ direction, port, event }) => [direction, port, event])).to.deep.equal([
      ["in", "kv", new Get({ key: "a" })],
      ["out", "below", new Get({ key: "a" })],
      ["out", "kv", new Value({ value: null })],
    ]);
  });

  it("is the same every time", () => {
    const texts = new Set(Array.from({ length: 20 }, () => script.run().toString()));
    expect(texts.size).to.equal(1);
  });

  it("is empty where nothing happened", () => {
    expect(drive(Ponger).run().toString()).to.equal("");
  });
});

class LoudNote extends event("script/LoudNote", Note)<{ volume: number }> {}
const Layers = port("Layers", { indications: [Note, LoudNote, Note] });

describe("the ports of the component", () => {
  class Both extends Component {
    readonly up = this.provides(PingPong);
    readonly down = this.requires(PingPong);
    readonly again = this.requires(PingPong);
    constructor() {
      super();
      this.up.on(Ping, (ping) => (ping.n % 2 === 0 ? this.down : this.again).trigger(ping));
      this.down.on(Pong, (pong) => this.up.trigger(pong));
      this.again.on(Pong, (pong) => this.up.trigger(pong));
    }
  }

  it("may be several of one type, on both sides", () => {
    drive(Both)
      .inject("up", new Ping({ n: 2 }), new Ping({ n: 3 }))
      .expect("down", Ping, { n: 2 })
      .expect("again", Ping, { n: 3 })
      .inject("again", new Pong({ n: 3 }))
      .expect("up", Pong, { n: 3 })
      .run();
  });

  class Composite extends Component {
    readonly shop = this.create(Shop);
    readonly heart = this.create(Heart);
    readonly counter = this.exposes(this.shop.ports.counter);
    readonly supply = this.exposes(this.shop.ports.store);
    readonly beats = this.exposes(this.heart.ports.beats);
  }

  it("may be exposed ones of a child", () => {
    drive(Composite)
      .inject("counter", new Order({ items: ["a"] }))
      .expect("supply", Part, { item: "a" })
      .expect("supply", Note)
      .expect("counter", Bill)
      .advance(100)
      .expect("beats", Pulse)
      .run();
  });

  it("may be exposed over two levels", () => {
    class Outer extends Component {
      readonly inner = this.create(Composite);
      readonly beats = this.exposes(this.inner.ports.beats);
      readonly counter = this.exposes(this.inner.ports.counter);
      readonly supply = this.exposes(this.inner.ports.supply);
    }
    drive(Outer).advance(100).expect("beats", Pulse, { at: 100 }).run();
  });

  it("may be none", () => {
    class Alone extends Component {}
    drive(Alone).advance(1).stop().run();
  });

  it("see an event of a derived class once, where its base is declared too", () => {
    class Deep extends Component {
      readonly out = this.provides(Layers);
      constructor() {
        super();
        this.onStart(() => this.out.trigger(new LoudNote({ text: "a", volume: 1 })));
      }
    }
    drive(Deep).expect("out", Note, { text: "a" }).expectNothing().run();
  });
});

describe("offering", () => {
  class Clerk extends Component {
    readonly store = this.requires(Store);
    readonly kv = this.requires(KeyValue);
    constructor() {
      super();
      const get = this.kv.onAnswer(Get, (answer) => {
        if (answer instanceof Value) this.store.trigger(new Part({ item: answer.value ?? "" }));
      });
      this.onStart(() => get(new Get({ key: "item" })));
    }
  }
  class Office extends Component {
    readonly clerk = this.create(Clerk);
  }

  it("drives what a descendant needs from above", () => {
    drive(Office)
      .offering("storage", Store)
      .offering("kv", KeyValue)
      .expectRequest("kv", Get, { key: "item" })
      .reply(new Value({ value: "nail" }))
      .expect("storage", Part, { item: "nail" })
      .run();
  });

  it("is a fault of the descendant where nothing is offered", () => {
    drive(Office).expectFault({ code: "KITH_PORT_UNRESOLVED", path: "Clerk-1" }).run();
  });

  it("injects indications to the users of the offer", () => {
    class Listener extends Component {
      readonly beats = this.requires(Heartbeat);
      readonly pp = this.requires(PingPong);
      constructor() {
        super();
        this.beats.on(Pulse, ({ at }) => this.pp.trigger(new Ping({ n: at })));
      }
    }
    class Room extends Component {
      readonly listener = this.create(Listener);
    }
    drive(Room)
      .offering("heart", Heartbeat)
      .offering("pp", PingPong)
      .inject("heart", new Pulse({ at: 5 }))
      .expect("pp", Ping, { n: 5 })
      .run();
  });
});

describe("the options", () => {
  const loudness = setting.integer("script.loudness", 3);
  class Loud extends Component {
    readonly pp = this.requires(PingPong);
    constructor() {
      super();
      const draw = this.random("loudness");
      this.onStart(() =>
        this.pp.trigger(new Ping({ n: this.setting(loudness) * 1000 + draw.below(1000) })),
      );
      this.pp.on(Pong, () => {
        throw new RangeError(this.toString());
      });
    }
  }
  const drawn = (seed?: number) => {
    const script = drive(Loud, {}, seed === undefined ? {} : { seed });
    return script.expect("pp", Ping).run().toString();
  };

  it("seed the draws", () => {
    expect(drawn(1)).to.equal(drawn(1));
    expect(drawn(1)).not.to.equal(drawn(2));
    expect(drawn()).to.equal(drawn(0));
  });

  it("give settings and a name", () => {
    drive(Loud, {}, { settings: [loudness.of(7)], name: "Bell" })
      .expect("pp", Ping, (ping) => ping.n >= 7000 && ping.n < 8000)
      .inject("pp", new Pong({ n: 1 }))
      .expectFault({ path: "Bell", message: "Loud /Test-1/Bell" })
      .run();
  });

  it("bound the mailbox", () => {
    const pongs = Array.from({ length: 3 }, (_, n) => new Pong({ n }));
    drive(Pinger, { rounds: 0 }, { mailboxBound: 2 })
      .expect("pp", Ping)
      .inject("pp", new Pong({ n: 0 }), ...pongs)
      .expectFault({ code: "KITH_MAILBOX_OVERFLOW" })
      .expectDeadLetter("mailbox-overflow")
      .expectDeadLetter("mailbox-overflow")
      .run();
  });

  describe("say what becomes of a component after a fault", () => {
    const faulty = (
      faultPolicy: (fault: Fault) => "stop" | "escalate" | ReturnType<typeof restart>,
    ) =>
      drive(Loud, {}, { faultPolicy })
        .expect("pp", Ping)
        .inject("pp", new Pong({ n: 1 }))
        .expectFault({ cause: RangeError });

    it("restart", () => {
      faulty(() => restart())
        .expect("pp", Ping)
        .run();
    });

    it("restart with a back-off, on manual time", () => {
      faulty(() => restart({ backoff: 500 }))
        .advance(499)
        .expectNothing()
        .advance(1)
        .expect("pp", Ping)
        .run();
    });

    it("stop", () => {
      faulty(() => "stop")
        .inject("pp", new Pong({ n: 2 }))
        .expectNothing()
        .run();
    });

    it("escalate, after which nothing can be done any more", () => {
      const escalated = faulty(() => "escalate");
      escalated.run();
      expect(
        failureOf(escalated.inject("pp", new Pong({ n: 2 })), "KITH_TEST_ACTION").message,
      ).to.contain("A fault was escalated, so that nothing runs any more.");
    });
  });
});

describe("a component whose constructor throws", () => {
  class Broken extends Component {
    readonly pp = this.requires(PingPong);
    constructor(init: { why: string }) {
      super();
      throw new RangeError(init.why);
    }
  }

  it("is a fault that can be expected", () => {
    drive(Broken, { why: "far" })
      .expectFault({ cause: RangeError, message: "far" })
      .expectNothing()
      .run();
  });

  it("fails the script where it is not", () => {
    const error = expectFailure(
      drive(Broken, { why: "far" }).expect("pp", Ping),
      "KITH_TEST_EXPECTED",
      [
        'Broken, statement 1: expect("pp", Ping)',
        "  expected  Ping at pp",
        "  came      a fault: RangeError: far",
        "  the last events:",
        "  > 0 ms  fault  /Test-1/Broken  RangeError: far",
      ],
    );
    expect(error.cause).to.be.instanceOf(RangeError);
  });

  it("cannot be driven any further", () => {
    const fault = drive(Broken, { why: "far" }).expectFault();
    failureOf(fault.inject("pp", new Pong({ n: 1 })), "KITH_TEST_CONSTRUCTED");
    failureOf(
      fault.check(() => undefined),
      "KITH_TEST_CONSTRUCTED",
    );
  });

  it("includes an init that is not plain data", () => {
    class Taker extends Component {
      constructor(init: { action: () => void }) {
        super();
        init.action();
      }
    }
    drive(Taker, { action: () => undefined })
      .expectFault({ code: "KITH_INIT_NOT_PLAIN" })
      .run();
  });
});

/*
 * Kompics's test kit waits up to 400 ms of wall time for each event that it expects, and answers true
 * or false. The same mistake, and the same absence, cost nothing here and say what they are.
 */
describe("compared with a kit that waits", () => {
  it("a thousand absences take no time", () => {
    const absent = drive(Ponger).expect("pp", Pong);
    for (let i = 0; i < 1000; i++) failureOf(absent, "KITH_TEST_EXPECTED");
  }).timeout(5_000);

  it("a failure is an error that says what and where, not false", () => {
    const error = failureOf(
      drive(Cache).expectRequest("below", Put).noReply(),
      "KITH_TEST_EXPECTED",
    );
    expect(error.message).to.contain("expected  the request Put at below");
    expect(error.next).to.match(/^Correct the component or the script/);
  });
});
