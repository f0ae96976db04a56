import { connect as connectSocket } from "node:net";
import { run } from "@kith/core";
import { expect } from "chai";
import { HttpServer } from "./http-server.ts";
import { serve, type Served, until } from "./http-kit.test.ts";

describe("HTTP in front of the store", () => {
  let served: Served;
  const ask = async (
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ) => {
    const response = await fetch(`${served.url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type") === "application/json";
    const json: any = isJson ? JSON.parse(text) : null;
    return { status: response.status, json, text, headers: response.headers };
  };
  const transact = (...operations: object[]) =>
    ask("POST", "/transactions", JSON.stringify({ operations }));

  before(async () => {
    served = await serve();
  });
  after(() => served.system.stop());

  it("writes, reads and deletes a key", async () => {
    const put = await ask("PUT", "/keys/greeting", "hello");
    expect(put.status).equal(200);
    const got = await ask("GET", "/keys/greeting");
    expect(got.json).deep.equal({
      key: "greeting",
      value: "hello",
      version: put.json.version,
      expiresIn: null,
    });
    expect((await ask("GET", "/keys/greeting?raw")).text).equal("hello");
    expect((await ask("DELETE", "/keys/greeting")).json).deep.equal({ deleted: true });
    expect((await ask("DELETE", "/keys/greeting")).json).deep.equal({ deleted: false });
    const gone = await ask("GET", "/keys/greeting");
    expect([gone.status, gone.json.error.code]).deep.equal([404, "KITH_HTTP_ABSENT"]);
  });

  it("takes any bytes as keys and values", async () => {
    await ask("PUT", "/keys/a%2Fb%FF%00", Uint8Array.of(0, 255, 1));
    const got = await ask("GET", "/keys/a%2fb%ff%00");
    expect(got.json.base64).equal("AP8B");
    expect((await ask("GET", "/keys/a%2Fb%FF")).status).equal(404);
    expect((await ask("PUT", "/keys/", "of the empty key")).status).equal(200);
    expect((await ask("GET", "/keys/?raw")).text).equal("of the empty key");
  });

  it("writes where a condition holds, and says which version is there where it does not", async () => {
    const first = await ask("PUT", "/keys/c?if=absent", "1");
    expect(first.status).equal(200);
    const again = await ask("PUT", "/keys/c?if=absent", "2");
    expect(again.status).equal(412);
    expect(again.json.error).include({ reason: "condition", outcome: "not-done" });
    expect(again.json.error.version).equal(first.json.version);
    expect((await ask("PUT", `/keys/c?version=${first.json.version}`, "3")).status).equal(200);
    expect((await ask("DELETE", `/keys/c?version=${first.json.version}`)).status).equal(412);
    expect((await ask("DELETE", "/keys/c?if=present")).status).equal(200);
  });

  it("lets a key expire", async () => {
    await ask("PUT", "/keys/soon?expires=50", "gone");
    await until(async () => ((await ask("GET", "/keys/soon")).status === 404 ? true : null));
    await ask("PUT", "/keys/late?expires=100000", "there");
    expect((await ask("GET", "/keys/late")).json.expiresIn).within(1, 101_000);
  });

  it("runs a transaction over keys of several groups, or nothing of it", async () => {
    await transact(
      { put: "ann", value: "100" },
      { put: "bob", value: "0" },
      { put: "cid", value: "x" },
    );
    const paid = await transact(
      { add: "ann", by: -30 },
      { add: "bob", by: "30" },
      { get: "ann" },
      { delete: "nobody" },
      { expect: "bob", value: "30" },
    );
    expect(paid.json.committed).equal(true);
    expect(paid.json.results.map(({ value }: { value?: string }) => value)).deep.equal([
      "70",
      "30",
      "70",
      undefined,
      undefined,
    ]);
    const refused = await transact({ add: "ann", by: -70 }, { add: "cid", by: 70 });
    expect([refused.status, refused.json.error.at, refused.json.error.reason]).deep.equal([
      409,
      1,
      "not-an-integer",
    ]);
    const unexpected = await transact({ put: "ann", value: "0" }, { expect: "bob", value: null });
    expect([unexpected.status, unexpected.json.error.reason]).deep.equal([409, "expectation"]);
    const [ann, bob] = (await transact({ get: "ann" }, { get: "bob" })).json.results;
    expect([ann.value, bob.value]).deep.equal(["70", "30"]);
    const { version } = ann;
    expect((await transact({ expect: "ann", version }, { put: "bob", value: "1" })).status).equal(
      200,
    );
    expect((await transact({ expect: "ann", version: version + 1 }, { get: "bob" })).status).equal(
      409,
    );
  });

  it("serializes transactions that are in each other's way", async () => {
    await transact({ put: "left", value: "0" }, { put: "right", value: "0" });
    const results = await Promise.all(
      Array.from({ length: 20 }, () => transact({ add: "left", by: 1 }, { add: "right", by: 1 })),
    );
    const done = results.filter(({ status }) => status === 200).length;
    const unknown = results.filter(({ status }) => status === 504).length;
    const { results: sums } = (await transact({ get: "left" }, { get: "right" })).json;
    const [left, right] = sums.map(({ value }: { value: string }) => Number(value));
    expect(left).equal(right);
    expect(left).within(done, done + unknown);
    expect(done).greaterThan(0);
  });

  it("refuses what it cannot read, with a code", async () => {
    const long = `/keys/${"k".repeat(4097)}`;
    const cases: [string, string, string | undefined, number, string][] = [
      ["GET", "/nothing", undefined, 404, "KITH_HTTP_PATH"],
      ["POST", "/keys/a", "1", 405, "KITH_HTTP_METHOD"],
      ["GET", "/transactions", undefined, 405, "KITH_HTTP_METHOD"],
      ["GET", "/keys/%zz", undefined, 400, "KITH_HTTP_KEY"],
      ["GET", long, undefined, 400, "KITH_HTTP_KEY"],
      ["GET", "/keys/a?wat", undefined, 400, "KITH_HTTP_QUERY"],
      ["PUT", "/keys/a?if=maybe", "1", 400, "KITH_HTTP_QUERY"],
      ["PUT", "/keys/a?if=absent&version=1", "1", 400, "KITH_HTTP_QUERY"],
      ["PUT", "/keys/a?expires=0", "1", 400, "KITH_HTTP_QUERY"],
      ["POST", "/transactions", "{", 400, "KITH_HTTP_JSON"],
      ["POST", "/transactions", "[]", 400, "KITH_HTTP_JSON"],
      ["POST", "/transactions", '{"operations":[]}', 400, "KITH_HTTP_OPERATION"],
      ["POST", "/transactions", '{"operations":[{"get":1}]}', 400, "KITH_HTTP_OPERATION"],
      [
        "POST",
        "/transactions",
        '{"operations":[{"get":"a","put":"b"}]}',
        400,
        "KITH_HTTP_OPERATION",
      ],
      [
        "POST",
        "/transactions",
        '{"operations":[{"put":"a","value":1}]}',
        400,
        "KITH_HTTP_OPERATION",
      ],
      [
        "POST",
        "/transactions",
        '{"operations":[{"put":"a","valu":"1"}]}',
        400,
        "KITH_HTTP_OPERATION",
      ],
      [
        "POST",
        "/transactions",
        '{"operations":[{"add":"a","by":0.5}]}',
        400,
        "KITH_HTTP_OPERATION",
      ],
    ];
    for (const [method, path, body, status, code] of cases) {
      const refused = await ask(method, path, body);
      expect([refused.status, refused.json.error.code], `${method} ${path} ${body}`).deep.equal([
        status,
        code,
      ]);
    }
  });

  it("does not read bodies that are too large", async () => {
    const large = new Uint8Array(1024 * 1024);
    expect((await ask("PUT", "/keys/large", large)).status).equal(200);
    // The answer may be lost where the client is still writing: then the connection ends.
    const refused = await ask("PUT", "/keys/large", new Uint8Array(8 * 1024 * 1024)).catch(
      () => null,
    );
    if (refused !== null) expect(refused.status).equal(413);
    expect((await ask("GET", "/health")).status).equal(200);
  });

  it("does not let the pages of other sites in", async () => {
    const foreign = await ask("PUT", "/keys/a", "1", { origin: "https://evil.example" });
    expect([foreign.status, foreign.json.error.code]).deep.equal([403, "KITH_HTTP_ORIGIN"]);
    expect((await ask("PUT", "/keys/a", "1", { origin: served.url })).status).equal(200);
    const rebound = await raw(served.port, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    expect(rebound).match(/^HTTP\/1\.1 421 /);
  });

  it("tells health, readiness, status and metrics", async () => {
    expect((await ask("GET", "/health")).json).deep.equal({ status: "up" });
    expect((await ask("GET", "/ready")).json).deep.equal({ ready: true });
    const { json } = await ask("GET", "/status");
    expect(json.here.clusterId).equal("00112233445566778899aabbccddeeff");
    expect(json.processes).length(3);
    expect(json.processes[1].peers[0].groups[0].lo).equal("80");
    const { text, headers } = await ask("GET", "/metrics");
    expect(headers.get("content-type")).match(/^text\/plain; version=0\.0\.4/);
    expect(text).match(
      /\nkith_http_requests_total\{method="GET",route="\/health",status="200"\} \d+\n/,
    );
    expect(text).match(/\nkith_store_requests_total\{peer="1",outcome="done"\} 5\n/);
    expect(text).match(/\nprocess_resident_memory_bytes \d+\n/);
    // The text format: nothing but lines about a name, and each name is told once.
    for (const line of text.trimEnd().split("\n"))
      expect(line).match(
        /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [-+.e\d]+)$/,
      );
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(new Set(names).size).equal(names.length);
  });

  it("answers HEAD as GET, without the body", async () => {
    await ask("PUT", "/keys/head", "12345");
    const head = await fetch(`${served.url}/keys/head?raw`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).deep.equal([200, "5"]);
    expect(await head.text()).equal("");
    expect((await fetch(`${served.url}/health`, { method: "HEAD" })).status).equal(200);
    expect((await fetch(`${served.url}/transactions`, { method: "HEAD" })).status).equal(405);
  });

  it("shows a page that loads nothing from elsewhere", async () => {
    const { text, headers } = await ask("GET", "/");
    expect(headers.get("content-security-policy")).match(/^default-src 'none'/);
    expect(text).match(/<svg[^]*class="group"[^]*<\/svg>/);
    expect(text).match(/2 of 3/);
    expect(text).not.match(/https?:\/\//);
  });

  it("survives garbage", async () => {
    const garbage = [
      "\u0000\u0001\u0002",
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(40_000)}\r\n\r\n`,
      "POST /transactions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
      "POST /transactions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "PUT /keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      "*1\r\n$4\r\nPING\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ];
    for (const text of garbage)
      expect(await raw(served.port, text), text).match(/^(HTTP\/1\.1 [45]|$)/);
    const draws = Array.from({ length: 20 }, (_, seed) =>
      String.fromCharCode(
        ...Array.from({ length: 200 }, (__, i) => (seed * 7919 + i * 104_729) % 256),
      ),
    );
    await Promise.all(draws.map((text) => raw(served.port, `${text}\r\n\r\n`)));
    expect((await ask("GET", "/ready")).status).equal(200);
  });
});

describe("HTTP with a password and narrow limits", () => {
  it("asks for it everywhere but for health and readiness", async () => {
    const { system, url } = await serve({ password: "öffne dich" });
    try {
      const status = async (path: string, authorization?: string): Promise<number> => {
        const headers = authorization === undefined ? {} : { authorization };
        return (await fetch(`${url}${path}`, { headers })).status;
      };
      const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
      expect(await status("/status")).equal(401);
      expect(await status("/keys/a", "Bearer open")).equal(401);
      expect(await status("/keys/a", basic("me:wrong"))).equal(401);
      expect(await status("/keys/a", basic("me:öffne dich"))).equal(404);
      // Programs send text as UTF-8.
      const bytes = Buffer.from("öffne dich").toString("latin1");
      expect(await status("/keys/a", `Bearer ${bytes}`)).equal(404);
      expect(await status("/keys/a", `Bearer ${bytes} `)).equal(404);
      expect(await status("/keys/a", `Bearer ${bytes}!`)).equal(401);
      expect(await status("/health")).equal(200);
      expect(await status("/ready")).equal(200);
    } finally {
      await system.stop();
    }
  });

  it("does not listen for everybody without one", async () => {
    for (const password of [undefined, ""]) {
      const given = password === undefined ? {} : { password };
      const failed: unknown = await run(HttpServer, { host: "0.0.0.0", port: 0, ...given }).catch(
        (cause: unknown) => cause,
      );
      expect(failed).property("code", "KITH_GATEWAY_PASSWORD");
    }
  });

  it("answers 503 beyond its bounds, and goes on", async () => {
    const { system, url, port } = await serve({ limits: { requestsMax: 1, headersMs: 300 } });
    try {
      // A request whose body never ends holds the only place.
      const slow = connectSocket(port, "127.0.0.1");
      slow.on("error", () => undefined);
      slow.write("PUT /keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhe");
      await until(async () => {
        const { status, headers } = await fetch(`${url}/keys/b`);
        return status === 503 && headers.get("retry-after") === "1" ? true : null;
      });
      slow.destroy();
      await until(async () => ((await fetch(`${url}/keys/b`)).status === 404 ? true : null));
    } finally {
      await system.stop();
    }
  });
});

/** Sends bytes, and gives what comes back until the end. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, "127.0.0.1");
    let back = "";
    socket.on("data", (chunk) => {
      back += chunk.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(back));
    socket.end(Buffer.from(text, "latin1"));
  });
}
