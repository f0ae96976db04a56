/** The build for browsers: its size, and what it does in one. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { build, type BuildOptions } from "esbuild";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { WebSocket, WebSocketServer } from "ws";
import { ConnectionDown, ConnectionUp } from "../index.ts";
import { holds, start, stopAll } from "./process-kit.test.ts";

const browser = "/usr/bin/chromium";
const folder = fileURLToPath(new URL(".", import.meta.url));
/** What core, timer, network and codec together should weigh; they do not yet. */
const gzippedKilobytesAim = 40;
/** What they may weigh meanwhile: it has to get less, not more. */
const gzippedKilobytesMax = 44;

/** What a program takes of them: all of core, the port, messages, peers and one codec; no loopback provider. */
const programOf = `
  export * from "@kith/core";
  export * from "../port.ts";
  export { Message, message } from "../message.ts";
  export { parsePeer, formatPeer, samePeer, addressOf, self } from "../peer-ref.ts";
  export { register } from "../registry.ts";
  export { PlainCodec } from "../plain-codec.ts";
  export * from "./browser.ts";
`;

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

async function bundle(contents: string, options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder, loader: "ts" },
    bundle: true,
    write: false,
    format: "iife",
    conditions: ["source"],
    platform: "browser",
    target: "es2023",
    logLevel: "silent",
    ...options,
  });
  return outputFiles?.[0]?.text ?? "";
}

/** Pairs who calls a port with who waits there, and passes frames on. */
function relay(): Promise<{ readonly port: number; close(): void }> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  const callers: WebSocket[] = [];
  const waiting: WebSocket[] = [];
  const pair = (): void => {
    while (callers.length > 0 && waiting.length > 0) {
      const [caller, called] = [callers.shift(), waiting.shift()];
      if (caller === undefined || called === undefined) return;
      if (called.readyState !== WebSocket.OPEN) {
        callers.unshift(caller);
        continue;
      }
      called.send(Uint8Array.of(1));
      for (const [from, to] of [
        [caller, called],
        [called, caller],
      ] as const) {
        from.on("message", (data) => to.send(data));
        from.on("close", (code, reason) => {
          if (code >= 3000 || code === 1000) to.close(code, reason);
          else to.terminate();
        });
        from.resume();
      }
    }
  };
  server.on("connection", (socket, { url }) => {
    socket.on("error", () => undefined);
    if (url === "/accept") waiting.push(socket);
    else {
      socket.pause();
      callers.push(socket);
    }
    pair();
  });
  return new Promise((resolve) => {
    server.on("listening", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const close = (): void => {
        for (const client of server.clients) client.terminate();
        server.close();
      };
      resolve({ port, close });
    });
  });
}

describe("the network in a browser", () => {
  it(`takes ${gzippedKilobytesMax} KB gzipped at most, with core, timer and codec`, async () => {
    const text = await bundle(programOf, { format: "esm", minify: true });
    const kilobytes = gzipSync(text, { level: 9 }).length / 1024;
    const verdict = kilobytes > gzippedKilobytesAim ? "missed" : "reached";
    const whole = (text.length / 1024).toFixed(1);
    console.log(
      `      ${kilobytes.toFixed(1)} KB gzipped of ${whole} KB (the aim of ${gzippedKilobytesAim} KB is ${verdict})`,
    );
    expect(kilobytes).to.be.at.most(gzippedKilobytesMax);
    expect(text).not.to.match(/\b(require|Buffer|__dirname)\b\s*[.(]/);
  });

  describe("Chromium", () => {
    const profile = mkdtempSync(path.join(tmpdir(), "kith-network-"));
    let context: BrowserContext | null = null;
    let page: Page;
    const pages = createServer((_, response) => {
      response.setHeader("content-type", "text/html").end("<title>kith</title>");
    });

    before(async function () {
      this.timeout(60_000);
      if (!existsSync(browser)) {
        console.log(`      ${browser} is missing: install Debian's package chromium for this test`);
        return;
      }
      await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
      const stub = `export const describe = () => {}; export const it = () => {};`;
      const text = await bundle(
        `import * as page from "./page-kit.test.ts"; globalThis.page = page;`,
        {
          keepNames: true,
          plugins: [
            {
              name: "no mocha",
              setup: (it) => {
                it.onResolve({ filter: /^mocha$/ }, () => ({ path: "mocha", namespace: "stub" }));
                it.onLoad({ filter: /./, namespace: "stub" }, () => ({ contents: stub }));
              },
            },
          ],
        },
      );
      context = await chromium.launchPersistentContext(profile, {
        executablePath: browser,
        headless: true,
        args: flags,
      });
      page = await context.newPage();
      const address = pages.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.addScriptTag({ content: text });
    });

    after(async () => {
      await context?.close();
      pages.close();
      rmSync(profile, { recursive: true, force: true });
      await stopAll();
    });

    it("passes the suite of Network, between two processes on its WebSockets", async function () {
      this.timeout(120_000);
      if (context === null) return;
      const relays = await Promise.all(Array.from({ length: 60 }, () => relay()));
      try {
        const ports = relays.map(({ port }) => port);
        const told = (await page.evaluate(`page.suite(${JSON.stringify(ports)})`)) as string[];
        expect(told.filter((one) => one.startsWith("FAILED"))).to.deep.equal([]);
        console.log(`      ${told.length} cases`);
        expect(told.length).to.be.at.least(18);
      } finally {
        for (const one of relays) one.close();
      }
    });

    it("talks with a Node peer, and proves the secret", async function () {
      this.timeout(60_000);
      if (context === null) return;
      const node = await start(1);
      const call = (secret: string): Promise<unknown> =>
        page.evaluate(`page.talk(${JSON.stringify(node.self)}, ${JSON.stringify(secret)})`);
      expect(await call("known to the members")).to.deep.equal({
        ups: [1],
        ordered: true,
        replies: 1001,
        dropped: "",
        status: "acknowledged",
      });
      expect(node.system.instance.all(ConnectionUp)[0]?.peer).to.include({ peerId: 7, port: 0 });
      await holds("its end is told", () => node.system.instance.all(ConnectionDown).length > 0);
      expect(await call("guessed")).to.include({ replies: 0, dropped: "unreachable" });
      expect(node.logged()).to.match(/did not prove/);
    });
  });
});
