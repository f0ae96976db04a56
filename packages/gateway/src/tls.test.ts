/** TLS on both ports: who speaks it is served, who does not is hung up on, and a wrong certificate is told by what is wrong with it. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { KithError } from "@kith/core";
import { expect } from "chai";
import { Redis } from "ioredis";
import { certificateProblem, type ServerCertificate } from "./certificate.ts";
import { certificateForTests } from "./certificate-kit.test.ts";
import { serve } from "./http/http-kit.test.ts";
import { closeAll, gatewayOnMemory } from "./kit.test.ts";

const day = 24 * 3600 * 1000;

describe("TLS", () => {
  const [tls, other] = [certificateForTests(), certificateForTests()];
  if (tls === null || other === null) {
    it("is not spoken: openssl is missing here (Debian's package openssl)", () => {});
    return;
  }
  afterEach(closeAll);

  it("is spoken with clients of Redis, with a password inside it", async () => {
    const { port, traffic } = await gatewayOnMemory({ tls, password: "secret" });
    const redis = new Redis(`rediss://:secret@127.0.0.1:${port}`, {
      tls: { ca: tls.cert },
      maxRetriesPerRequest: 0,
    });
    try {
      await redis.set("a", "x".repeat(100_000));
      expect(await redis.multi().incr("n").strlen("a").exec()).deep.equal([
        [null, 1],
        [null, 100_000],
      ]);
      const before = (await traffic())["hungUp"] ?? 0;
      await refusedInPlain(port, "PING\r\n");
      expect((await traffic())["hungUp"]).equal(before + 1);
      const stranger = new Redis({ port, tls: {}, lazyConnect: true, retryStrategy: () => null });
      let why = "";
      stranger.on("error", (cause: Error) => (why = cause.message));
      await stranger.connect().catch(() => undefined);
      expect(why).match(/self-signed certificate/);
      expect(await redis.ping()).equal("PONG");
    } finally {
      redis.disconnect();
    }
  });

  it("is spoken with redis-cli", async () => {
    const { port } = await gatewayOnMemory({ tls });
    const folder = mkdtempSync(join(tmpdir(), "kith-tls-"));
    try {
      const ca = join(folder, "ca.pem");
      writeFileSync(ca, tls.cert);
      const words = ["--tls", "--cacert", ca, "set", "greeting", "hello"];
      const told = await promisify(execFile)("redis-cli", ["-p", `${port}`, ...words]).catch(
        (cause: NodeJS.ErrnoException) => cause,
      );
      if ("code" in told && told.code === "ENOENT")
        console.log("      redis-cli is missing: install Debian's redis-tools");
      else expect(told).deep.include({ stdout: "OK\n" });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("is spoken with clients of HTTP, whatever strangers do", async () => {
    const served = await serve({ tls });
    const health = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const asked = { host: "127.0.0.1", port: served.port, path: "/health", ca: tls.cert };
        const call = request({ ...asked, agent: false }, (answer) => {
          let body = "";
          answer.on("data", (chunk) => (body += String(chunk)));
          answer.on("end", () => resolve(`${answer.statusCode} ${body}`));
        });
        call.on("error", reject);
        call.end();
      });
    try {
      expect(await health()).equal('200 {"status":"up"}\n');
      await refusedInPlain(served.port, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect(await health()).match(/^200/);
    } finally {
      await served.system.stop();
    }
  });

  it("needs a certificate that is one, is valid now, and has this key", async () => {
    const now = Date.now();
    const { cert, key } = tls;
    expect(certificateProblem(tls, now)).equal(null);
    const wrong: readonly [ServerCertificate, number, RegExp][] = [
      [{ cert: "none", key }, now, /certificate is no PEM text with BEGIN CERTIFICATE/],
      [{ cert: key, key }, now, /certificate is no PEM text/],
      [{ cert, key: cert }, now, /key is no PEM text with BEGIN PRIVATE KEY/],
      [{ cert, key: other.key }, now, /key is not that of the certificate/],
      [tls, now + 3 * day, /has expired: /],
      [tls, now - 3 * day, /is not valid before /],
    ];
    for (const [certificate, wall, says] of wrong)
      expect(certificateProblem(certificate, wall)).match(says);
    const failed: unknown = await gatewayOnMemory({ tls: { cert, key: other.key } }).catch(
      (cause: unknown) => cause,
    );
    expect(failed).instanceOf(KithError).property("code", "KITH_GATEWAY_CERTIFICATE");
  });
});

/** Sends plain text, and waits until the other side has hung up without an answer in plain text. */
async function refusedInPlain(port: number, text: string): Promise<void> {
  const heard = await new Promise<string>((resolve) => {
    let all = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.on("data", (chunk) => (all += chunk.toString("latin1")));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(all));
  });
  expect(heard).not.match(/PONG|HTTP/);
}
