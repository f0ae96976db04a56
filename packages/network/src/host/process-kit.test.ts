/** Processes for tests on real sockets: a speaker on a Network, its log, and certificates. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { launch, type LogRecord, RealScheduler, type System } from "@kith/core";
import { expect } from "chai";
import { Speaker } from "../compliance/harness.ts";
import { PlainCodec, type PeerRef } from "../index.ts";
import {
  bindAddress,
  type BoundAddress,
  type WebSocketInit,
  webSocketNetwork,
  type WebSocketNetwork,
} from "./index.ts";
import { waitUntil } from "./network-kit.test.ts";

/** A process of a test. */
export interface TestProcess {
  readonly self: PeerRef;
  readonly init: WebSocketInit;
  readonly system: System<Speaker>;
  readonly log: LogRecord[];
  /** What was logged, as text. */
  logged(): string;
}

const running: System<Speaker>[] = [];
const bound: BoundAddress[] = [];

/** Starts a process with a network of its own. */
export async function start(
  peerId: number,
  init: Partial<WebSocketInit> = {},
  cls: new (init: WebSocketInit) => WebSocketNetwork = webSocketNetwork(new PlainCodec()),
): Promise<TestProcess> {
  const at = init.self ?? (await bindAddress());
  if ("close" in at) bound.push(at);
  const self = init.self ?? { peerId, host: at.host, port: at.port, incarnation: 1 };
  const whole: WebSocketInit = { secret: "known to the members", ...init, self };
  const log: LogRecord[] = [];
  const system = launch(
    Speaker,
    {},
    {
      scheduler: new RealScheduler(),
      log: (record) => log.push(record),
      install: (root) => root.offers(root.create(cls, whole, { name: "Network" }).ports.network),
    },
  );
  running.push(system);
  let ready = false;
  system.enter(() => (ready = true));
  await holds("the process is up", () => ready);
  return { self, init: whole, system, log, logged: () => log.map(({ text }) => text).join("\n") };
}

/** Stops all processes that a test has started. */
export async function stopAll(): Promise<void> {
  await Promise.all(running.splice(0).map((system) => system.stop()));
  // Those that no network has taken over.
  for (const at of bound.splice(0)) at.close();
}

/** Waits for a condition, and fails without it. */
export async function holds(
  what: string,
  condition: () => boolean,
  within = 20_000,
): Promise<void> {
  expect(await waitUntil(condition, within), what).to.equal(true);
}

/** Sends in the turn of a process. */
export function say({ system }: TestProcess, action: (speaker: Speaker) => void): void {
  system.enter(() => action(system.instance));
}

/** A fresh certificate for 127.0.0.1, signed by itself; null where there is no `openssl`. */
export function certificate(): { cert: string; key: string; ca: string } | null {
  const folder = mkdtempSync(path.join(tmpdir(), "kith-tls-"));
  try {
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder, name));
    execFileSync(
      "openssl",
      // prettier-ignore
      ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", key ?? "", "-out", cert ?? "", "-days", "2", "-subj", "/CN=kith test",
        "-addext", "subjectAltName=IP:127.0.0.1"],
      { stdio: "ignore" },
    );
    const text = readFileSync(cert ?? "", "utf8");
    return { cert: text, key: readFileSync(key ?? "", "utf8"), ca: text };
  } catch {
    console.log("      openssl is missing: install it for the tests of TLS");
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
