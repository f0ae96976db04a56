import { expect } from "chai";
import { Component, event, port, SchedulePeriodic, timeout, Timer } from "@kith/core";
import {
  Bill,
  Cache,
  Changed,
  Done,
  expectFailure,
  failureOf,
  Get,
  Heart,
  Note,
  Order,
  Part,
  period,
  Ping,
  Pinger,
  Pong,
  Ponger,
  Pulse,
  Put,
  Shop,
  Value,
} from "./fixtures.test.ts";
import { drive } from "./index.ts";

const ponger = drive(Ponger);
const ordered = (...items: string[]) => drive(Shop).inject("counter", new Order({ items }));

describe("anyOrder", () => {
  it("takes its expectations in the order in which they come", () => {
    ordered("a", "b")
      .anyOrder((any) =>
        any
          .expect("counter", Bill, { sum: 2 })
          .expect("store", Part, { item: "b" })
          .expect("store", Part, { item: "a" })
          .expect("store", Note, { text: "fetch b" })
          .expect("store", Note, { text: "fetch a" }),
      )
      .run();
  });

  it("finds the assignment where expectations overlap", () => {
    ponger
      .inject("pp", new Ping({ n: 2 }))
      .anyOrder((any) => any.expect("pp", Pong).expect("pp", Pong, { n: 2 }))
      .run();
  });

  it("replies to requests as they come", () => {
    drive(Cache)
      .ask("kv", new Get({ key: "a" }))
      .ask("kv", new Get({ key: "b" }))
      .anyOrder((any) =>
        any
          .expectRequest("below", Get, { key: "b" })
          .reply(new Value({ value: "2" }))
          .expectRequest("below", Get, { key: "a" })
          .reply((get) => new Value({ value: get.key })),
      )
      .expectAnswer("kv", Value, { value: "a" })
      .expectAnswer("kv", Value, { value: "2" })
      .run();
  });

  it("fails where one is missing, and tells which", () => {
    const script = ponger
      .inject("pp", new Ping({ n: 1 }))
      .anyOrder((any) => any.expect("pp", Pong, { n: 2 }).expect("pp", Pong, { n: 1 }));
    expectFailure(script, "KITH_TEST_EXPECTED", [
      'Ponger, statement 2.1: expect("pp", Pong, { n: 2 })',
      "  expected  Pong { n: 2 } at pp",
      "  came      nothing",
      "  the last events:",
      "    0 ms  in     pp  Ping { n: 1 }",
      "    0 ms  out    pp  Pong { n: 1 }",
    ]);
  });

  it("fails at what is none of them, and tells all that were left", () => {
    const script = ponger
      .inject("pp", new Ping({ n: 3 }))
      .anyOrder((any) =>
        any.expect("pp", Pong, { n: 1 }).expect("pp", Pong, { n: 3 }).expect("pp", Pong, { n: 5 }),
      );
    expectFailure(script, "KITH_TEST_EXPECTED", [
      'Ponger, statement 2.1: expect("pp", Pong, { n: 1 })',
      "  expected one of",
      "    2.1     Pong { n: 1 } at pp (n is 2, not 1)",
      "    2.3     Pong { n: 5 } at pp (n is 2, not 5)",
      "  came      Pong { n: 2 } at pp",
      "  the last events:",
      "    0 ms  in     pp  Ping { n: 3 }",
      "    0 ms  out    pp  Pong { n: 3 }",
      "  > 0 ms  out    pp  Pong { n: 2 }",
      "    0 ms  out    pp  Pong { n: 1 }",
    ]);
  });

  it("holds where it is empty", () => {
    ponger.anyOrder((any) => any).run();
  });
});

describe("either", () => {
  const script = (n: number) =>
    ponger.inject("pp", new Ping({ n })).either(
      (one) => one.expect("pp", Pong, { n: 1 }),
      (two) => two.expect("pp", Pong, { n: 2 }).expect("pp", Pong),
      (three) => three.expect("pp", Pong, { n: 3 }).expect("pp", Pong).expect("pp", Pong),
    );

  it("takes whichever block fits", () => {
    for (const n of [1, 2, 3]) script(n).run();
  });

  it("looks behind a common beginning", () => {
    const branching = ponger.inject("pp", new Ping({ n: 3 })).either(
      (a) => a.expect("pp", Pong).expect("pp", Pong, { n: 5 }),
      (b) => b.expect("pp", Pong).expect("pp", Pong, { n: 2 }).expect("pp", Pong),
    );
    branching.run();
  });

  it("does what the chosen block says", () => {
    const pinger = drive(Pinger, { rounds: 2 }).either(
      (low) => low.expect("pp", Ping, { n: 1 }).inject("pp", new Pong({ n: 1 })),
      (high) => high.expect("pp", Ping, { n: 2 }).inject("pp", new Pong({ n: 2 })),
    );
    pinger.expect("pp", Ping, { n: 2 }).run();
  });

  it("fails where no block fits, and tells what each would have taken", () => {
    expectFailure(script(4), "KITH_TEST_EXPECTED", [
      'Ponger, statement 2.1.1: expect("pp", Pong, { n: 1 })',
      "  expected one of",
      "    2.1.1   Pong { n: 1 } at pp (n is 4, not 1)",
      "    2.2.1   Pong { n: 2 } at pp (n is 4, not 2)",
      "    2.3.1   Pong { n: 3 } at pp (n is 4, not 3)",
      "  came      Pong { n: 4 } at pp",
      "  the last events:",
      "    0 ms  in     pp  Ping { n: 4 }",
      "  > 0 ms  out    pp  Pong { n: 4 }",
      "    0 ms  out    pp  Pong { n: 3 }",
      "    0 ms  out    pp  Pong { n: 2 }",
      "    0 ms  out    pp  Pong { n: 1 }",
    ]);
  });

  it("fails inside the chosen block, and names the statement there", () => {
    const failing = ponger.inject("pp", new Ping({ n: 2 })).either(
      (one) => one.expect("pp", Pong, { n: 1 }),
      (two) => two.expect("pp", Pong, { n: 2 }).expect("pp", Pong, { n: 0 }),
    );
    expect(failureOf(failing, "KITH_TEST_EXPECTED").message).to.match(
      /^Ponger, statement 2\.2\.2: expect\("pp", Pong, { n: 0 }\)\n {2}expected {2}Pong { n: 0 } at pp\n/,
    );
  });
});

describe("repetitions", () => {
  const pongs = (n: number) => ponger.inject("pp", new Ping({ n }));

  it("anyNumber: none, one, many", () => {
    for (const n of [0, 1, 5])
      pongs(n)
        .anyNumber((b) => b.expect("pp", Pong))
        .run();
  });

  it("anyNumber gives back what the statement after it needs", () => {
    pongs(3)
      .anyNumber((b) => b.expect("pp", Pong))
      .expect("pp", Pong, { n: 1 })
      .run();
  });

  it("anyNumber fails at what is neither the block nor what follows", () => {
    const script = pongs(2)
      .anyNumber((b) => b.expect("pp", Pong, (pong) => pong.n > 1))
      .expect("pp", Pong, { n: 0 });
    expectFailure(script, "KITH_TEST_EXPECTED", [
      'Ponger, statement 2.1: expect("pp", Pong, (predicate))',
      "  expected one of",
      "    2.1     Pong that satisfies the predicate at pp (the predicate says no)",
      "    3       Pong { n: 0 } at pp (n is 1, not 0)",
      "  came      Pong { n: 1 } at pp",
      "  the last events:",
      "    0 ms  in     pp  Ping { n: 2 }",
      "    0 ms  out    pp  Pong { n: 2 }",
      "  > 0 ms  out    pp  Pong { n: 1 }",
    ]);
  });

  it("anyNumber goes on as long as its own actions make it", () => {
    drive(Pinger, { rounds: 50 })
      .anyNumber((b) =>
        b.expect("pp", Ping, (ping) => ping.n < 50).inject("pp", new Pong({ n: 49 })),
      )
      .expect("pp", Ping, { n: 50 })
      .run();
  });

  it("atLeast: as many, and more", () => {
    for (const n of [2, 3, 9])
      pongs(n)
        .atLeast(2, (b) => b.expect("pp", Pong))
        .run();
  });

  it("atLeast fails at fewer", () => {
    expectFailure(
      pongs(1).atLeast(2, (b) => b.expect("pp", Pong)),
      "KITH_TEST_EXPECTED",
      [
        'Ponger, statement 2.1: expect("pp", Pong)',
        "  expected  Pong at pp",
        "  came      nothing",
        "  the last events:",
        "    0 ms  in     pp  Ping { n: 1 }",
        "    0 ms  out    pp  Pong { n: 1 }",
      ],
    );
  });

  it("optional: none or one, not two", () => {
    for (const n of [0, 1])
      pongs(n)
        .optional((b) => b.expect("pp", Pong))
        .run();
    failureOf(
      pongs(2).optional((b) => b.expect("pp", Pong)),
      "KITH_TEST_UNEXPECTED",
    );
  });

  it("exactly: with the number of the time", () => {
    drive(Pinger, { rounds: 4 })
      .exactly(3, (b, i) => b.expect("pp", Ping, { n: i + 1 }).inject("pp", new Pong({ n: i + 1 })))
      .expect("pp", Ping, { n: 4 })
      .run();
    ponger.exactly(0, (b) => b.expect("pp", Pong)).run();
  });

  it("exactly fails at fewer, and at more", () => {
    const two = (n: number) => pongs(n).exactly(2, (b) => b.expect("pp", Pong));
    expect(failureOf(two(1), "KITH_TEST_EXPECTED").message).to.match(
      /^Ponger, statement 2\.2\.1: /,
    );
    expectFailure(two(3), "KITH_TEST_UNEXPECTED", [
      "Ponger, at the end of the script",
      "  expected  nothing more",
      "  came      Pong { n: 1 } at pp",
      "  the last events:",
      "    0 ms  in     pp  Ping { n: 3 }",
      "    0 ms  out    pp  Pong { n: 3 }",
      "    0 ms  out    pp  Pong { n: 2 }",
      "  > 0 ms  out    pp  Pong { n: 1 }",
    ]);
  });

  it("do not loop for ever where the component always has an answer", () => {
    const script = drive(Pinger, { rounds: Infinity })
      .expect("pp", Ping)
      .inject("pp", new Pong({ n: 1 }))
      .anyNumber((b) => b.expect("pp", Ping).inject("pp", new Pong({ n: 1 })));
    const error = failureOf(script, "KITH_TEST_ENDLESS");
    expect(error.message).to.contain("statements were carried out, and there are more");
  }).timeout(60_000);

  it("nest", () => {
    ordered("a", "b", "c")
      .atLeast(1, (b) =>
        b.expect("store", Part).either(
          (note) => note.expect("store", Note),
          (none) => none.expect("counter", Bill),
        ),
      )
      .expect("counter", Bill)
      .run();
  });
});

describe("inject", () => {
  it("puts several events in before the first is handled", () => {
    drive(Pinger, { rounds: 9 })
      .expect("pp", Ping)
      .inject("pp", new Pong({ n: 1 }), new Pong({ n: 2 }))
      .expect("pp", Ping, { n: 2 })
      .expect("pp", Ping, { n: 3 })
      .run();
  });

  it("fails at an event that does not pass, and at a port that is not there", () => {
    const pinger = drive(Pinger, { rounds: 1 }).expect("pp", Ping);
    // @ts-expect-error -- the component triggers pings, it does not get them
    const wrong = pinger.inject("pp", new Ping({ n: 1 }));
    expectFailure(wrong, "KITH_TEST_ACTION", [
      'Pinger, statement 2: inject("pp", Ping { n: 1 })',
      ...failureOf(wrong, "KITH_TEST_ACTION").message.split("\n").slice(1, -1),
    ]);
    expect(failureOf(wrong, "KITH_TEST_ACTION").cause).to.have.property("code", "KITH_BAD_EVENT");
    // @ts-expect-error -- there is no such port
    const nowhere = pinger.inject("px", new Pong({ n: 1 }));
    const error = failureOf(nowhere, "KITH_TEST_ACTION");
    expect(error.cause).to.have.property("code", "KITH_TEST_PORT");
    expect(error.message).to.contain("There is no port px to drive; there are: pp.");
  });
});

describe("ask", () => {
  it("fails where the component does not handle the request", () => {
    const OnlyGet = port("OnlyGet", { requests: [Get, Put] });
    class Half extends Component {
      readonly kv = this.provides(OnlyGet);
      constructor() {
        super();
        this.kv.on(Get, (_, token) => this.kv.reply(token, new Value({ value: null })));
      }
    }
    drive(Half)
      .ask("kv", new Get({ key: "a" }))
      .expectAnswer("kv", Value)
      .run();
    const error = failureOf(
      drive(Half).ask("kv", new Put({ key: "a", value: "" })),
      "KITH_TEST_ACTION",
    );
    expect(error.cause).to.have.property("code", "KITH_ASK_NO_RECEIVER");
  });
});

describe("advance", () => {
  const heart = drive(Heart);

  it("lets timeouts come at their time", () => {
    heart
      .advance(250)
      .expect("beats", Pulse, { at: 100 })
      .expect("beats", Pulse, { at: 200 })
      .advance(49)
      .expectNothing()
      .advance(1)
      .expect("beats", Pulse, { at: 300 })
      .run();
  });

  it("prints the times", () => {
    expectFailure(heart.advance(200).expect("beats", Pulse, { at: 150 }), "KITH_TEST_EXPECTED", [
      'Heart, statement 2: expect("beats", Pulse, { at: 150 })',
      "  expected  Pulse { at: 150 } at beats",
      "  came      Pulse { at: 100 } at beats (at is 100, not 150)",
      "  the last events:",
      "  > 100 ms  out    beats  Pulse { at: 100 }",
      "    200 ms  out    beats  Pulse { at: 200 }",
    ]);
  });

  it("goes forward only", () => {
    const error = failureOf(heart.advance(-1), "KITH_TEST_ACTION");
    expect(error.message).to.match(
      /^Heart, statement 1: advance\(-1\)\n {2}KithError: .*forward only/,
    );
  });
});

describe("allow", () => {
  it("lets events come that nobody expects, from there on", () => {
    ordered("a", "b")
      .allow("store", Note)
      .expect("store", Part, { item: "a" })
      .expect("store", Part, { item: "b" })
      .expect("counter", Bill)
      .run();
  });

  it("leaves them to an expectation that wants them", () => {
    ordered("a", "b")
      .allow("store", Note)
      .expect("store", Part)
      .expect("store", Part)
      .expect("store", Note, { text: "fetch b" })
      .expect("counter", Bill)
      .run();
  });

  it("is about one port, one class, and what matches", () => {
    const bill = ordered("a").expect("store", Part);
    bill.allow("store", Note, { text: "fetch a" }).expect("counter", Bill).run();
    bill
      .allow("store", Note, (note) => note.text.startsWith("fetch"))
      .expect("counter", Bill)
      .run();
    failureOf(
      bill.allow("store", Note, { text: "x" }).expect("counter", Bill),
      "KITH_TEST_EXPECTED",
    );
    failureOf(bill.allow("counter", Note).expect("counter", Bill), "KITH_TEST_EXPECTED");
    failureOf(bill.allow("store", Part).expect("counter", Bill), "KITH_TEST_EXPECTED");
  });

  it("ends with its block, but covers what came within", () => {
    const order = new Order({ items: ["a"] });
    const within = drive(Shop).block((b) =>
      b.allow("store", Note).allow("store", Part).inject("counter", order),
    );
    within.expect("counter", Bill).run();
    const after = within.expect("counter", Bill).inject("counter", order);
    expect(failureOf(after, "KITH_TEST_UNEXPECTED").message).to.contain("came      Part");
  });

  it("ends with each time of a repetition too", () => {
    const script = ordered("a", "b").atLeast(1, (b) =>
      b.expect("store", Part, { item: "a" }).allow("store", Note, { text: "fetch a" }),
    );
    script.expect("store", Part).expect("store", Note).expect("counter", Bill).run();
  });

  it("allows requests and answers too", () => {
    drive(Cache)
      .allow("below", Get)
      .allow("kv", Value)
      .ask("kv", new Get({ key: "a" }))
      .advance(1000)
      .run();
  });
});

describe("forbid", () => {
  it("fails as soon as the event comes, also where it would be allowed or expected", () => {
    const script = drive(Shop)
      .allow("store", Note)
      .forbid("store", Note, { text: "fetch b" })
      .inject("counter", new Order({ items: ["a", "b"] }))
      .expect("store", Part);
    expectFailure(script, "KITH_TEST_FORBIDDEN", [
      'Shop, statement 2: forbid("store", Note, { text: "fetch b" })',
      '  came      Note { text: "fetch b" } at store',
      '            in statement 3: inject("counter", Order { items: ["a", "b"] })',
      "  the last events:",
      '    0 ms  in     counter  Order { items: ["a", "b"] }',
      '    0 ms  out    store    Part { item: "a" }',
      '    0 ms  out    store    Note { text: "fetch a" }',
      '    0 ms  out    store    Part { item: "b" }',
      '  > 0 ms  out    store    Note { text: "fetch b" }',
      "    0 ms  out    counter  Bill { sum: 2 }",
    ]);
  });

  it("holds where no such event comes", () => {
    drive(Shop)
      .forbid("store", Note, { text: "fetch c" })
      .inject("counter", new Order({ items: ["a"] }))
      .expect("store", Part)
      .expect("store", Note)
      .expect("counter", Bill)
      .run();
  });

  it("forbids what came when the component started and was not expected yet", () => {
    const pinger = drive(Pinger, { rounds: 2 });
    expect(failureOf(pinger.forbid("pp", Ping), "KITH_TEST_FORBIDDEN").message).to.contain(
      "  came      Ping { n: 1 } at pp\n            when it started\n",
    );
    pinger.expect("pp", Ping).forbid("pp", Ping).run();
  });

  it("ends with its block", () => {
    const order = new Order({ items: [] });
    const script = drive(Shop).block((b) => b.forbid("counter", Bill).advance(10));
    script.inject("counter", order).expect("counter", Bill).run();
    failureOf(
      drive(Shop).block((b) => b.forbid("counter", Bill).inject("counter", order)),
      "KITH_TEST_FORBIDDEN",
    );
  });

  it("gives way to a newer rule", () => {
    ordered("a")
      .expect("store", Part)
      .expect("store", Note)
      .expect("counter", Bill)
      .forbid("store", Note)
      .block((b) =>
        b
          .allow("store", Note)
          .inject("counter", new Order({ items: ["b"] }))
          .expect("store", Part)
          .expect("counter", Bill),
      )
      .run();
  });
});

describe("answerEvery", () => {
  it("answers every request of a class, which then need not be expected", () => {
    drive(Cache)
      .answerEvery("below", Get, (get) => new Value({ value: get.key }))
      .answerEvery("below", Put, new Done())
      .ask("kv", new Get({ key: "a" }))
      .expectAnswer("kv", Value, { value: "a" })
      .ask("kv", new Put({ key: "b", value: "2" }))
      .expectAnswer("kv", Done)
      .expect("kv", Changed)
      .run();
  });

  it("leaves to others what its function answers with undefined, the newest rule first", () => {
    const only = (key: string, value: string) => (get: Get) =>
      get.key === key ? new Value({ value }) : undefined;
    const rules = drive(Cache)
      .answerEvery("below", Get, only("a", "1"))
      .answerEvery("below", Get, only("b", "2"))
      .answerEvery("below", Get, only("a", "3"));
    rules
      .ask("kv", new Get({ key: "a" }))
      .expectAnswer("kv", Value, { value: "3" })
      .run();
    rules
      .ask("kv", new Get({ key: "b" }))
      .expectAnswer("kv", Value, { value: "2" })
      .run();
    rules
      .ask("kv", new Get({ key: "c" }))
      .expectRequest("below", Get)
      .noReply()
      .run();
  });

  it("answers what was asked before it and was not expected", () => {
    drive(Cache)
      .ask("kv", new Get({ key: "a" }))
      .answerEvery("below", Get, new Value({ value: "1" }))
      .expectAnswer("kv", Value, { value: "1" })
      .run();
  });

  it("ends with its block", () => {
    drive(Cache)
      .block((b) =>
        b
          .answerEvery("below", Get, new Value({ value: "1" }))
          .ask("kv", new Get({ key: "a" }))
          .expectAnswer("kv", Value),
      )
      .ask("kv", new Get({ key: "b" }))
      .expectRequest("below", Get)
      .noReply()
      .run();
  });

  it("fails where its function throws", () => {
    const script = drive(Cache)
      .answerEvery("below", Get, () => {
        throw new RangeError("too far");
      })
      .ask("kv", new Get({ key: "a" }));
    expect(failureOf(script, "KITH_TEST_ACTION").message).to.match(
      /^Cache, statement 2: ask\("kv", Get { key: "a" }\)\n {2}RangeError: too far\n/,
    );
  });
});

describe("expectNothing", () => {
  it("holds where everything was expected or allowed", () => {
    ponger.expectNothing().run();
    ordered("a")
      .allow("store", Note)
      .expect("store", Part)
      .expect("counter", Bill)
      .expectNothing()
      .run();
  });

  it("fails at the first event that nobody expected", () => {
    expectFailure(drive(Pinger, { rounds: 1 }).expectNothing(), "KITH_TEST_UNEXPECTED", [
      "Pinger, statement 1: expectNothing()",
      "  expected  nothing more",
      "  came      Ping { n: 1 } at pp",
      "  the last events:",
      "  > 0 ms  out    pp  Ping { n: 1 }",
    ]);
  });

  it("is what the end of every script says", () => {
    expectFailure(drive(Pinger, { rounds: 1 }), "KITH_TEST_UNEXPECTED", [
      "Pinger, at the end of the script",
      "  expected  nothing more",
      "  came      Ping { n: 1 } at pp",
      "  the last events:",
      "  > 0 ms  out    pp  Ping { n: 1 }",
    ]);
  });
});

describe("stop and start", () => {
  it("stop the component, and start it again", () => {
    drive(Pinger, { rounds: 2 })
      .expect("pp", Ping, { n: 1 })
      .stop()
      .expect("pp", Ping, { n: -1 })
      .inject("pp", new Pong({ n: 1 }))
      .expectNothing()
      .start()
      .expect("pp", Ping, { n: 1 })
      .expect("pp", Ping, { n: 2 })
      .run();
  });

  it("stop cancels timers", () => {
    drive(Heart).stop().advance(5000).expectNothing().run();
  });

  it("fail like any statement at what they cause", () => {
    const script = drive(Pinger, { rounds: 1 }).expect("pp", Ping).stop();
    expect(failureOf(script, "KITH_TEST_UNEXPECTED").message).to.contain(
      "came      Ping { n: -1 }",
    );
  });
});

describe("configure", () => {
  it("gives a setting another value while the component runs, or before it starts", () => {
    drive(Heart, {}, { settings: [period.of(50)] })
      .advance(50)
      .expect("beats", Pulse, { at: 50 })
      .run();
    drive(Heart)
      .stop()
      .configure(period.of(20))
      .start()
      .advance(20)
      .expect("beats", Pulse, { at: 20 })
      .run();
    failureOf(
      drive(Heart).configure(period.of(20)).advance(20).expect("beats", Pulse),
      "KITH_TEST_EXPECTED",
    );
  });
});

describe("a block", () => {
  it("is statements in order, numbered within", () => {
    const script = ponger.block((b) => b.inject("pp", new Ping({ n: 1 })).expect("pp", Pong));
    script.run();
    const failing = script.block((b) => b.advance(1).block((c) => c.expect("pp", Pong)));
    expect(failureOf(failing, "KITH_TEST_EXPECTED").message).to.match(
      /^Ponger, statement 2\.2\.1: /,
    );
  });

  it("has to return its statements", () => {
    // @ts-expect-error -- it returns nothing
    const build = () => ponger.block((b) => void b.advance(1));
    expect(build).to.throw("The block of statement 1, block(…), returned no statements.");
    // @ts-expect-error -- it returns something else
    expect(() => ponger.exactly(1, () => 7))
      .to.throw()
      .with.property("code", "KITH_TEST_BLOCK");
  });
});

describe("a component that never comes to rest", () => {
  class Spin extends event("block/Spin") {}
  const SpinPort = port("SpinPort", { indications: [Spin], requests: [Spin] });
  class Spinner extends Component {
    readonly out = this.provides(SpinPort);
    readonly in = this.requires(SpinPort);
    constructor() {
      super();
      this.connect(this.out, this.in);
      this.in.on(Spin, () => this.out.trigger(new Spin()));
      this.onStart(() => this.out.trigger(new Spin()));
    }
  }

  it("fails instead of hanging", () => {
    const error = failureOf(drive(Spinner), "KITH_TEST_ENDLESS");
    expect(error.message).to.contain("it never came to rest");
  }).timeout(60_000);

  class Tick extends timeout("block/Tick") {}
  class Ticker extends Component {
    readonly timer = this.requires(Timer);
    constructor() {
      super();
      this.timer.on(Tick, () => undefined);
      this.onStart(() =>
        this.timer.trigger(new SchedulePeriodic({ period: 1, timeout: new Tick() })),
      );
    }
  }

  it("is not one that only ticks", () => {
    drive(Ticker).advance(10_000).run();
  });
});
