/** Clients that are in a hurry, have gone, or mean no good: each gets what is due to it, and no other one suffers. */

import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { Component, run } from "@kith/core";
import { real } from "@kith/node";
import { Apply, Get, Store } from "@kith/store";
import { expect } from "chai";
import { RedisGateway } from "./gateway.ts";
import type { GatewayLimits } from "./limits.ts";
import { Listener, Listening } from "./listening.ts";
import { Client, closeAll, encoded, gatewayOnMemory } from "./kit.test.ts";

const mebibyte = 1024 * 1024;

/** All that comes until the gateway ends. */
function allOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    socket.on("data", (piece: Buffer) => pieces.push(piece));
    socket.on("end", () => resolve(Buffer.concat(pieces).toString("latin1")));
    socket.on("error", reject);
  });
}

describe("strangers", () => {
  let stop: () => Promise<void> = () => Promise.resolve();
  afterEach(async () => {
    await closeAll();
    await stop();
  });

  it("get their replies though they have said that they send nothing more", async () => {
    const { port } = await gatewayOnMemory();
    const socket = connect(port, "127.0.0.1");
    const all = allOf(socket);
    socket.end("SET a 1\r\nINCR a\r\nMGET a b\r\nGET a\r\n");
    expect(await all).equal("+OK\r\n:2\r\n*2\r\n$1\r\n2\r\n$-1\r\n$1\r\n2\r\n");
  });

  it("get all replies though they wait, more than are begun at a time", async () => {
    const { port } = await gatewayOnMemory({ limits: { pendingMax: 4 } });
    const socket = connect(port, "127.0.0.1");
    const all = allOf(socket);
    socket.end("INCR n\r\n".repeat(50));
    expect(await all).equal(Array.from({ length: 50 }, (_, i) => `:${i + 1}\r\n`).join(""));
  });

  it("are hung up on though they go on to talk: after a protocol error, and where there are too many", async () => {
    const { port } = await gatewayOnMemory({ limits: { clientsMax: 1 } });
    const first = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    first.write("*1\r\n!\r\n");
    const second = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const talkers = [first, second];
    const talk = setInterval(() => {
      for (const one of talkers) if (one.writable) one.write("x");
    }, 50);
    try {
      await Promise.all(
        talkers.map(
          (one) =>
            new Promise((resolve) => {
              one
                .on("error", () => undefined)
                .on("close", resolve)
                .resume();
            }),
        ),
      );
    } finally {
      clearInterval(talk);
    }
  });

  it("are looked for where they say nothing any more", async () => {
    if (process.platform !== "linux") {
      console.log("(only Linux says which timers run)");
      return;
    }
    const { port } = await gatewayOnMemory();
    const client = await Client.to(port);
    expect(await client.ask("PING")).equal("+PONG");
    const hex = (n: number): string => n.toString(16).toUpperCase().padStart(4, "0");
    const own = `0100007F:${hex(port)} 0100007F:${hex(client.socket.localPort ?? 0)} 01`;
    const line = readFileSync("/proc/net/tcp", "utf8")
      .split("\n")
      .find((one) => one.includes(own));
    // The kind of the timer that runs: 2 is keep-alive.
    expect(line?.trim().split(/\s+/)[5]?.slice(0, 2)).equal("02");
  });

  it("do not take others down by what a transaction cannot do", async () => {
    const { port } = await gatewayOnMemory();
    const other = await Client.to(port);
    const client = await Client.to(port);
    const large = new Uint8Array(mebibyte + 1);
    for (const tail of [
      ["INCR", "a"],
      ["GET", "a"],
      ["GETDEL", "a"],
    ]) {
      const replies = await client.all([["MULTI"], ["SET", "a", large], tail, ["EXEC"]]);
      expect(replies[3]).match(/^\*2 -ERR string exceeds maximum allowed size/);
    }
    expect(
      await client.all([["MULTI"], ["MSET", "b", "1", "c", large], ["GET", "b"], ["EXEC"]]),
    ).length(4);
    expect(await other.ask("PING")).equal("+PONG");
  });

  it("are told that nobody knows where the store does not say", async () => {
    const { port, end } = await deaf({ withinMs: 100, graceMs: 100 });
    stop = end;
    const client = await Client.to(port);
    const [first, second] = await client.all([
      ["INCR", "a"],
      ["GET", "a"],
    ]);
    expect(first).match(/^-UNKNOWN /);
    expect(second).match(/^-UNKNOWN /);
  });

  it("cannot make it keep replies without end behind one that does not come", async () => {
    const { port, end } = await deaf({ pendingMax: 100, outputBytesMax: 4 * mebibyte });
    stop = end;
    const client = await Client.to(port);
    client.send("GET a\r\n");
    const echo = encoded(["ECHO", "x".repeat(10_000)]);
    // More than every buffer between two sockets holds.
    const flood = Buffer.concat(Array.from({ length: 6400 }, () => echo));
    let isTaken = false;
    client.socket.write(flood, () => {
      isTaken = true;
    });
    const other = await Client.to(port);
    for (let i = 0; i < 200; i++) expect(await other.ask("PING")).equal("+PONG");
    const told = await other.ask("INFO", "stats");
    expect(Number(/total_commands_processed:(\d+)/.exec(told)?.[1])).lessThan(400);
    expect(isTaken).equal(false);
  });
});

/** A store that does not answer. */
class Deaf extends Component {
  readonly store = this.provides(Store);
  constructor() {
    super();
    for (const cls of [Get, Apply]) this.store.on(cls, () => undefined);
  }
}

class DeafPeer extends Component {
  readonly listener = this.requires(Listener);
  readonly deaf = this.create(Deaf);
  readonly redis;
  readonly port = new Promise<number>((resolve) => {
    this.listener.on(Listening, ({ port }) => resolve(port));
  });

  constructor(limits: Partial<GatewayLimits>) {
    super();
    this.redis = this.create(RedisGateway, { port: 0, limits });
    this.connect(this.deaf.ports.store, this.redis.ports.store);
    this.connect(this.redis.ports.listener, this.listener);
  }
}

async function deaf(limits: Partial<GatewayLimits>) {
  const system = await run(DeafPeer, limits, real({ log: () => undefined }));
  return { port: await system.instance.port, end: () => system.stop() };
}
