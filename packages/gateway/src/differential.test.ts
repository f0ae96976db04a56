/**
 * The same commands to this gateway and to Redis: every reply has to be the same, byte for byte, but for orders that
 * nobody promises and the milliseconds of clocks.
 *
 * What Redis has said is kept in `testdata/replies.json`, so that it is compared also where no Redis is installed.
 * `KITH_RECORD=1` writes it anew.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bindAddress } from "@kith/node";
import { expect } from "chai";
import { commandsOf, settled, type Words } from "./commands-kit.test.ts";
import { Client, closeAll, gatewayOnMemory, bounds } from "./kit.test.ts";

const recorded = new URL("../testdata/replies.json", import.meta.url);
const recording = process.env["KITH_RECORD"] === "1";
const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;
const recordedSeeds = [1, 2, 3];
const commandsEach = 700;

/** A Redis of this test alone. */
async function redis(): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const { port, close } = await bindAddress();
  close();
  const folder = mkdtempSync(join(tmpdir(), "kith-redis-"));
  const options = ["--port", `${port}`, "--save", "", "--databases", "1", "--dir", folder];
  const child: ChildProcess = spawn("redis-server", options, {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("Ready to accept")) resolve();
    });
    child.once("exit", () => reject(new Error("redis-server has ended.")));
  });
  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners("exit");
        child.once("exit", () => {
          rmSync(folder, { recursive: true, force: true });
          resolve();
        });
        child.kill("SIGKILL");
      }),
  };
}

/** The replies of a server to commands, one after the other. */
async function repliesOf(port: number, commands: readonly Words[]): Promise<string[]> {
  const client = await Client.to(port);
  await client.ask("FLUSHALL");
  const replies: string[] = [];
  for (const words of commands) replies.push(settled(words, await client.ask(...words)));
  await client.close();
  return replies;
}

function compare(
  commands: readonly Words[],
  ours: readonly string[],
  theirs: readonly string[],
): void {
  const different = commands.flatMap((words, i) =>
    ours[i] === theirs[i]
      ? []
      : [
          `${i} ${JSON.stringify(words)}\n  here  ${JSON.stringify(ours[i])}\n  Redis ${JSON.stringify(theirs[i])}`,
        ],
  );
  expect(different.slice(0, 20).join("\n")).equal("");
}

describe("replies are those of Redis", () => {
  afterEach(closeAll);

  for (const seed of recording ? [] : recordedSeeds)
    it(`as it has answered once (${seed})`, async () => {
      const kept = JSON.parse(readFileSync(recorded, "utf8")) as Record<string, string[]>;
      const served = await gatewayOnMemory({}, seed % 2 === 0 ? { ordered: true } : { bounds });
      const commands = commandsOf(seed, commandsEach);
      compare(commands, await repliesOf(served.port, commands), kept[`${seed}`] ?? []);
    });

  describe("as it answers now", () => {
    let server: Awaited<ReturnType<typeof redis>> | undefined;
    if (!hasRedis) {
      it("is not asked: redis-server is missing here (Debian's package)", () => {});
      return;
    }
    before(async () => {
      server = await redis();
    });
    after(() => server?.stop());

    if (recording)
      it("recorded", async () => {
        const kept: Record<string, string[]> = {};
        for (const seed of recordedSeeds)
          kept[`${seed}`] = await repliesOf(server?.port ?? 0, commandsOf(seed, commandsEach));
        writeFileSync(recorded, `${JSON.stringify(kept, null, 1)}\n`);
      });

    const more = Number(process.env["KITH_SEEDS"] ?? "3");
    for (let seed = 11; seed < 11 + more; seed++)
      it(`to other commands (${seed})`, async () => {
        const served = await gatewayOnMemory();
        const commands = commandsOf(seed, commandsEach);
        const theirs = await repliesOf(server?.port ?? 0, commands);
        compare(commands, await repliesOf(served.port, commands), theirs);
      });
  });
});
