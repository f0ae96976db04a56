/** The command as people use it: processes of its own, real ports, real disks. */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectSocket, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Redis } from "ioredis";
import type { Figures } from "../bench/figures.ts";
import { workloads } from "../bench/workloads.ts";
import { judge, runChaos } from "../chaos/chaos-kit.test.ts";
import { bundleKith, portsInRow, Running, until } from "../kith-kit.test.ts";
import type { Up } from "./up.ts";

describe("kith, as people use it", function () {
  this.timeout(180_000);
  let folder = "";
  let bundle = { program: "", remove: (): void => undefined };
  const running = new Set<Running>();

  before(async () => {
    bundle = await bundleKith();
  });
  after(() => bundle.remove());
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "kith-cluster-"));
  });
  afterEach(async () => {
    await Promise.all([...running].map((one) => one.stop()));
    running.clear();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });

  function begin(args: readonly string[], environment: Record<string, string> = {}): Running {
    const one = new Running([bundle.program, ...args], environment);
    running.add(one);
    return one;
  }

  /** Runs a command to its end. */
  async function kith(...args: readonly string[]) {
    const one = new Running([bundle.program, ...args]);
    one.child.stdin?.end();
    const code = await one.ended;
    return { code, out: one.out, error: one.error };
  }

  async function up(...args: readonly string[]): Promise<{ running: Running; cluster: Up }> {
    const started = begin(["up", "--json", ...args]);
    const [line] = await started.says(/^\{.*\}$/m, 120_000);
    const cluster: Up = JSON.parse(line);
    return { running: started, cluster };
  }

  it("serves a key written at one peer from another, by Redis, HTTP and commands, and after a restart", async () => {
    const at = await portsInRow(1);
    const args = ["--listen", `${at}`, "--redis", "0", "--http", "0", "--data", join(folder, "d")];
    const first = await up(...args);
    expect(first.cluster.peers).length(5);
    const [one, two] = first.cluster.peers.map(
      ({ redis }) => new Redis({ port: redis?.port ?? 0, lazyConnect: true }),
    );
    try {
      await one?.set("greeting", "hello");
      expect(await two?.get("greeting")).equal("hello");
    } finally {
      one?.disconnect();
      two?.disconnect();
    }
    const http = first.cluster.peers[3]?.http?.port ?? 0;
    const seen = await fetch(`http://127.0.0.1:${http}/keys/greeting?raw`);
    expect(await seen.text()).equal("hello");
    const peer = ["--peer", `${at}`];
    expect(await kith("get", "greeting", ...peer)).deep.equal({
      code: 0,
      out: "hello\n",
      error: "",
    });
    // What is no text is not told as if it were.
    await fetch(`http://127.0.0.1:${http}/keys/bytes`, {
      method: "PUT",
      body: Uint8Array.of(255, 0),
    });
    const bytes = JSON.parse((await kith("get", "bytes", "--json", ...peer)).out);
    expect(bytes).include({ key: "bytes", base64: "/wA=" });
    expect((await kith("get", "greeting", "--raw", ...peer)).out).equal("hello");
    const kept = await kith("put", "greeting", "x", "--if-absent", ...peer);
    expect(kept.error).match(/At greeting there is something; nothing was written\.[^]*CONDITION/);
    const older = await kith("put", "greeting", "x", "--if-version", "99", "--json", ...peer);
    expect(JSON.parse(older.error).error.message).match(/version 99 is not what is there/);
    const absent = await kith("get", "nothing", ...peer);
    expect([absent.code, absent.out]).deep.equal([1, ""]);
    expect(absent.error).match(/There is nothing at nothing\.[^]*KITH_CLI_ABSENT/);
    const paid = await kith("txn", "add ann 30", "add bob -30", "get ann", "--json", ...peer);
    expect(JSON.parse(paid.out)).deep.equal({
      committed: true,
      results: [
        { add: "ann", value: "30" },
        { add: "bob", value: "-30" },
        { get: "ann", value: "30" },
      ],
    });
    // What counts on does not make a key stay.
    expect((await kith("put", "soon", "1", "--expires", "3600000", ...peer)).code).equal(0);
    expect((await kith("txn", "add soon 1", ...peer)).out).equal("2\n");
    const soon = JSON.parse((await kith("get", "soon", "--json", ...peer)).out);
    expect(soon.expiresIn).within(1, 3_600_000);
    const refused = await kith("txn", "put ann 0", "expect bob 7", ...peer);
    expect(refused.code).equal(1);
    expect(refused.error).match(/Operation 2, expect bob, is not what is there; nothing was done/);
    const status = JSON.parse((await kith("status", "--json", ...peer)).out);
    expect(status.groups).length(8);
    expect((await kith("status", ...peer)).out).match(/: 5 peers in 1 process, 8 groups/);
    expect(status.processes[0].peers).length(5);
    const leaving = await kith("leave", ...peer);
    expect(leaving.code).equal(1);
    expect(leaving.error).match(/replicas of 8 groups .* cannot be moved to other peers yet/);

    // Whoever sends garbage is hung up on; the cluster goes on.
    const ports = [
      at,
      ...first.cluster.peers.flatMap((p) => [p.redis?.port ?? 0, p.http?.port ?? 0]),
    ];
    await Promise.all(ports.flatMap((port) => garbage.map((bytes) => send(port, bytes))));
    expect((await kith("get", "ann", ...peer)).out).equal("30\n");

    // Others are told what is in their way.
    const taken = await kith("up", "--listen", `${at}`, "--no-redis", "--no-http");
    expect(taken.code).equal(1);
    expect(taken.error).match(new RegExp(`127.0.0.1:${at}, .*is taken .*--listen`));
    const other = await portsInRow(1);
    const locked = await kith(
      "up",
      "--listen",
      `${other}`,
      "--no-redis",
      "--no-http",
      "--data",
      join(folder, "d"),
    );
    expect(locked.code).equal(1);
    expect(locked.error).match(/in use by[^]*KITH_STORAGE_LOCKED/);
    expect(locked.error).not.match(/\n +at /);

    expect(await first.running.stop()).equal(0);
    expect(first.running.error).match(/SIGINT: stopping/);
    const again = await up(...args);
    expect(again.cluster.clusterId).equal(first.cluster.clusterId);
    expect((await kith("get", "ann", ...peer)).out).equal("30\n");
    expect(await again.running.stop()).equal(0);
    const fewer = await kith("up", "--peers", "3", ...args);
    expect(fewer.error).match(/has the data of 5 peers, and 3 are to be started[^]*KITH_CLI_DATA/);
  });

  it("refuses directories of others, wrong arguments, and peers that are not there, without a stack", async () => {
    const at = `${await portsInRow(1)}`;
    mkdirSync(join(folder, "photos"));
    writeFileSync(join(folder, "photos", "cat.jpg"), "");
    const foreign = await kith(
      "up",
      "--listen",
      at,
      "--no-redis",
      "--no-http",
      "--data",
      join(folder, "photos"),
    );
    expect([foreign.code, foreign.error]).deep.include(1);
    expect(foreign.error).match(/photos is no data directory of Kith: it holds cat\.jpg/);
    const nobody = await kith("get", "k", "--peer", at, "--within", "700");
    expect(nobody.code).equal(1);
    expect(nobody.error).match(/No peer has answered .*ECONNREFUSED[^]*KITH_CLI_UNREACHABLE/);
    const lost = await kith("status", "--peer", at, "--within", "700");
    expect(lost.error).match(/No peer has answered[^]*KITH_CLI_UNREACHABLE/);
    for (const wrong of [
      ["up", "--peers", "none"],
      ["up", "--peers", "0"],
      ["up", "--redis", "99999"],
      ["up", "--redis", "7000", "--http", "7002"],
      ["start", "--listen", "127.0.0.1:1"],
      ["start", "--listen", "nowhere", "--data", folder],
      ["start", "--listen", at, "--data", folder, "--founders", "3"],
      ["start", "--listen", at, "--data", folder, "--http", "0.0.0.0:0"],
      ["start", "--listen", at, "--data", folder, "--tls-cert", "x"],
      ["txn", "say hello", "--peer", at],
      ["frobnicate"],
      ["up", "--frobnicate"],
      ["start", "--listen", at, "--data", folder, "--create", "--replicas", "0"],
      ["start", "--listen", "0.0.0.0:7000", "--data", folder, "--create"],
      ["get", "k", "--raw", "--json"],
    ]) {
      const { code, error } = await kith(...wrong);
      expect(code, `${wrong.join(" ")}: ${error}`).equal(2);
      expect(error).not.match(/\n +at /);
    }
    const unknown = await kith("get", "--frobnicate", "k", "--json");
    expect(JSON.parse(unknown.error).error).deep.include({
      code: "KITH_CLI_ARGUMENT",
      message: "Unknown option '--frobnicate'.",
    });
    expect((await kith("--version")).code).equal(0);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const busy = await kith(
      "up",
      "--listen",
      at,
      "--redis",
      `${port}`,
      "--no-http",
      "--peers",
      "1",
    );
    server.close();
    expect(busy.error).match(/the Redis port of peer 1, is taken[^]*--redis[^]*KITH_CLI_PORT/);
  });

  it("starts a peer again that was killed, and leaves none behind when it is killed itself", async () => {
    const ports = await portsInRow(2);
    const { running: launcher, cluster } = await up(
      ...["--processes", "--peers", "1", "--restart-after", "10", "--no-http"],
      ...["--listen", `${ports}`, "--redis", `${ports + 1}`, "--data", join(folder, "d")],
    );
    const client = new Redis({ port: ports + 1, retryStrategy: () => 20 });
    client.on("error", () => undefined);
    try {
      await client.set("k", "v");
      process.kill(cluster.peers[0]?.pid ?? 0, "SIGKILL");
      const [, pid] = await launcher.says(/peer 1 is up again, as process (\d+)/);
      expect(await client.get("k")).equal("v");
      launcher.child.kill("SIGKILL");
      await launcher.ended;
      await until(() => (isAlive(Number(pid)) ? null : true));
    } finally {
      client.disconnect();
    }
  });

  it("forms a cluster of three addresses with TLS and a secret, and refuses whoever has another one", async () => {
    const tls = certificate(folder, ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    if (tls === null) {
      console.log("      openssl is missing: install Debian's package openssl for this test");
      return;
    }
    const port = await portsInRow(1);
    const hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map((host) => `${host}:${port}`);
    const security = ["--tls-cert", tls.cert, "--tls-key", tls.key, "--tls-ca", tls.cert];
    const clients = ["--clients-tls-cert", tls.cert, "--clients-tls-key", tls.key];
    const secret = { KITH_SECRET: "the right one" };
    const start = (host: string, more: readonly string[], environment = secret): Running =>
      begin(
        [
          "start",
          "--listen",
          host,
          "--data",
          join(folder, host.split(":")[0] ?? ""),
          ...security,
          ...more,
        ],
        environment,
      );
    const others = (host: string): string => hosts.filter((one) => one !== host).join(",");
    const peers = hosts.map((host, i) =>
      start(host, [
        ...["--join", others(host), "--http", "127.0.0.1:0"],
        ...(i === 0 ? ["--create"] : []),
        ...(i === 1 ? [...clients, "--redis", "127.0.0.1:0"] : []),
      ]),
    );
    const https = await Promise.all(
      peers.map(async (one) => (await one.says(/curl (https?:\S+)\/status/))[1] ?? ""),
    );
    expect(https[1]).match(/^https:/);
    await fetch(`${https[0]}/keys/a`, { method: "PUT", body: "1" });
    expect(await (await fetch(`${https[2]}/keys/a?raw`)).text()).equal("1");

    const [, redisPort] = (await peers[1]?.says(/redis-cli --tls -h 127.0.0.1 -p (\d+)/)) ?? [];
    const ca = readFileSync(tls.cert, "utf8");
    const redis = new Redis(`rediss://127.0.0.1:${redisPort}`, { tls: { ca } });
    try {
      expect(await redis.incr("a")).equal(2);
    } finally {
      redis.disconnect();
    }

    const fourth = start(`127.0.0.4:${port}`, ["--join", hosts.join(",")], {
      KITH_SECRET: "a wrong one",
    });
    expect(await fourth.ended).equal(1);
    expect(fourth.error).match(
      /127\.0\.0\.\d:\d+ refuses this peer: its secret is another one[^]*KITH_CLI_REFUSED/,
    );
    await Promise.any(
      peers.map((one) =>
        one.says(/127\.0\.0\.\d:\d+ .*did not prove that it knows the cluster's secret/),
      ),
    );
    const guest = new Running(
      [bundle.program, "get", "a", "--peer", hosts[1] ?? "", "--within", "3000", ...security],
      { KITH_SECRET: "a wrong one" },
    );
    expect(await guest.ended).equal(1);
    expect(guest.error).match(/No peer has answered \(.*: its secret is another one\)/);

    // Its own directory is used, and so a cluster is founded neither there nor beside the others.
    await peers[0]?.stop();
    const anew = start(hosts[0] ?? "", ["--create"]);
    expect(await anew.ended).equal(1);
    expect(anew.error).match(/KITH_PEER_FOUNDED/);
    const beside = start(`127.0.0.4:${port}`, ["--join", others(hosts[0] ?? ""), "--create"]);
    expect(await beside.ended).equal(1);
    expect(beside.error).match(/KITH_PEER_EXISTS/);
  });

  it("measures itself beside others, and leaves nothing behind", async () => {
    const tiny = ["--short", "--operations", "20", "--clients", "4", "--json"];
    const temporary = { TMPDIR: folder };
    const measured = begin(
      ["bench", "cluster", ...tiny, "--only", "one-process,redis,load,idle"],
      temporary,
    );
    const killed = begin(["bench", "cluster", ...tiny, "--only", "processes,kill"], temporary);
    expect(await measured.ended, measured.error).equal(0);
    const figures: Figures = JSON.parse(measured.out);
    const own = figures.load.filter(({ server }) => server.startsWith("kith"));
    expect(own.map(({ what }) => what)).deep.equal(workloads.map(({ name }) => name));
    for (const { what, rounds } of figures.load)
      for (const { done, errors, error } of rounds)
        expect([done >= 20, errors, error], what).deep.equal([true, 0, ""]);
    if (figures.missing.length > 0)
      console.log(`      ${figures.missing.join(", ")} is missing: install Debian's redis-server`);
    else expect(figures.load).length(3 * workloads.length);
    expect(figures.idle.map(({ server }) => server)).include("kith, 5 peers in 1 process");

    expect(await killed.ended, killed.error).equal(0);
    const kills: Figures = JSON.parse(killed.out);
    expect(kills.kills[0]).deep.include({ server: "kith, 5 peers in 5 processes", kills: 1 });
    expect(kills.kills[0]?.everyMaxMs).greaterThan(0);

    const stopped = begin(["bench", "cluster", "--only", "one-process,load"], temporary);
    await until(() => (readdirSync(folder).some(isOfBench) ? true : null));
    expect(await stopped.stop()).equal(1);
    expect(stopped.error)
      .match(/SIGINT: stopping/)
      .and.not.match(/\n +at /);
    expect(readdirSync(folder).filter(isOfBench)).deep.equal([]);

    const nowhere = await kith("bench", "cluster", "--save", join(folder, "no", "page.md"));
    expect(nowhere.error).match(/cannot be written[^]*KITH_CLI_FILE/);
    for (const wrong of [["other"], ["--only", "x"], ["--seconds", "0"], ["--rounds", "-1"]])
      expect((await kith("bench", ...wrong)).code, wrong.join(" ")).equal(2);
  });

  it("survives that its peers are killed, with every acknowledged write", async () => {
    const long = Number(process.env["KITH_CLI_CHAOS_MS"] ?? 0);
    const result = await runChaos({
      command: [bundle.program],
      duration: long,
      acknowledged: long > 0 ? 20_000 : 200,
      every: long > 0 ? 10_000 : 1,
      restartAfter: long > 0 ? 3000 : 100,
      people: long > 0 ? 50 : 8,
    });
    expect(judge(result)).deep.equal([]);
    expect(result.kills).greaterThan(0);
    expect(result.acknowledged).least(200);
  });
});

function isOfBench(name: string): boolean {
  return name.startsWith("kith-bench-");
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** A certificate for some addresses; null where there is no openssl. */
function certificate(
  folder: string,
  addresses: readonly string[],
): { readonly cert: string; readonly key: string } | null {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const names = addresses.map((address) => `IP:${address}`).join(",");
  const { status } = spawnSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "2", "-subj", "/CN=kith", "-addext", `subjectAltName=${names}`],
      ...["-keyout", key, "-out", cert],
    ],
    { stdio: "ignore" },
  );
  return status === 0 ? { cert, key } : null;
}

const garbage = [
  Buffer.from("GET / HTTP/1.1\r\n\r\n"),
  Buffer.from("*3\r\n$3\r\nSET\r\n$999999999999\r\n"),
  Buffer.from("\u0000".repeat(2000)),
  Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 7919) % 256)),
];

/** Sends bytes, and waits until the other side has had enough, or for a moment where it waits for more. */
function send(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, "127.0.0.1");
    socket.on("error", () => undefined);
    const enough = setTimeout(() => socket.destroy(), 500);
    socket.on("close", () => {
      clearTimeout(enough);
      resolve();
    });
    socket.on("data", () => undefined);
    socket.end(bytes);
  });
}
