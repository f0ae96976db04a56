/** Strangers, mistakes and attacks on real sockets: each is told on both sides, and the others go on. */

import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { WebSocket } from "ws";
import { Note } from "../compliance/harness.ts";
import { addressOf, ConnectionDown, Dropped, message, type PeerRef, PlainCodec } from "../index.ts";
import { recordBytes, writeBatch, writeRecord } from "./batch.ts";
import { CallerHandshake, type Identity } from "./handshake.ts";
import { certificate, holds, say, start, stopAll, type TestProcess } from "./process-kit.test.ts";

class Secret extends message("hostile/Secret")<{ n: number }> {}

const me: PeerRef = { peerId: 66, host: "127.0.0.1", port: 9, incarnation: 1 };

/** What a stranger on a WebSocket saw. */
interface Stranger {
  readonly socket: WebSocket;
  readonly frames: Uint8Array[];
  end: string;
}

function strange(to: PeerRef): Stranger {
  const socket = new WebSocket(`ws://${addressOf(to)}/kith`, { perMessageDeflate: false });
  const stranger: Stranger = { socket, frames: [], end: "" };
  socket.on("message", (data: Buffer) => stranger.frames.push(data));
  socket.on("error", (error) => (stranger.end ||= error.message));
  socket.on("close", (code, reason) => (stranger.end ||= `${code} ${reason.toString()}`));
  return stranger;
}

/** A raw connection, and all that came over it as text. */
function raw(to: PeerRef): { readonly socket: Socket; text: string; ended: boolean } {
  const found = { socket: connect(to.port, to.host), text: "", ended: false };
  found.socket.on("data", (data) => (found.text += data.toString("latin1")));
  found.socket.on("error", () => undefined);
  found.socket.on("close", () => (found.ended = true));
  return found;
}

function identityOf(to: TestProcess, change: Partial<Identity> = {}): Identity {
  const codec = new PlainCodec();
  const { secret = "", cluster = "kith" } = to.init;
  return {
    self: me,
    cluster,
    secret,
    codec: codec.name,
    fingerprint: codec.fingerprint(),
    ...change,
  };
}

/** A stranger that shakes hands as a member would, and is up at the end. */
async function member(to: TestProcess): Promise<Stranger> {
  const stranger = strange(to.self);
  const shake = new CallerHandshake(
    identityOf(to),
    addressOf(to.self),
    1,
    new Uint8Array(32).fill(7),
  );
  await holds("the socket is open", () => stranger.socket.readyState === 1);
  stranger.socket.send(shake.hello);
  await holds("the challenge comes", () => stranger.frames.length > 0);
  const step = shake.take(stranger.frames[0] ?? new Uint8Array());
  if (step.kind !== "send") throw new Error(`the handshake went wrong: ${step.kind}`);
  stranger.socket.send(step.frame);
  await holds("the welcome comes", () => stranger.frames.length > 1);
  return stranger;
}

/** That two good processes still talk. */
async function unaffected(a: TestProcess, b: TestProcess, n: number): Promise<void> {
  say(a, (speaker) => speaker.send(new Note({ to: b.self, n })));
  await holds("the others are unaffected", () => b.system.instance.notes.includes(n));
}

function record(bytes: Uint8Array, wanted: boolean): Uint8Array {
  const batch = new Uint8Array(recordBytes(bytes.length));
  writeRecord(batch, 0, bytes, wanted);
  return batch;
}

describe("strangers on sockets", () => {
  afterEach(stopAll);

  const differences: readonly (readonly [string, Partial<TestProcess["init"]>, RegExp])[] = [
    ["another secret", { secret: "guessed" }, /did not prove that it knows the cluster's secret/],
    ["no secret", { secret: "" }, /did not prove that it knows the cluster's secret/],
    ["another cluster", { cluster: "elsewhere" }, /belongs to another cluster/],
  ];
  for (const [what, init, text] of differences) {
    it(`${what}: refused, told on both sides`, async () => {
      const [a, b, wrong] = await Promise.all([start(1), start(2), start(3, init)]);
      say(wrong, (speaker) => speaker.send(new Note({ to: a.self, n: 1 })));
      await holds("the caller is told", () => wrong.system.instance.all(Dropped).length > 0);
      expect(wrong.system.instance.all(Dropped)[0]).to.include({ reason: "unreachable" });
      expect(wrong.system.instance.all(ConnectionDown)[0]).to.include({ reason: "refused" });
      await holds("both logs say why", () => [a, wrong].every((one) => text.test(one.logged())));
      expect(a.system.instance.seen).to.deep.equal([]);
      await unaffected(a, b, 5);
    });
  }

  it("another version of the protocol: refused, told on both sides", async () => {
    const a = await start(1);
    const stranger = strange(a.self);
    await holds("it is open", () => stranger.socket.readyState === 1);
    stranger.socket.send(Uint8Array.of(0x4b, 1, 9));
    await holds("it is told", () => stranger.end !== "");
    expect(stranger.end).to.match(/^4102 .*another version.* 9 instead of 1/);
    expect(a.logged()).to.match(/another version of the protocol: 9 instead of 1/);
  });

  it("another process at the address: refused, told on both sides", async () => {
    const [a, b] = await Promise.all([start(1), start(2)]);
    const alias = { ...b.self, host: "localhost" };
    say(a, (speaker) => speaker.send(new Note({ to: alias, n: 1 })));
    await holds("the caller is told", () => a.system.instance.all(Dropped).length > 0);
    await holds("both say why", () => [a, b].every((one) => /calls itself 127/.test(one.logged())));
  });

  it("plain against TLS and TLS against plain: refused, told on both sides", async () => {
    const tls = certificate();
    if (tls === null) return;
    const [safe, other, plain] = await Promise.all([
      start(1, { tls }),
      start(2, { tls }),
      start(3),
    ]);
    await unaffected(safe, other, 1);
    say(plain, (speaker) => speaker.send(new Note({ to: safe.self, n: 1 })));
    say(other, (speaker) => speaker.send(new Note({ to: plain.self, n: 1 })));
    for (const { system } of [plain, other])
      await holds("the caller is told", () => system.instance.all(Dropped).length > 0);
    await holds("the logs say why", () =>
      [safe, other, plain].every((one) => /TLS/.test(one.logged())),
    );
    expect(safe.logged()).to.match(/ended: it does not speak TLS/);
    expect(plain.logged()).to.match(
      /a call to .* ended: it answered 426 this port speaks TLS only/,
    );
    expect(plain.logged()).to.match(/a call of .* ended: it speaks TLS, and this process does not/);
    expect(other.logged()).to.match(/the other side does not speak TLS/);
    await unaffected(other, safe, 2);
  });

  it("a certificate that nobody has vouched for is refused", async () => {
    const [tls, foreign] = [certificate(), certificate()];
    if (tls === null || foreign === null) return;
    const [safe, wrong] = await Promise.all([start(1, { tls }), start(2, { tls: foreign })]);
    say(wrong, (speaker) => speaker.send(new Note({ to: safe.self, n: 1 })));
    await holds("the caller is told", () => wrong.system.instance.all(Dropped).length > 0);
    expect(wrong.logged()).to.match(/certificate/);
  });

  it("random bytes, HTTP, and nothing at all: closed with a message", async () => {
    const [a, b] = await Promise.all([start(1, { limits: { handshakeMs: 300 } }), start(2)]);
    const noise = raw(a.self);
    noise.socket.write(Buffer.from("\u0001\u0002 what is this? \r\n\r\n"));
    const browser = raw(a.self);
    browser.socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const elsewhere = raw(a.self);
    elsewhere.socket.write(
      "GET /other HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    const silent = raw(a.self);
    await holds("all are closed", () =>
      [noise, browser, elsewhere, silent].every(({ ended }) => ended),
    );
    expect(noise.text).to.match(/^HTTP\/1.1 400 this port speaks WebSocket/);
    expect(browser.text).to.match(/^HTTP\/1.1 426 .*Kith cluster/s);
    expect(elsewhere.text).to.match(/^HTTP\/1.1 404 /);
    expect(silent.text).to.match(/^HTTP\/1.1 408 the handshake took too long/);
    expect(a.logged())
      .to.match(/does not speak HTTP/)
      .and.to.match(/took too long/);
    await unaffected(b, a, 3);
  });

  it("slow bytes are cut off by one deadline, at every stage", async () => {
    const [a, b] = await Promise.all([start(1, { limits: { handshakeMs: 400 } }), start(2)]);
    const request = "GET /kith HTTP/1.1\r\nHost: x\r\nX-More: ".concat("x".repeat(1000));
    const slow = raw(a.self);
    let at = 0;
    const timer = setInterval(() => slow.socket.write(request[at++] ?? "x"), 20);
    const opened = strange(a.self);
    try {
      await holds("both are cut off", () => slow.ended && opened.end !== "");
    } finally {
      clearInterval(timer);
    }
    expect(slow.text).to.match(/^HTTP\/1.1 408 the handshake took too long/);
    expect(opened.end).to.match(/^4101 the handshake took too long/);
    await unaffected(b, a, 3);
  });

  it("huge lengths and too many bytes before the handshake take no memory", async () => {
    const [a, b] = await Promise.all([start(1), start(2)]);
    const huge = strange(a.self);
    await holds("it is open", () => huge.socket.readyState === 1);
    // A frame that claims 2^50 bytes.
    const inner: Socket = Reflect.get(huge.socket, "_socket");
    inner.write(Uint8Array.of(0x82, 0xff, 0, 4, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4));
    const fat = strange(a.self);
    await holds("it is open", () => fat.socket.readyState === 1);
    fat.socket.send(new Uint8Array(1_000_000));
    await holds("both are closed", () => huge.end !== "" && fat.end !== "");
    expect(huge.end).to.match(/^1009|^1002/);
    expect(fat.end).to.match(/^1009 it sent too much before/);
    expect(a.logged()).to.match(/it sent too much before it had shown who it is/);
    await unaffected(b, a, 3);
  });

  it("a thousand idle connections do not keep a member out", async () => {
    const [a, b] = await Promise.all([start(1, { limits: { callersMax: 50 } }), start(2)]);
    const idle = Array.from({ length: 1000 }, () => raw(a.self));
    await holds("the surplus is sent away", () => idle.filter(({ ended }) => ended).length >= 950);
    await unaffected(b, a, 3);
    const away = idle.filter(({ ended }) => ended);
    expect(away[0]?.text).to.match(/^HTTP\/1.1 503 there are too many callers/);
    expect(a.logged()).to.match(/too many callers/);
    // The log is bounded too.
    expect(a.log.length).to.be.below(200);
    for (const { socket } of idle) socket.destroy();
  });

  it("connections beyond the limit are refused", async () => {
    const [a, b, c] = await Promise.all([
      start(1, { limits: { connectionsMax: 1 } }),
      start(2),
      start(3),
    ]);
    await unaffected(b, a, 1);
    say(c, (speaker) => speaker.send(new Note({ to: a.self, n: 2 })));
    await holds("the second is refused", () => c.system.instance.all(Dropped).length > 0);
    expect(c.logged()).to.match(/there are too many connections/);
    await unaffected(b, a, 3);
  });

  it("a replayed handshake is refused", async () => {
    const a = await start(1);
    const recorded: Uint8Array[] = [];
    const first = strange(a.self);
    const shake = new CallerHandshake(identityOf(a), addressOf(a.self), 1, new Uint8Array(32));
    await holds("it is open", () => first.socket.readyState === 1);
    first.socket.send(shake.hello);
    await holds("the challenge comes", () => first.frames.length > 0);
    const step = shake.take(first.frames[0] ?? new Uint8Array());
    if (step.kind !== "send") throw new Error("no proof");
    recorded.push(shake.hello, step.frame);
    first.socket.send(step.frame);
    await holds("the welcome comes", () => first.frames.length > 1);
    first.socket.close();
    const again = strange(a.self);
    await holds("it is open", () => again.socket.readyState === 1);
    again.socket.send(recorded[0] ?? "");
    await holds("a challenge comes", () => again.frames.length > 0);
    again.socket.send(recorded[1] ?? "");
    await holds("it is refused", () => again.end !== "");
    expect(again.end).to.match(/^4104 /);
    expect(again.frames).to.have.length(1);
    expect(a.logged()).to.match(/did not prove/);
  });

  it("a handshake reflected to its own process is refused", async () => {
    const [a, b] = await Promise.all([start(1), start(2)]);
    // Without the secret: what a says is said back to it.
    const mirror = strange(a.self);
    const shake = new CallerHandshake(
      identityOf(a, { self: b.self, secret: "unknown" }),
      addressOf(a.self),
      1,
      new Uint8Array(32),
    );
    await holds("it is open", () => mirror.socket.readyState === 1);
    mirror.socket.send(shake.hello);
    await holds("the challenge comes", () => mirror.frames.length > 0);
    mirror.socket.send(mirror.frames[0] ?? "");
    await holds("it is refused", () => mirror.end !== "");
    expect(mirror.end).to.match(/^4100 .*challenge came where none was due/);
    const oneself = strange(a.self);
    await holds("it is open", () => oneself.socket.readyState === 1);
    oneself.socket.send(
      new CallerHandshake(identityOf(a, { self: a.self }), addressOf(a.self), 1, new Uint8Array(32))
        .hello,
    );
    await holds("it is refused", () => oneself.end !== "");
    expect(oneself.end).to.match(/^4107 the process called itself/);
    await unaffected(b, a, 3);
  });

  it("a page without a secret to prove is not let in", async () => {
    const a = await start(1, { secret: "" });
    const socket = new WebSocket(`ws://${addressOf(a.self)}/kith`, {
      origin: "http://evil.example",
    });
    let end = "";
    socket.on("error", (error) => (end = error.message));
    await holds("it is refused", () => end !== "");
    expect(end).to.match(/403/);
    expect(a.logged()).to.match(/this origin may not call/);
  });

  it("a member that sends nonsense is disconnected, told why, and the others go on", async () => {
    const [a, b] = await Promise.all([start(1), start(2)]);
    await unaffected(b, a, 1);
    const frames: readonly (readonly [string, Uint8Array | string])[] = [
      ["no batch", Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff)],
      ["a batch that is cut short", Uint8Array.of(200, 1, 1, 2)],
      ["no message", record(Uint8Array.of(9, 9, 9), false)],
      ["text", "hello"],
      ["a receipt for nothing", writeBatch([3])],
    ];
    for (const [what, frame] of frames) {
      const before = a.system.instance.all(ConnectionDown).length;
      const wrong = await member(a);
      wrong.socket.send(frame);
      await holds(`${what}: it is closed`, () => wrong.end !== "");
      expect(wrong.end, what).to.match(/^4100 a frame is malformed/);
      await holds("users are told", () => a.system.instance.all(ConnectionDown).length > before);
      expect(a.system.instance.all(ConnectionDown).at(-1)?.reason).to.equal("malformed");
    }
    expect(a.logged()).to.match(/a frame is malformed/);
    await unaffected(b, a, 2);
    expect(b.system.instance.all(ConnectionDown)).to.deep.equal([]);
  });

  it("a message of an unknown tag is dropped and told, and the connection stays", async () => {
    const a = await start(1);
    const other = await member(a);
    const codec = new PlainCodec();
    const known = codec.encode(new Secret({ to: a.self, n: 1 }), me);
    const text = Buffer.from(known).toString("latin1").replace("Secret", "Secreu");
    const unknown = new Uint8Array(Buffer.from(text, "latin1"));
    const note = codec.encode(new Note({ to: a.self, n: 4 }), me);
    other.socket.send(Buffer.concat([record(unknown, true), record(note, true)]));
    await holds("the note arrives", () => a.system.instance.notes.includes(4));
    const [dropped] = a.system.instance.all(Dropped);
    expect(dropped).to.include({ reason: "unknown-tag", tag: "hostile/Secreu" });
    await holds("receipts come", () => other.frames.length > 2);
    expect([...(other.frames[2] ?? [])]).to.deep.equal([...writeBatch(["unknown-tag", 1])]);
    expect(other.end).to.equal("");
    other.socket.close();
  });
});
