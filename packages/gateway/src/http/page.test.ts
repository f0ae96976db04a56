/** The status page in a real browser: what it shows, that its own policy lets it, and that it brings itself up to date. */

import { existsSync } from "node:fs";
import { ClusterView } from "@kith/peer";
import { expect } from "chai";
import { type Browser, chromium } from "playwright-core";
import { reportOf, serve, type Served } from "./http-kit.test.ts";
import { groupsOf, plainView, statusPage } from "./page.ts";

const executablePath = "/usr/bin/chromium";

describe("a group on the status page", () => {
  it("is as the member says that has got furthest, whatever older ones say", () => {
    const reports = [
      { epoch: 2, term: 5, leader: null },
      { epoch: 1, term: 5, leader: 3 },
      { epoch: 2, term: 5, leader: 2 },
      { epoch: 2, term: 4, leader: 1 },
    ].map((said, i) => {
      const report = reportOf(i + 1, 7000 + i);
      const peers = report.peers.map((peer) => ({
        ...peer,
        groups: peer.groups.map((group) => ({ ...group, ...said, gid: "g" })),
      }));
      return { ...report, peers, silent: false };
    });
    for (const processes of [reports, reports.toReversed(), reports.slice(0, 2)]) {
      const [here] = processes;
      if (here === undefined) throw new Error("There is no report.");
      const [group] = groupsOf(plainView(new ClusterView({ here, processes, complete: true })));
      expect([group?.epoch, group?.term]).deep.equal([2, 5]);
      expect(group?.leader).equal(processes.length === 2 ? null : 2);
    }
  });
});

describe("a view of the cluster", () => {
  it("names as silent who has a replica and was never heard of", () => {
    const report = reportOf(1, 7000);
    const peers = report.peers.map((peer) => ({
      ...peer,
      groups: peer.groups.map((group) => ({ ...group, members: [1, 5, 9] })),
    }));
    const here = { ...report, peers };
    const five = { ...reportOf(5, 7001), silent: true };
    const processes = [{ ...here, silent: false }, five];
    const view = plainView(new ClusterView({ here, processes, complete: true }));
    expect(view.complete).equal(false);
    const said = view.processes.map(({ silent, peers: [one] }) => [one?.peer.peerId, silent]);
    expect(said).deep.equal([
      [1, false],
      [5, true],
      [9, true],
    ]);
    const { body } = statusPage(view);
    expect(body).match(/1 of 3/);
    expect(body).match(/<td>unknown<\/td><td>silent<\/td>/);
  });
});

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
