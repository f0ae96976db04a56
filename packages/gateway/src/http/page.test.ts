/** The status page in a real browser: what it shows, that its own policy lets it, and that it brings itself up to date. */

import { existsSync } from "node:fs";
import { expect } from "chai";
import { type Browser, chromium } from "playwright-core";
import { reportOf, serve, type Served } from "./http-kit.test.ts";

const executablePath = "/usr/bin/chromium";

describe("the status page", function () {
  this.timeout(60_000);
  let served: Served | null = null;
  let browser: Browser | null = null;

  after(async () => {
    await browser?.close();
    await served?.system.stop();
  });

  it("shows peers and groups as a picture and as tables, and goes on by itself", async () => {
    if (!existsSync(executablePath)) {
      console.log(
        `      ${executablePath} is missing: install Debian's package chromium for this test`,
      );
      return;
    }
    const evil = "<img src=x onerror=alert(1)>";
    const [first, second, third] = [reportOf(1, 7000), reportOf(2, 7001), reportOf(3, 7002)];
    const failing = {
      ...second,
      detail: evil,
      peers: second.peers.map((peer) => ({ ...peer, state: "failed" as const, reason: evil })),
    };
    served = await serve({}, [first, failing, third]);
    browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("dialog", (dialog) => void dialog.dismiss().then(() => complaints.push("a dialog")));
    await page.goto(served.url);
    expect(await page.locator("svg g.up circle").count()).equal(1);
    expect(await page.locator("svg g.down circle").count()).equal(2);
    expect(await page.locator("svg .group").count()).equal(1);
    expect(await page.locator("tbody").first().innerText()).contain(evil);
    expect(await page.locator("svg .count").textContent()).equal("1 of 3");
    const box = await page.locator("svg[role=img]").boundingBox();
    expect(box?.width).greaterThan(200);
    await page.locator("main").evaluate((main: { id: string }) => {
      main.id = "old";
    });
    await page.locator("main#old").waitFor({ state: "detached" });
    expect(await page.locator("svg g circle").count()).equal(3);
    expect(complaints).deep.equal([]);
  });
});
