/** The parts of the commands that need no cluster. */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KithError } from "@kith/core";
import { expect } from "chai";
import { addressesOf } from "./addresses.ts";
import { checkProcesses, drawnIds, peersOf } from "./data-directory.ts";
import { checkFree, freePorts } from "./free-ports.ts";
import { parseTransaction } from "./operations.ts";
import { readClientsTls, readPassword, readSecurity } from "./security.ts";
import { Waits } from "./waits.ts";

function codeOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return error instanceof KithError ? error.code : String(error);
  }
  return "";
}

describe("the data directory", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kith-data-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("keeps the identities of its peers", () => {
    const directory = join(folder, "a", "b");
    const peers = peersOf(directory, 5);
    expect(peers).length(5);
    expect(peersOf(directory, 5)).deep.equal(peers);
    expect(peersOf(join(folder, "c"), 1, [42])).deep.equal([42]);
    expect(peersOf(join(folder, "c"), 1, [43])).deep.equal([42]);
  });

  it("of a process is not taken for one of many, nor the other way round", () => {
    peersOf(join(folder, "one"), 5);
    expect(codeOf(() => checkProcesses(join(folder, "one"), 5))).equal("KITH_CLI_DATA");
    for (const i of [1, 2, 3]) peersOf(join(folder, "many", `peer-${i}`), 1);
    expect(() => peersOf(join(folder, "many"), 3)).throw(/start them with `kith up --processes`/);
    expect(() => checkProcesses(join(folder, "many"), 2)).throw(/of 3 processes, and 2 are to be/);
    for (const count of [3, 5]) checkProcesses(join(folder, "many"), count);
    checkProcesses(join(folder, "none"), 1);
    writeFileSync(join(folder, "many", "cat.jpg"), "");
    expect(() => checkProcesses(join(folder, "many"), 3)).throw(/it holds cat\.jpg/);
  });

  it("draws identities in their order, evenly", () => {
    for (const count of [1, 3, 5, 64]) {
      const ids = drawnIds(count);
      const gaps = ids.slice(1).map((id, i) => id - (ids[i] ?? 0));
      expect(gaps.every((gap) => Math.abs(gap - 2 ** 50 / count) < 2)).equal(true);
      expect(ids.at(-1)).lessThan(2 ** 50);
    }
  });

  it("goes on with what a crash has left of its beginning", () => {
    writeFileSync(join(folder, ".kith.json.123"), '{"form');
    expect(peersOf(folder, 1)).length(1);
  });

  it("leaves what is not its own alone", () => {
    mkdirSync(join(folder, "photos"));
    expect(codeOf(() => peersOf(folder, 1))).equal("KITH_CLI_DATA");
    expect(readdirSync(folder)).deep.equal(["photos"]);
    for (const text of [
      "{",
      "[]",
      '{"format":2,"peers":[1]}',
      '{"format":1,"peers":[]}',
      '{"format":1,"peers":["1"]}',
    ]) {
      writeFileSync(join(folder, "kith.json"), text);
      expect(
        codeOf(() => peersOf(folder, 1)),
        text,
      ).equal("KITH_CLI_DATA");
      expect(readFileSync(join(folder, "kith.json"), "utf8")).equal(text);
    }
    writeFileSync(join(folder, "file"), "");
    expect(codeOf(() => peersOf(join(folder, "file"), 1))).equal("KITH_CLI_DATA");
  });
});

describe("ports", () => {
  it("that are taken are named, and stepped over where that is wanted", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    try {
      const wanted = { at: { host: "127.0.0.1", port }, what: "the Redis port", option: "--redis" };
      const error: unknown = await checkFree([wanted]).catch((cause: unknown) => cause);
      expect(error).property("code", "KITH_CLI_PORT");
      expect(error)
        .property("message")
        .match(new RegExp(`127.0.0.1:${port}, the Redis port, is taken`));
      const far = { at: { host: "192.0.2.1", port: 1024 }, what: "a port", option: "--x" };
      const foreign: unknown = await checkFree([far]).catch((cause: unknown) => cause);
      expect(foreign)
        .property("message")
        .match(/no address of this machine/);
      const free = await freePorts("127.0.0.1", port, 2);
      expect(free).not.equal(port);
      await checkFree([{ ...wanted, at: { host: "127.0.0.1", port: free ?? 0 } }]);
      expect(await freePorts("127.0.0.1", 0, 5)).equal(0);
    } finally {
      server.close();
    }
  });
});

describe("secrets", () => {
  it("come from a file, the environment or an option, and not from two of them", () => {
    const folder = mkdtempSync(join(tmpdir(), "kith-secret-"));
    const file = join(folder, "secret");
    try {
      writeFileSync(file, "from the file\n");
      expect(readSecurity({ secretFile: file }, {})).deep.equal({ secret: "from the file" });
      expect(readSecurity({}, { KITH_SECRET: "around" })).deep.equal({ secret: "around" });
      expect(readSecurity({ secret: "told" }, { KITH_SECRET: "around" })).deep.equal({
        secret: "told",
      });
      expect(readSecurity({}, {})).deep.equal({});
      // A variable that was meant to be filled must not leave a door open.
      expect(codeOf(() => readSecurity({}, { KITH_SECRET: "" }))).equal("KITH_CLI_ARGUMENT");
      expect(codeOf(() => readSecurity({ secret: "" }, {}))).equal("KITH_CLI_ARGUMENT");
      expect(codeOf(() => readPassword(undefined, { KITH_PASSWORD: "" }))).equal(
        "KITH_CLI_ARGUMENT",
      );
      expect(codeOf(() => readSecurity({ secret: "a", secretFile: file }, {}))).equal(
        "KITH_CLI_ARGUMENT",
      );
      expect(codeOf(() => readSecurity({ secretFile: join(folder, "no") }, {}))).equal(
        "KITH_CLI_FILE",
      );
      expect(codeOf(() => readSecurity({ tlsCert: file }, {}))).equal("KITH_CLI_ARGUMENT");
      expect(codeOf(() => readSecurity({ tlsCa: file }, {}))).equal("KITH_CLI_ARGUMENT");
      const pair = { tlsCert: file, tlsKey: file };
      expect(codeOf(() => readSecurity(pair, {}))).equal("KITH_CLI_CERTIFICATE");
      const forClients = { clientsTlsCert: file, clientsTlsKey: file };
      expect(codeOf(() => readClientsTls(forClients))).equal("KITH_CLI_CERTIFICATE");
      expect(codeOf(() => readClientsTls({ clientsTlsCert: file }))).equal("KITH_CLI_ARGUMENT");
      expect(codeOf(() => readClientsTls({ clientsTlsKey: file }))).equal("KITH_CLI_ARGUMENT");
      expect(readClientsTls({})).equal(undefined);
      expect(readPassword(file, {})).equal("from the file");
      expect(readPassword(undefined, { KITH_PASSWORD: "p" })).equal("p");
      writeFileSync(file, "\nsecond line");
      expect(codeOf(() => readSecurity({ secretFile: file }, {}))).equal("KITH_CLI_FILE");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("what is typed", () => {
  it("is a list of addresses, of loopback where it is a port", () => {
    expect(addressesOf("7000, [::1]:80,host:1,", "peers")).deep.equal([
      "127.0.0.1:7000",
      "[::1]:80",
      "host:1",
    ]);
    expect(codeOf(() => addressesOf("7000,host", "peers"))).equal("KITH_CLI_ARGUMENT");
  });

  it("is a transaction, with values that may have spaces", () => {
    const [get, put, del, add, expected, absent] = parseTransaction([
      "get a",
      "put b  two words ",
      " del c",
      "add d -5",
      "expect e ",
      "absent f",
    ]);
    expect(get).deep.equal({ kind: "get", key: "a" });
    expect(put).deep.include({ kind: "put", key: "b" });
    expect(put?.kind === "put" && new TextDecoder().decode(put.value)).equal(" two words ");
    expect(del).deep.equal({ kind: "delete", key: "c" });
    expect(add).deep.equal({ kind: "add", key: "d", by: -5n });
    expect(expected?.kind === "expect" && expected.value?.length).equal(0);
    expect(absent).deep.equal({ kind: "expect", key: "f", value: null });
    for (const line of ["", "get", "put a", "add a x", "get a b", "say a", "add a 1.5"])
      expect(
        codeOf(() => parseTransaction([line])),
        line,
      ).equal("KITH_CLI_ARGUMENT");
    expect(codeOf(() => parseTransaction([]))).equal("KITH_CLI_ARGUMENT");
  });
});

describe("what a process waits for", () => {
  it("is a line that changes on a terminal, and no noise in a file", () => {
    let told = "";
    const file = new Waits({ write: (text) => (told += text) });
    file.tell("asking", "a");
    file.tell("ready", "");
    file.end();
    expect(told).equal("");
    const heard: string[] = [];
    const terminal = new Waits({ isTTY: true, write: (text) => (told += text) }, (text) =>
      heard.push(text),
    );
    terminal.tell("gathering", "2 of 5");
    terminal.end();
    expect(heard).deep.equal(["waiting for peers: 2 of 5"]);
    expect(told).equal("\r\u001B[2K");
  });
});
