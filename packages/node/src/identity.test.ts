import { KithError } from "@kith/core";
import { expect } from "chai";
import { fork } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durableIdentity, passingIdentity } from "./identity.ts";

describe("an identity", () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "kith-identity-"));
  });
  afterEach(() => {
    chmodSync(directory, 0o700);
    rmSync(directory, { recursive: true, force: true });
  });

  function fails(code: string, action: () => unknown): void {
    expect(action).to.throw(KithError).with.property("code", code);
  }

  it("stays, and each start is a higher life", () => {
    const lives = Array.from({ length: 5 }, () => durableIdentity(join(directory, "new", "one")));
    expect(new Set(lives.map(({ peerId }) => peerId)).size).to.equal(1);
    expect(lives.map(({ incarnation }) => incarnation)).to.deep.equal([1, 2, 3, 4, 5]);
    expect(readdirSync(join(directory, "new", "one")).sort()).to.deep.equal(["life-5", "peer"]);
  });

  it("is the one that was asked for, and no other afterwards", () => {
    expect(durableIdentity(directory, 7)).to.deep.equal({ peerId: 7, incarnation: 1 });
    expect(durableIdentity(directory)).to.deep.equal({ peerId: 7, incarnation: 2 });
    fails("KITH_NODE_IDENTITY", () => durableIdentity(directory, 8));
    fails("KITH_NODE_IDENTITY", () => durableIdentity(directory, 1.5));
    fails("KITH_NODE_IDENTITY", () => passingIdentity(-1));
  });

  it("is a point of the ring of identifiers where it is drawn", () => {
    const drawn = Array.from({ length: 200 }, () => passingIdentity().peerId);
    expect(Math.max(...drawn)).to.be.within(2 ** 48, 2 ** 50 - 1);
  });

  it("a crash between making a life and forgetting the last one costs nothing", () => {
    durableIdentity(directory);
    writeFileSync(join(directory, "life-9"), "");
    expect(durableIdentity(directory).incarnation).to.equal(10);
  });

  it("what cannot be read or written is told", () => {
    durableIdentity(directory);
    writeFileSync(join(directory, "peer"), "no number");
    fails("KITH_NODE_DATA", () => durableIdentity(directory));
    const file = join(directory, "file");
    writeFileSync(file, "");
    fails("KITH_NODE_DATA", () => durableIdentity(join(file, "below")));
    expect(existsSync(join(directory, "life-3"))).to.equal(false);
  });

  it("a life that another process takes in between is not taken twice", () => {
    durableIdentity(directory);
    let others = 0;
    const list = (path: string): readonly string[] => {
      const names = readdirSync(path);
      // After the look, and before the life is made.
      if (others < 2) writeFileSync(join(path, `life-${2 + others++}`), "");
      return names;
    };
    expect(durableIdentity(directory, undefined, list).incarnation).to.equal(4);
  });

  it("processes that start on one directory at once are one peer, in different lives", async () => {
    const program = join(directory, "start.mjs");
    const module = new URL("identity.ts", import.meta.url).href;
    writeFileSync(
      program,
      `const { durableIdentity } = await import(${JSON.stringify(module)});
       process.once("message", () => {
         const found = Array.from({ length: 5 }, () => durableIdentity(${JSON.stringify(join(directory, "shared"))}));
         process.send(found, () => process.disconnect());
       });
       process.send("ready");`,
    );
    const children = [1, 2, 3].map(() =>
      fork(program, { execArgv: ["--import", "tsx", "--conditions", "source"] }),
    );
    const found = await Promise.all(
      children.map(
        (child) =>
          new Promise<{ peerId: number; incarnation: number }[]>((resolve, reject) => {
            child.on("error", reject);
            child.on("exit", (code) => code !== 0 && reject(new Error(`ended with ${code}`)));
            let ready = 0;
            child.on("message", (said) => {
              if (said === "ready" && ++ready > 0) child.send("go");
              else resolve(said as { peerId: number; incarnation: number }[]);
            });
          }),
      ),
    );
    const all = found.flat();
    expect(new Set(all.map(({ peerId }) => peerId)).size).to.equal(1);
    expect(new Set(all.map(({ incarnation }) => incarnation)).size).to.equal(15);
  });

  it("without a directory the clock counts, and never twice the same", () => {
    const lives = Array.from({ length: 100 }, () => passingIdentity(1).incarnation);
    expect(new Set(lives).size).to.equal(100);
    expect([...lives].sort((a, b) => a - b)).to.deep.equal(lives);
  });
});
