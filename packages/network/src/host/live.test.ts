/** What holds of a Network on sockets while it runs: a reader that stalls, a swap, an end, TLS. */

import { createServer } from "node:net";
import { expect } from "chai";
import { WebSocket } from "ws";
import { Note, Parcel } from "../compliance/harness.ts";
import {
  ConnectionDown,
  ConnectionUp,
  Dropped,
  NetworkDrained,
  NetworkFull,
  PlainCodec,
} from "../index.ts";
import { describeThrown } from "./failure.ts";
import { webSocketNetwork } from "./index.ts";
import { reportErrors } from "./node-listener.ts";
import { certificate, holds, say, start, stopAll, type TestProcess } from "./process-kit.test.ts";

async function connected(a: TestProcess, b: TestProcess): Promise<void> {
  const before = b.system.instance.notes.length;
  say(a, (speaker) => speaker.send(new Note({ to: b.self, n: 0 })));
  await holds("they are connected", () => b.system.instance.notes.length > before);
}

describe("a network on sockets", () => {
  afterEach(stopAll);

  it("tells the sender of a reader that stalls, holds little for it, and goes on when it reads", async function () {
    this.timeout(60_000);
    const sockets: WebSocket[] = [];
    const limits = { queueMessagesMax: 200, silenceMs: 600_000 };
    const [a, b] = await Promise.all([start(1, { limits }), start(2)]);
    await connected(a, b);
    // Whoever reads does not: its socket stands still, as when its process is stopped.
    const original = WebSocket.prototype.resume;
    const stall = (socket: WebSocket): void => {
      if (!sockets.includes(socket)) sockets.push(socket);
    };
    const emit = WebSocket.prototype.emit;
    WebSocket.prototype.emit = function (this: WebSocket, name: string | symbol, ...rest: never[]) {
      if (name === "message") {
        stall(this);
        this.pause();
      }
      return emit.call(this, name, ...rest);
    } as typeof emit;
    try {
      const content = new Uint8Array(64 * 1024);
      let sent = 0;
      const before = process.memoryUsage().arrayBuffers;
      for (let i = 0; i < 100; i++) {
        let turn = false;
        say(a, (speaker) => {
          for (let k = 0; k < 50; k++, sent++) speaker.send(new Parcel({ to: b.self, content }));
          turn = true;
        });
        await holds("a turn is over", () => turn);
      }
      await holds("it is told", () => a.system.instance.all(Dropped).length > 0);
      expect(a.system.instance.all(Dropped)[0]).to.include({ reason: "full" });
      expect(a.system.instance.all(NetworkFull)).to.have.length(1);
      expect(a.system.instance.all(NetworkDrained)).to.have.length(0);
      // 5,000 messages are 320 MB; what is held is the queue and the window.
      expect(process.memoryUsage().arrayBuffers - before).to.be.below(100 * 1024 * 1024);
      WebSocket.prototype.emit = emit;
      for (const socket of sockets) original.call(socket);
      await holds("it is drained", () => a.system.instance.all(NetworkDrained).length === 1);
      await holds(
        "every message is accounted for",
        () => b.system.instance.all(Parcel).length + a.system.instance.all(Dropped).length === sent,
      );
    } finally {
      WebSocket.prototype.emit = emit;
    }
  });

  it("keeps its connections in a swap for its like", async () => {
    const [a, b] = await Promise.all([start(1), start(2)]);
    await connected(a, b);
    await a.system.swap("/Network", webSocketNetwork(new PlainCodec()), a.init);
    await connected(b, a);
    await connected(a, b);
    for (const { system } of [a, b]) {
      expect(system.instance.all(ConnectionUp)).to.have.length(1);
      expect(system.instance.all(ConnectionDown)).to.deep.equal([]);
    }
  });

  it("announces the end of its connections in a swap for something else, and goes on", async () => {
    const [a, b] = await Promise.all([start(1), start(2)]);
    await connected(a, b);
    const other = { ...a.init, limits: { backOffMs: 50 } };
    await a.system.swap("/Network", webSocketNetwork(new PlainCodec()), other);
    await holds("both are told", () =>
      [a, b].every(({ system }) => system.instance.all(ConnectionDown).length === 1),
    );
    for (const { system } of [a, b])
      expect(system.instance.all(ConnectionDown)[0]?.reason).to.equal("closed");
    await connected(a, b);
    await connected(b, a);
  });

  it("lets what was sent before its stop arrive, and says goodbye", async () => {
    const [a, b] = await Promise.all([start(1), start(2)]);
    await connected(a, b);
    say(a, (speaker) => {
      for (let n = 1; n <= 1000; n++) speaker.send(new Note({ to: b.self, n }));
    });
    say(a, () => void a.system.stop());
    await holds("the end is told", () => b.system.instance.all(ConnectionDown).length > 0);
    expect(b.system.instance.all(ConnectionDown)[0]?.reason).to.equal("closed");
    const { notes } = b.system.instance;
    expect(notes).to.deep.equal(notes.map((_, i) => i));
  });

  it("that cannot listen faults with a coded error", async () => {
    const a = await start(1);
    const { system } = await start(2, { self: { ...a.self, peerId: 2, incarnation: 2 } });
    let code = "";
    system.done.catch((fault: { code?: string }) => (code = fault.code ?? "none"));
    await holds("it faults", () => code !== "");
    expect(code).to.equal("KITH_NETWORK_LISTEN");
  });

  it("talks over TLS", async () => {
    const tls = certificate();
    if (tls === null) return;
    const [a, b] = await Promise.all([start(1, { tls }), start(2, { tls })]);
    await connected(a, b);
    await connected(b, a);
    expect(a.system.instance.all(ConnectionUp)).to.have.length(1);
  });

  it("goes on listening where one call could not be taken, and has failed where it never listened", async () => {
    const told: string[] = [];
    const user = {
      failed: (cause: unknown) => void told.push(`failed: ${describeThrown(cause)}`),
      troubled: (cause: unknown) => void told.push(`troubled: ${describeThrown(cause)}`),
    };
    const server = createServer();
    reportErrors(server, user);
    server.emit("error", new Error("address in use"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    server.emit("error", new Error("too many open files"));
    server.close();
    expect(told).to.deep.equal(["failed: address in use", "troubled: too many open files"]);
  });

  it("refuses to listen for everybody without a secret, or with TLS and no certificate", async () => {
    const open = { secret: "", listen: { host: "0.0.0.0", port: 7000 } };
    for (const [init, code] of [
      [open, /KITH_NETWORK_SECRET_MISSING/],
      // A name, wherever it leads.
      [{ ...open, listen: { host: "127.example.org", port: 7000 } }, /KITH_NETWORK_SECRET_MISSING/],
      [{ tls: {} }, /KITH_NETWORK_CERTIFICATE_MISSING/],
    ] as const) {
      let failed = "";
      await start(1, init).catch((error: Error) => (failed = error.message));
      expect(failed).to.match(code);
    }
  });
});
