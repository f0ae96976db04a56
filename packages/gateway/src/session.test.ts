/** A client's session on a real store in memory: orders, barriers, transactions, passwords, limits. */

import type { StoreAnswer } from "@kith/store";
import { expect } from "chai";
import { Desk } from "./desk.ts";
import { limitsOf } from "./limits.ts";
import { Past } from "./past.ts";
import { Encoder } from "./resp/encoder.ts";
import { Session } from "./session.ts";
import { Client, closeAll, encoded, gatewayOnMemory } from "./kit.test.ts";

const ok = "+OK";

describe("a session", () => {
  afterEach(closeAll);

  it("answers pipelined commands in their order, and does those on one key in theirs", async () => {
    const { port } = await gatewayOnMemory();
    const client = await Client.to(port);
    const replies = await client.all([
      ...[
        ["SET", "a", "1"],
        ["GET", "a"],
        ["PING"],
        ["INCR", "a"],
        ["APPEND", "a", "0"],
        ["GET", "a"],
      ],
      ...[
        ["MSET", "a", "5", "b", "6"],
        ["GET", "b"],
        ["INCRBYFLOAT", "b", "0.5"],
        ["MGET", "a", "b"],
      ],
      ...[["SETNX", "a", "x"], ["DEL", "a", "b"], ["GET", "a"], ["NOPE"], ["ECHO", "end"]],
    ]);
    expect(replies).deep.equal([
      ...[
        ok,
        "$1 1",
        "+PONG",
        ":2",
        ":2",
        "$2 20",
        ok,
        "$1 6",
        "$3 6.5",
        "*2 $1 5 $3 6.5",
        ":0",
        ":2",
        "$-1",
      ],
      ...["-ERR unknown command 'NOPE', with args beginning with: ", "$3 end"],
    ]);
  });

  it("does each by itself where one of several operations on a key cannot be done", async () => {
    const { port } = await gatewayOnMemory();
    const client = await Client.to(port);
    expect(
      await client.all([
        ["SET", "a", "x"],
        ["INCR", "a"],
        ["SET", "a", "1"],
        ["INCR", "a"],
        ["GET", "a"],
      ]),
    ).deep.equal([ok, "-ERR value is not an integer or out of range", ok, ":2", "$1 2"]);
  });

  it("counts for many clients at one key, each once", async () => {
    const { port } = await gatewayOnMemory();
    const clients = await Promise.all(Array.from({ length: 10 }, () => Client.to(port)));
    const all = await Promise.all(
      clients.map((client) => client.all(Array.from({ length: 50 }, () => ["INCR", "n"]))),
    );
    for (const replies of all) {
      const numbers = replies.map((reply) => Number(reply.slice(1)));
      expect(numbers).deep.equal(numbers.toSorted((a, b) => a - b));
    }
    expect(new Set(all.flat()).size).equal(500);
    expect(await clients[0]?.ask("GET", "n")).equal("$3 500");
  });

  it("runs what is queued at one instant, and an error there undoes nothing", async () => {
    const { port } = await gatewayOnMemory();
    const client = await Client.to(port);
    expect(
      await client.all([
        ...[
          ["SET", "a", "x"],
          ["MULTI"],
          ["SET", "b", "1"],
          ["INCR", "a"],
          ["INCR", "b"],
          ["GET"],
          ["EXEC"],
        ],
        ...[
          ["MULTI"],
          ["SET", "b", "1"],
          ["INCR", "a"],
          ["EXPIRE", "b", "abc"],
          ["INCR", "b"],
          ["EXEC"],
          ["GET", "b"],
        ],
      ]),
    ).deep.equal([
      ...[
        ok,
        ok,
        "+QUEUED",
        "+QUEUED",
        "+QUEUED",
        "-ERR wrong number of arguments for 'get' command",
      ],
      "-EXECABORT Transaction discarded because of previous errors.",
      ...[ok, "+QUEUED", "+QUEUED", "+QUEUED", "+QUEUED"],
      "*4 +OK -ERR value is not an integer or out of range -ERR value is not an integer or out of range :2",
      "$1 2",
    ]);
  });

  it("refuses within MULTI what is not atomic", async () => {
    const { port } = await gatewayOnMemory();
    const client = await Client.to(port);
    for (const words of [
      ["SCAN", "0"],
      ["KEYS", "*"],
      ["DBSIZE"],
      ["RANDOMKEY"],
      ["FLUSHALL"],
      ["FLUSHDB"],
    ])
      expect(await client.all([["MULTI"], words, ["EXEC"]])).deep.equal([
        ok,
        "-ERR Command not allowed inside a transaction",
        "-EXECABORT Transaction discarded because of previous errors.",
      ]);
  });

  it("does nothing where a watched key has changed, by whomever and however", async () => {
    const { port } = await gatewayOnMemory();
    const [client, other] = [await Client.to(port), await Client.to(port)];
    await client.ask("SET", "w", "1");
    const exec = async (...meanwhile: [Client, ...string[]][]): Promise<string> => {
      await client.ask("WATCH", "w", "v");
      for (const [who, ...words] of meanwhile) await who.ask(...words);
      await client.ask("MULTI");
      await client.ask("SET", "r", "done");
      return await client.ask("EXEC");
    };
    expect(await exec()).equal("*1 +OK");
    expect(await exec([other, "SET", "else", "1"])).equal("*1 +OK");
    expect(await exec([other, "GET", "w"])).equal("*1 +OK");
    expect(await exec([other, "SET", "w", "1"])).equal("*-1");
    expect(await exec([client, "APPEND", "w", "2"])).equal("*-1");
    expect(await exec([other, "SET", "v", "1"])).equal("*-1");
    expect(await exec([other, "EXPIRE", "v", "1000"])).equal("*-1");
    expect(await exec([other, "DEL", "v"])).equal("*-1");
    expect(await exec([other, "SET", "w", "2"], [client, "UNWATCH"])).equal("*1 +OK");
    // An expiry is a change.
    do {
      await client.ask("UNWATCH");
      await client.ask("SET", "w", "1", "PX", "200");
      await client.ask("WATCH", "w");
      // On a slow machine it may have expired before it was watched.
    } while ((await other.ask("EXISTS", "w")) === ":0");
    while ((await other.ask("GET", "w")) !== "$-1");
    expect((await client.all([["MULTI"], ["SET", "r", "1"], ["EXEC"]])).at(-1)).equal("*-1");
    // DISCARD ends the watch.
    await client.all([["WATCH", "w"], ["MULTI"], ["DISCARD"], ["SET", "w", "x"]]);
    expect((await client.all([["MULTI"], ["PING"], ["EXEC"]])).at(-1)).equal("*1 +PONG");
  });

  it("asks for the password, and lets nothing else through before", async () => {
    const { port } = await gatewayOnMemory({ password: "s\u00e9cret" });
    const client = await Client.to(port);
    const noauth = "-NOAUTH Authentication required.";
    const password = Buffer.from("s\u00e9cret");
    expect(await client.all([["GET", "a"], ["PING"], ["MULTI"]])).deep.equal([
      noauth,
      noauth,
      noauth,
    ]);
    expect(await client.ask("HELLO", "3")).match(/^-NOAUTH HELLO must be called/);
    expect(await client.ask("AUTH", "wrong")).match(/^-WRONGPASS/);
    expect(await client.ask("AUTH", "somebody", password)).match(/^-WRONGPASS/);
    expect(await client.ask("AUTH", password)).equal(ok);
    expect(await client.ask("PING")).equal("+PONG");
    expect(await client.ask("RESET")).equal("+RESET");
    expect(await client.ask("PING")).equal(noauth);
    expect(await client.ask("HELLO", "3", "AUTH", "default", password, "SETNAME", "me")).match(
      /^%7 /,
    );
    expect(await client.ask("CLIENT", "GETNAME")).equal("$2 me");
    expect(await client.ask("GET", "nothing")).equal("_");
  });

  it("writes what was asked before HELLO as it was asked for", async () => {
    const { port } = await gatewayOnMemory();
    const client = await Client.to(port);
    const replies = await client.all([
      ["GET", "x"],
      ["HELLO", "3"],
      ["GET", "x"],
      ["HELLO", "2"],
      ["GET", "x"],
    ]);
    expect([replies[0], replies[2], replies[4]]).deep.equal(["$-1", "_", "$-1"]);
  });

  it("answers all that came before QUIT, and hangs up", async () => {
    const { port } = await gatewayOnMemory();
    const client = await Client.to(port);
    expect(
      await client.all([["SET", "a", "1"], ["INCR", "a"], ["QUIT"], ["INCR", "a"]]),
    ).deep.equal([...[ok, ":2", ok, "closed"]]);
    expect(await (await Client.to(port)).ask("GET", "a")).equal("$1 2");
  });

  it("answers what came before garbage, says what is wrong, and hangs up; others go on", async () => {
    const { port, traffic } = await gatewayOnMemory();
    const [client, other] = [await Client.to(port), await Client.to(port)];
    client.send(Buffer.concat([encoded(["SET", "a", "1"]), Buffer.from("*1\r\nGARBAGE\r\n")]));
    expect([await client.reply(), await client.reply(), await client.reply()]).deep.equal([
      ...[ok, "-ERR Protocol error: expected '$', got 'G'", "closed"],
    ]);
    const page = await Client.to(port);
    page.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a evil\r\n");
    expect(await page.reply()).equal("closed");
    expect(await other.ask("GET", "a")).equal("$1 1");
    expect(await traffic()).deep.include({ protocolErrors: 1, hungUp: 1, clients: 1 });
  });

  it("survives clients that hang up in the middle", async () => {
    const { port } = await gatewayOnMemory();
    for (let i = 0; i < 20; i++) {
      const client = await Client.to(port);
      const bytes = encoded(["SET", "k", "value"]);
      client.send(Buffer.concat([bytes, bytes.subarray(0, i)]));
      await client.close();
    }
    expect(await (await Client.to(port)).ask("PING")).equal("+PONG");
  });
});

describe("what is said of the gateway", () => {
  afterEach(closeAll);

  it("lists the clients that are asked for", async () => {
    const { port } = await gatewayOnMemory();
    const [client, other] = [await Client.to(port), await Client.to(port)];
    const id = (await other.ask("CLIENT", "ID")).slice(1);
    const listed = async (...words: string[]) =>
      [...(await client.ask("CLIENT", "LIST", ...words)).matchAll(/ id=\d+|\nid=\d+/g)].length;
    expect([await listed(), await listed("TYPE", "normal")]).deep.equal([2, 2]);
    expect(await listed("type", "pubsub")).equal(0);
    expect(await client.ask("CLIENT", "LIST", "ID", id, "99")).match(
      new RegExp(`^\\$\\d+ id=${id} `),
    );
    expect(await client.ask("CLIENT", "LIST", "ID", "x")).equal("-ERR Invalid client ID");
    expect(await client.ask("CLIENT", "LIST", "TYPE", "no")).equal("-ERR Unknown client type 'no'");
    for (const wrong of [["FOO"], ["ID"], ["TYPE", "normal", "x"]])
      expect(await client.ask("CLIENT", "LIST", ...wrong)).equal("-ERR syntax error");
  });

  it("has the help that its errors name, and lists commands by a pattern", async () => {
    const { port } = await gatewayOnMemory();
    const client = await Client.to(port);
    expect(await client.ask("CONFIG", "FOO")).match(/Try CONFIG HELP\.$/);
    expect(await client.ask("CONFIG", "HELP")).equal(
      "*6 +CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are: +GET +SET +RESETSTAT +REWRITE +HELP",
    );
    expect(await client.ask("COMMAND", "LIST", "FILTERBY", "PATTERN", "GETDE*")).equal(
      "*1 $6 getdel",
    );
    expect(await client.ask("COMMAND", "LIST", "FILTERBY", "MODULE", "x")).equal("*0");
    expect(await client.ask("COMMAND", "LIST", "FILTERBY")).equal("-ERR syntax error");
    expect(await client.ask("COMMAND", "INFO", "nope")).equal("*1 $-1");
  });
});

describe("the limits of a session", () => {
  afterEach(closeAll);

  it("on clients", async () => {
    const { port, traffic } = await gatewayOnMemory({ limits: { clientsMax: 2 } });
    const [one] = [await Client.to(port), await Client.to(port)];
    const third = await Client.to(port);
    expect(await third.reply()).equal("-ERR max number of clients reached");
    expect(await third.reply()).equal("closed");
    await one.close();
    while ((await traffic())["clients"] === 2);
    expect(await (await Client.to(port)).ask("PING")).equal("+PONG");
  });

  it("on commands that wait: nothing is lost, it only takes longer", async () => {
    const { port } = await gatewayOnMemory({ limits: { pendingMax: 4, requestsMax: 2 } });
    const client = await Client.to(port);
    const commands = Array.from({ length: 300 }, (_, i) => ["INCR", `k${i % 40}`]);
    expect(await client.all(commands)).deep.equal(
      commands.map((_, i) => `:${Math.floor(i / 40) + 1}`),
    );
  });

  it("on the bytes of commands that wait: nothing more is read until some are done", () => {
    const settles: ((answer: StoreAnswer | null) => void)[] = [];
    const due: (() => void)[] = [];
    const said: string[] = [];
    const limits = limitsOf({ requestBytesMax: 3000 });
    const past = new Past();
    const world = { withinMs: 1000, now: () => 0, draw: () => 0, overtaken: () => undefined, past };
    const desk = new Desk({
      ...world,
      requestsMax: 100,
      ask: (_, settle) => settles.push(settle),
      soon: () => due.push(() => desk.work()),
      mistaken: () => ({ kind: "error", text: "ERR" }),
      after: () => undefined,
    });
    const session = new Session(
      { id: 1, address: "", local: "", since: 0 },
      {
        ...{ ...world, limits, desk, encoder: new Encoder(), password: null, wall: () => 0 },
        flushSoon: (one) => due.push(() => one.flush()),
        complain: (what) => said.push(what),
        counts: {
          ...{ commands: 0, errors: 0, protocolErrors: 0 },
          ...{ unknownOutcomes: 0, hungUp: 0, overtaken: 0 },
        },
        sessions: () => [],
        information: () => ({}),
      },
      {
        send: () => 0,
        pause: () => said.push("pause"),
        resume: () => said.push("resume"),
        end: () => said.push("end"),
        destroy: () => said.push("destroy"),
      },
    );
    const work = (): void => {
      for (const one of due.splice(0)) one();
    };
    for (let i = 0; i < 4; i++) session.receive(encoded(["SET", `k${i}`, "x".repeat(1000)]));
    work();
    // The third one is beyond; the fourth is not read.
    expect([settles.length, said]).deep.equal([3, ["pause"]]);
    settles[0]?.(null);
    work();
    work();
    expect([settles.length, said]).deep.equal([4, ["pause"]]);
    for (const settle of settles.slice(1)) settle(null);
    work();
    work();
    expect(said).deep.equal(["pause", "resume"]);
  });

  it("on what waits for EXEC", async () => {
    const { port } = await gatewayOnMemory({ limits: { queuedMax: 2 } });
    const client = await Client.to(port);
    expect(await client.all([["MULTI"], ["PING"], ["PING"], ["PING"], ["EXEC"]])).deep.equal([
      ...[ok, "+QUEUED", "+QUEUED", "-ERR too many commands wait for EXEC"],
      "-EXECABORT Transaction discarded because of previous errors.",
    ]);
    expect(await client.ask("WATCH", "a", "b", "c")).equal("-ERR too many keys are watched");
  });

  it("on requests", async () => {
    const { port } = await gatewayOnMemory({ limits: { requestBytesMax: 1000, argumentsMax: 5 } });
    const long = await Client.to(port);
    expect(await long.ask("SET", "a", "x".repeat(1001))).equal(
      "-ERR Protocol error: invalid bulk length",
    );
    const many = await Client.to(port);
    expect(await many.ask("MGET", "1", "2", "3", "4", "5")).equal(
      "-ERR Protocol error: invalid multibulk length",
    );
    const value = await gatewayOnMemory();
    const client = await Client.to(value.port);
    expect(await client.ask("SET", "a", "x".repeat(1024 * 1024 + 1))).match(/^-ERR string exceeds/);
    expect(await client.ask("SET", "k".repeat(4097), "x")).match(
      /^-ERR a key has more than 4096 bytes/,
    );
  });

  describe("on replies that nobody reads", () => {
    const mebibyte = 1024 * 1024;
    const limits = { outputBytesMax: 2 * mebibyte };
    const many = (words: (i: number) => string[]): Buffer =>
      Buffer.concat(Array.from({ length: 60 }, (_, i) => encoded(words(i))));

    it("one value asked for many times takes its room once, and nothing is lost", async () => {
      const { port, traffic } = await gatewayOnMemory({ limits });
      const client = await Client.to(port);
      await client.ask("SET", "a", "x".repeat(mebibyte));
      client.socket.pause();
      client.send(many(() => ["GET", "a"]));
      client.send("QUIT\r\n");
      const other = await Client.to(port);
      for (let pings = 0; ((await traffic())["commands"] ?? 0) < 62 + pings; pings++)
        expect(await other.ask("PING")).equal("+PONG");
      client.socket.resume();
      for (let i = 0; i < 60; i++) expect(await client.reply()).length(mebibyte + 9);
      expect(await client.reply()).equal("+OK");
      expect(await client.reply()).equal("closed");
      expect((await traffic())["hungUp"]).equal(0);
    });

    it("looks beyond the bound are refused with a clear word, and can be made again", async () => {
      const { port, traffic } = await gatewayOnMemory({ limits });
      const client = await Client.to(port);
      for (let i = 0; i < 20; i++) await client.ask("SET", `k${i}`, "x".repeat(mebibyte));
      client.socket.pause();
      client.send(many((i) => ["GET", `k${i % 20}`]));
      while ((await traffic())["errors"] === 0);
      client.socket.resume();
      const replies: string[] = [];
      for (let i = 0; i < 60; i++) replies.push((await client.reply()).slice(0, 40));
      const refused = replies.filter((reply) =>
        reply.startsWith("-BUSY too many bytes of replies"),
      );
      expect(refused).not.empty;
      expect(replies.filter((reply) => reply.startsWith("$1048576 xx"))).length(
        60 - refused.length,
      );
      expect(await client.ask("GET", "k7")).length(mebibyte + 9);
    });

    it("who writes and reads nothing is hung up on: what was written cannot be said to be not done", async () => {
      const { port, traffic } = await gatewayOnMemory({ limits });
      const client = await Client.to(port);
      for (let i = 0; i < 20; i++) await client.ask("SET", `k${i}`, "x".repeat(mebibyte));
      client.socket.pause();
      client.send(many((i) => ["GETDEL", `k${i % 20}`]));
      while ((await traffic())["hungUp"] === 0);
      await client.close();
      expect((await traffic())["clients"]).equal(0);
    });
  });
});
