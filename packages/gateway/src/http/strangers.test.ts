/** Requests that mean no good: none of them ends the server, and nobody keeps a connection for nothing. */

import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { serve, type Served, until } from "./http-kit.test.ts";

describe("strangers at the HTTP port", () => {
  let served: Served;
  before(async () => {
    served = await serve();
  });
  after(() => served.system.stop());

  function call(text: string, port = served.port): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => {
        socket.write(text);
        resolve(socket);
      });
      socket.on("error", reject);
    });
  }

  it("cannot end it by base64 that is none", async () => {
    for (const base64 of ["A", "AAAAA", "A=", "==", "AA="]) {
      const response = await fetch(`${served.url}/transactions`, {
        method: "POST",
        body: JSON.stringify({ operations: [{ put: "a", base64 }] }),
      });
      expect(response.status).equal(400);
    }
    expect((await fetch(`${served.url}/health`)).status).equal(200);
  });

  it("do not keep a connection that was to speak another protocol", async () => {
    const socket = await call(
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    const talk = setInterval(() => socket.writable && socket.write("x"), 20);
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.resume().on("close", resolve));
    clearInterval(talk);
  });

  it("do not keep a connection by never reading what they have asked for", async () => {
    const limits = { connectionsMax: 1, idleMs: 50, headersMs: 400, requestMs: 400 };
    const narrow = await serve({ limits });
    try {
      const large = new Uint8Array(1024 * 1024);
      await until(async () => {
        const put = await fetch(`${narrow.url}/keys/large`, { method: "PUT", body: large }).catch(
          () => null,
        );
        return put?.status === 200 ? true : null;
      });
      const ask = "GET /keys/large?raw HTTP/1.1\r\nHost: localhost\r\n\r\n";
      const reader = await until(async () => {
        const socket = await call(ask.repeat(40), narrow.port);
        // It is hung up on as long as the one before is there.
        const isRead = await new Promise((resolve) => {
          socket.once("data", () => resolve(true)).once("end", () => resolve(false));
        });
        return isRead === true ? socket : null;
      });
      reader.pause();
      await until(async () => {
        const health = await fetch(`${narrow.url}/health`).catch(() => null);
        return health?.status === 200 ? true : null;
      });
      reader.destroy();
    } finally {
      await narrow.system.stop();
    }
  });

  it("do not end it by hanging up hard in the middle of that", async () => {
    const gone: Promise<unknown>[] = [];
    for (let i = 0; i < 50; i++) {
      const socket = await call(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      );
      gone.push(new Promise((resolve) => socket.on("close", resolve)));
      socket.resetAndDestroy();
    }
    await Promise.all(gone);
    expect((await fetch(`${served.url}/health`)).status).equal(200);
  });
});
