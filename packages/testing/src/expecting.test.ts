import { expect } from "chai";
import { Component, event, KithError, port } from "@kith/core";
import {
  Bill,
  Cache,
  Changed,
  Done,
  expectFailure,
  failureOf,
  Get,
  Heart,
  KeyValue,
  LoudPing,
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
  Value,
} from "./fixtures.test.ts";
import { drive } from "./index.ts";

describe("expect", () => {
  const pinger = drive(Pinger, { rounds: 2 });

  it("takes the next event by its class", () => {
    pinger.expect("pp", Ping).run();
  });

  it("takes it by some of its fields, compared deeply", () => {
    const shop = drive(Shop)
      .allow("store", Note)
      .inject("counter", new Order({ items: ["a"] }));
    shop.expect("store", Part, { item: "a" }).expect("counter", Bill, {}).run();
    class Shelves extends Component {
      readonly counter = this.requires(PartPort);
      constructor() {
        super();
        this.onStart(() => this.counter.trigger(new Part({ item: "a", at: { shelf: 3 } })));
      }
    }
    drive(Shelves)
      .expect("counter", Part, { at: { shelf: 3 } })
      .run();
    const failure = failureOf(
      drive(Shelves).expect("counter", Part, { item: "b", at: { shelf: 4 } }),
      "KITH_TEST_EXPECTED",
    );
    expect(failure.message).to.contain(
      '(item is "a", not "b"; at is { shelf: 3 }, not { shelf: 4 })',
    );
  });

  it("takes it by a predicate", () => {
    pinger.expect("pp", Ping, (ping) => ping.n === 1).run();
  });

  it("takes an event by a base of its class, but not the other way round", () => {
    class Loud extends Component {
      readonly pp = this.requires(PingPong);
      constructor() {
        super();
        this.onStart(() => this.pp.trigger(new LoudPing({ n: 1, volume: 11 })));
      }
    }
    drive(Loud).expect("pp", Ping, { n: 1 }).run();
    drive(Loud).expect("pp", LoudPing, { volume: 11 }).run();
    failureOf(pinger.expect("pp", LoudPing), "KITH_TEST_EXPECTED");
  });

  it("tells a wrong field", () => {
    const script = pinger
      .expect("pp", Ping, { n: 1 })
      .inject("pp", new Pong({ n: 1 }))
      .expect("pp", Ping, { n: 3 });
    expectFailure(script, "KITH_TEST_EXPECTED", [
      'Pinger, statement 3: expect("pp", Ping, { n: 3 })',
      "  expected  Ping { n: 3 } at pp",
      "  came      Ping { n: 2 } at pp (n is 2, not 3)",
      "  the last events:",
      "    0 ms  out    pp  Ping { n: 1 }",
      "    0 ms  in     pp  Pong { n: 1 }",
      "  > 0 ms  out    pp  Ping { n: 2 }",
    ]);
  });

  it("tells that the predicate says no, or what it threw", () => {
    expectFailure(
      pinger.expect("pp", Ping, (ping) => ping.n > 1),
      "KITH_TEST_EXPECTED",
      [
        'Pinger, statement 1: expect("pp", Ping, (predicate))',
        "  expected  Ping that satisfies the predicate at pp",
        "  came      Ping { n: 1 } at pp (the predicate says no)",
        "  the last events:",
        "  > 0 ms  out    pp  Ping { n: 1 }",
      ],
    );
    const thrower = pinger.expect("pp", Ping, () => {
      throw new TypeError("no such thing");
    });
    expect(failureOf(thrower, "KITH_TEST_EXPECTED").message).to.contain(
      "(the predicate threw TypeError: no such thing)",
    );
  });

  it("tells that nothing came", () => {
    expectFailure(pinger.expect("pp", Ping).expect("pp", Ping), "KITH_TEST_EXPECTED", [
      'Pinger, statement 2: expect("pp", Ping)',
      "  expected  Ping at pp",
      "  came      nothing",
      "  the last events:",
      "    0 ms  out    pp  Ping { n: 1 }",
    ]);
    expectFailure(drive(Ponger).expect("pp", Pong), "KITH_TEST_EXPECTED", [
      'Ponger, statement 1: expect("pp", Pong)',
      "  expected  Pong at pp",
      "  came      nothing",
      "  no events so far",
    ]);
  });

  it("tells another class and another port, in the order in which they were triggered", () => {
    const shop = drive(Shop).inject("counter", new Order({ items: ["nail"] }));
    shop.expect("store", Part).expect("store", Note).expect("counter", Bill).run();
    expectFailure(shop.expect("store", Part).expect("counter", Bill), "KITH_TEST_EXPECTED", [
      'Shop, statement 3: expect("counter", Bill)',
      "  expected  Bill at counter",
      '  came      Note { text: "fetch nail" } at store',
      "  the last events:",
      '    0 ms  in     counter  Order { items: ["nail"] }',
      '    0 ms  out    store    Part { item: "nail" }',
      '  > 0 ms  out    store    Note { text: "fetch nail" }',
      "    0 ms  out    counter  Bill { sum: 1 }",
    ]);
  });

  it("sees events of several ports in one order, however they are mixed", () => {
    const items = ["a", "b", "c"];
    let script = drive(Shop).inject("counter", new Order({ items }));
    for (const item of items) {
      script = script.expect("store", Part, { item }).expect("store", Note);
    }
    script.expect("counter", Bill, { sum: 3 }).run();
  });

  it("prints the last events only, around the one that counts", () => {
    const script = drive(Ponger)
      .inject("pp", new Ping({ n: 30 }))
      .exactly(20, (block) => block.expect("pp", Pong))
      .expect("pp", Pong, { n: 0 });
    const { message } = failureOf(script, "KITH_TEST_EXPECTED");
    expect(message.split("\n").slice(4, -1)).to.deep.equal([
      "    … 10 earlier",
      ...Array.from({ length: 11 }, (_, i) => `    0 ms  out    pp  Pong { n: ${21 - i} }`),
      "  > 0 ms  out    pp  Pong { n: 10 }",
      ...Array.from({ length: 4 }, (_, i) => `    0 ms  out    pp  Pong { n: ${9 - i} }`),
      "    … 5 later",
    ]);
  });

  it("fails where the statement stands, not where the script is run", () => {
    const script = pinger.expect("pp", Ping, { n: 7 });
    const { stack } = failureOf(script, "KITH_TEST_EXPECTED");
    expect(stack?.split("\n").find((line) => line.startsWith("    at "))).to.contain(
      "expecting.test.ts",
    );
  });

  it("does not take a request that was asked", () => {
    class Asker extends Component {
      readonly kv = this.requires(KeyValue);
      constructor() {
        super();
        const get = this.kv.onAnswer(Get, () => undefined);
        this.onStart(() => get(new Get({ key: "a" })));
      }
    }
    // @ts-expect-error -- a request that is asked is expected by expectRequest
    const script = drive(Asker).expect("kv", Get);
    expect(failureOf(script, "KITH_TEST_EXPECTED").message).to.contain(
      'came      the request Get { key: "a" } at kv',
    );
  });
});

const PartPort = port("PartPort", { requests: [Part] });

describe("expectRequest", () => {
  const asking = drive(Cache).ask("kv", new Get({ key: "a" }));

  it("takes the request, and replies to it", () => {
    asking
      .expectRequest("below", Get, { key: "a" })
      .reply(new Value({ value: "1" }))
      .expectAnswer("kv", Value, { value: "1" })
      .run();
  });

  it("replies with what a function makes of the request", () => {
    asking
      .expectRequest("below", Get)
      .reply((get) => new Value({ value: `value of ${get.key}` }))
      .expectAnswer("kv", Value, { value: "value of a" })
      .run();
  });

  it("replies later, in another order", () => {
    asking
      .ask("kv", new Get({ key: "b" }))
      .expectRequest("below", Get, { key: "a" })
      .replyLater("first")
      .expectRequest("below", Get, { key: "b" })
      .replyLater("second")
      .replyTo("second", new Value({ value: "2" }))
      .expectAnswer("kv", Value, { value: "2" })
      .replyTo("first", (get) => new Value({ value: get.key }))
      .expectAnswer("kv", Value, { value: "a" })
      .run();
  });

  it("leaves it without a reply, so that the component's own timeout strikes", () => {
    asking
      .expectRequest("below", Get)
      .noReply()
      .advance(999)
      .expectNothing()
      .advance(1)
      .expectAnswer("kv", Value, { value: null })
      .run();
  });

  it("shows that a reply was too late as a dead letter", () => {
    asking
      .expectRequest("below", Get)
      .replyLater("late")
      .advance(1000)
      .expectAnswer("kv", Value, { value: null })
      .replyTo("late", new Value({ value: "1" }))
      .expectDeadLetter("no-asker", Value, { value: "1" })
      .run();
  });

  it("fails at another request, and shows both directions", () => {
    const script = asking
      .expectRequest("below", Get)
      .reply(new Value({ value: "1" }))
      .expectRequest("below", Put)
      .noReply();
    expectFailure(script, "KITH_TEST_EXPECTED", [
      'Cache, statement 4: expectRequest("below", Put)',
      "  expected  the request Put at below",
      '  came      the answer Value { value: "1" } at kv',
      "  the last events:",
      '    0 ms  in     kv     Get { key: "a" } (asked)',
      '    0 ms  out    below  Get { key: "a" } (asked)',
      '    0 ms  in     below  Value { value: "1" } (answers Get { key: "a" })',
      '  > 0 ms  out    kv     Value { value: "1" } (answers Get { key: "a" })',
    ]);
  });

  it("fails at a wrong field, and where nothing is asked", () => {
    const wrong = asking.expectRequest("below", Get, { key: "b" }).noReply();
    expect(failureOf(wrong, "KITH_TEST_EXPECTED").message).to.contain(
      '  came      the request Get { key: "a" } at below (key is "a", not "b")',
    );
    const none = drive(Cache).expectRequest("below", Get).noReply();
    expect(failureOf(none, "KITH_TEST_EXPECTED").message).to.contain("came      nothing");
  });

  it("does not take an event that was only triggered", () => {
    const Tell = port("Tell", { requests: [Note] });
    class Teller extends Component {
      readonly tell = this.requires(Tell);
      constructor() {
        super();
        this.onStart(() => this.tell.trigger(new Note({ text: "hello" })));
      }
    }
    // @ts-expect-error -- nothing is asked at this port
    const script = drive(Teller).expectRequest("tell", Note).noReply();
    failureOf(script, "KITH_TEST_EXPECTED");
  });

  it("fails with the kernel's error at a response of the wrong class", () => {
    // @ts-expect-error -- a Get is answered by a Value
    const script = asking.expectRequest("below", Get).reply(new Done());
    const error = failureOf(script, "KITH_TEST_ACTION");
    expect(error.message).to.match(
      /^Cache, statement 3: reply\(Done\)\n {2}KithError: .*not Value/,
    );
    expect(error.cause).to.be.instanceOf(KithError).with.property("code", "KITH_BAD_RESPONSE");
  });

  it("fails where the function throws, or makes no response", () => {
    const throwing = asking.expectRequest("below", Get).reply(() => {
      throw new RangeError("too far");
    });
    expect(failureOf(throwing, "KITH_TEST_ACTION").message).to.contain("RangeError: too far");
    const silent = asking
      .expectRequest("below", Get)
      // @ts-expect-error -- it has to return a Value
      .reply(() => undefined);
    expect(failureOf(silent, "KITH_TEST_ACTION").message).to.contain("made no response to Get");
  });
});

describe("expectAnswer", () => {
  const put = drive(Cache)
    .answerEvery("below", Put, new Done())
    .ask("kv", new Put({ key: "a", value: "1" }));

  it("takes the answer to what the script has asked, in order with events", () => {
    put.expectAnswer("kv", Done).expect("kv", Changed, { key: "a" }).run();
  });

  it("takes it by a predicate over the answer and its request", () => {
    drive(Cache)
      .answerEvery("below", Get, (get) => new Value({ value: get.key.toUpperCase() }))
      .ask("kv", new Get({ key: "a" }))
      .ask("kv", new Get({ key: "b" }))
      .anyOrder((any) =>
        any
          .expectAnswer("kv", Value, (answer, get) => get.key === "b" && answer.value === "B")
          .expectAnswer("kv", Value, (answer, get) => get.key === "a" && answer.value === "A"),
      )
      .run();
  });

  it("fails at another answer", () => {
    expectFailure(put.expectAnswer("kv", Value), "KITH_TEST_EXPECTED", [
      'Cache, statement 3: expectAnswer("kv", Value)',
      "  expected  the answer Value at kv",
      "  came      the answer Done at kv",
      "  the last events:",
      '    0 ms  in     kv     Put { key: "a", value: "1" } (asked)',
      '    0 ms  out    below  Put { key: "a", value: "1" } (asked)',
      '    0 ms  in     below  Done (answers Put { key: "a", value: "1" })',
      '  > 0 ms  out    kv     Done (answers Put { key: "a", value: "1" })',
      '    0 ms  out    kv     Changed { key: "a" }',
    ]);
  });

  it("fails where the predicate says no", () => {
    const script = put.expectAnswer("kv", Done, (_, request) => request.key === "b");
    expectFailure(script, "KITH_TEST_EXPECTED", [
      'Cache, statement 3: expectAnswer("kv", Done, (predicate))',
      "  expected  the answer Done that satisfies the predicate at kv",
      "  came      the answer Done at kv (the predicate says no)",
      ...failureOf(script, "KITH_TEST_EXPECTED").message.split("\n").slice(3, -1),
    ]);
  });

  it("fails where nothing is answered", () => {
    const script = drive(Cache)
      .ask("kv", new Get({ key: "a" }))
      .expectRequest("below", Get)
      .noReply()
      .expectAnswer("kv", Value);
    expect(failureOf(script, "KITH_TEST_EXPECTED").message).to.contain("came      nothing");
  });
});

describe("expectFault", () => {
  const dying = drive(Heart).allow("beats", Pulse).advance(1000);
  const failing = drive(Shop).inject("counter", new Order({ items: ["a", ""] }));

  it("takes any fault", () => {
    dying.expectFault().run();
  });

  it("takes it by class, message, code, event and path", () => {
    dying.expectFault({ cause: KithError, code: "HEART_DEAD", message: "stopped" }).run();
    dying.expectFault({ message: /heart.*stopped/i, path: "Heart-1" }).run();
    dying.expectFault((fault) => fault.path === "/Test-1/Heart-1").run();
    failing
      .allow("store", Note)
      .expect("store", Part)
      .expectFault({ cause: RangeError, event: Order })
      .run();
  });

  it("stands behind what was triggered before the throw", () => {
    failing.expect("store", Part).expect("store", Note).expectFault().run();
  });

  it("lets the component go on with the rest of its queue", () => {
    failing
      .allow("store", Note)
      .expect("store", Part)
      .expectFault()
      .inject("counter", new Order({ items: [] }))
      .expect("counter", Bill, { sum: 0 })
      .run();
  });

  const refusals = [
    [{ cause: TypeError }, "the cause is KithError: The heart has stopped. Live"],
    [{ cause: TypeError }, "no TypeError"],
    [{ message: "beats" }, "the message is "],
    [{ message: /^beats/ }, "the message is "],
    [{ code: "HEART_BROKEN" }, 'the code is "HEART_DEAD"'],
    [{ path: "Lung-1" }, "the path is /Test-1/Heart-1"],
  ] as const;
  for (const [match, reason] of refusals) {
    it(`refuses where ${reason}`, () => {
      expect(failureOf(dying.expectFault(match), "KITH_TEST_EXPECTED").message).to.contain(reason);
    });
  }

  it("refuses where it was thrown in the handler of another event, or of none", () => {
    const other = failing.allow("store", Note).expect("store", Part).expectFault({ event: Ping });
    expect(failureOf(other, "KITH_TEST_EXPECTED").message).to.contain(
      "(the event is Order { items:",
    );
    class Starter extends Component {
      constructor() {
        super();
        this.onStart(() => {
          throw new RangeError("start");
        });
      }
    }
    const none = drive(Starter).expectFault({ event: Ping });
    expect(failureOf(none, "KITH_TEST_EXPECTED").message).to.contain("(the event is none)");
  });

  it("fails where there is none, and tells what was wanted", () => {
    const script = drive(Ponger).expectFault({
      cause: RangeError,
      message: /far/,
      code: "FAR",
      event: Ping,
      path: "Ponger-1",
    });
    const wanted = `{ cause: RangeError, message: /far/, code: "FAR", event: Ping, path: "Ponger-1" }`;
    expectFailure(script, "KITH_TEST_EXPECTED", [
      `Ponger, statement 1: expectFault(${wanted})`,
      `  expected  a fault: ${wanted}`,
      "  came      nothing",
      "  no events so far",
    ]);
    expect(failureOf(drive(Ponger).expectFault(), "KITH_TEST_EXPECTED").message).to.contain(
      "expected  a fault\n",
    );
  });

  it("is what an unexpected fault asks for: its cause is the failure's cause", () => {
    const error = failureOf(
      failing.expect("store", Part).expect("store", Note).expect("counter", Bill),
      "KITH_TEST_EXPECTED",
    );
    expect(error.cause).to.be.instanceOf(RangeError);
    expect(error.message).to.contain(
      'came      a fault: RangeError: an item without a name, while handling Order { items: ["a", ""] }',
    );
    expect(error.message).to.contain(
      "  > 0 ms  fault  /Test-1/Shop-1  RangeError: an item without a name, while handling Order",
    );
  });

  it("takes faults of lifecycle handlers, of constructors, and of what lies below", () => {
    class Starter extends Component {
      constructor(init: { at: "construction" | "start" | "stop" }) {
        super();
        if (init.at === "construction") throw new RangeError("construction");
        this.onStart(() => {
          if (init.at === "start") throw new RangeError("start");
        });
        this.onStop(() => {
          if (init.at === "stop") throw new RangeError("stop");
        });
      }
    }
    class Outer extends Component {
      readonly inner = this.create(Starter, { at: "start" }, { name: "Inner" });
    }
    drive(Starter, { at: "construction" }).expectFault({ message: "construction" }).run();
    drive(Starter, { at: "start" }).expectFault({ message: "start" }).run();
    drive(Starter, { at: "stop" }).expectNothing().stop().expectFault({ message: "stop" }).run();
    drive(Outer).expectFault({ message: "start", path: "Inner" }).run();
  });

  it("takes what is no error too", () => {
    class Odd extends Component {
      constructor() {
        super();
        this.onStart(() => {
          // oxlint-disable-next-line typescript/only-throw-error -- that is the point
          throw "a text";
        });
      }
    }
    drive(Odd).expectFault({ message: "text" }).run();
    const error = failureOf(
      drive(Odd).expectFault({ cause: Error, code: "X" }),
      "KITH_TEST_EXPECTED",
    );
    expect(error.message).to.contain('(the cause is "a text", no Error)');
    const code = failureOf(drive(Odd).expectFault({ code: "X" }), "KITH_TEST_EXPECTED");
    expect(code.message).to.contain("(the code is undefined)");
  });
});

describe("expectDeadLetter", () => {
  class Deaf extends Component {
    readonly pp = this.provides(PingPong);
  }
  const deaf = drive(Deaf).inject("pp", new Ping({ n: 1 }));

  it("takes an event that reached nobody, by reason, class and fields", () => {
    deaf.expectDeadLetter("no-handler").run();
    deaf.expectDeadLetter("no-handler", Ping).run();
    deaf.expectDeadLetter("no-handler", Ping, { n: 1 }).run();
    deaf.expectDeadLetter("no-handler", Ping, (ping) => ping.n === 1).run();
  });

  it("comes after everything else that the same statement has caused", () => {
    class Twice extends Component {
      readonly kv = this.provides(KeyValue);
      constructor() {
        super();
        this.kv.on(Get, (_, token) => {
          this.kv.reply(token, new Value({ value: "1" }));
          this.kv.reply(token, new Value({ value: "2" }));
        });
      }
    }
    drive(Twice)
      .ask("kv", new Get({ key: "a" }))
      .expectAnswer("kv", Value, { value: "1" })
      .expectDeadLetter("no-asker", Value, { value: "2" })
      .run();
  });

  it("fails at another reason, another class, another field, and where there is none", () => {
    expectFailure(deaf.expectDeadLetter("no-channel"), "KITH_TEST_EXPECTED", [
      'Deaf, statement 2: expectDeadLetter("no-channel")',
      "  expected  a dead letter: any event (no-channel)",
      "  came      a dead letter: Ping { n: 1 } (no-handler), at pp of /Test-1 (the reason is no-handler)",
      "  the last events:",
      "    0 ms  in     pp          Ping { n: 1 }",
      "  > 0 ms  dead   /Test-1.pp  Ping { n: 1 } (no-handler)",
    ]);
    failureOf(deaf.expectDeadLetter("no-handler", Pong), "KITH_TEST_EXPECTED");
    const field = failureOf(
      deaf.expectDeadLetter("no-handler", Ping, { n: 2 }),
      "KITH_TEST_EXPECTED",
    );
    expect(field.message).to.contain("(n is 1, not 2)");
    failureOf(drive(Deaf).expectDeadLetter("no-handler"), "KITH_TEST_EXPECTED");
  });

  it("is a failure where nobody expects it, unless they are allowed", () => {
    expect(failureOf(deaf, "KITH_TEST_UNEXPECTED").message).to.contain(
      "came      a dead letter: Ping { n: 1 } (no-handler)",
    );
    drive(Deaf, {}, { deadLetters: "allowed" })
      .inject("pp", new Ping({ n: 1 }))
      .run();
    drive(Deaf, {}, { deadLetters: "allowed" })
      .inject("pp", new Ping({ n: 1 }))
      .expectDeadLetter("no-handler")
      .run();
  });
});

describe("an event class with a hand-written constructor", () => {
  class Fast extends event("expecting/Fast") {
    readonly n: number;
    constructor(n: number) {
      super();
      this.n = n;
    }
    get double(): number {
      return 2 * this.n;
    }
  }
  const FastPort = port("FastPort", { indications: [Fast] });
  class Source extends Component {
    readonly out = this.provides(FastPort);
    constructor() {
      super();
      this.onStart(() => this.out.trigger(new Fast(3)));
    }
  }

  it("is matched like any other, by its getters too", () => {
    drive(Source).expect("out", Fast, { n: 3, double: 6 }).run();
    const error = failureOf(drive(Source).expect("out", Fast, { double: 5 }), "KITH_TEST_EXPECTED");
    expect(error.message).to.contain("(double is 6, not 5)");
  });
});
