/**
 * Three processes of etcd on loopback, with their data beside those of Kith, and its puts and linearizable reads.
 * The messages are those of etcd's `rpc.proto`; of the answers only what is asked for here is read.
 */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bindAddress } from "@kith/node";
import { GrpcConnection } from "./grpc.ts";

/** What etcd says of itself; null where it is not installed. */
export function etcdVersion(): string | null {
  try {
    return execFileSync("etcd", ["--version"], { encoding: "utf8" }).split("\n")[0] ?? null;
  } catch {
    return null;
  }
}

/** A client of one etcd, on a connection of its own. */
export class EtcdClient {
  readonly #connection: GrpcConnection;

  constructor(port: number) {
    this.#connection = new GrpcConnection("127.0.0.1", port);
  }

  /** Puts a value. */
  put(key: Uint8Array, value: Uint8Array, done: (done: boolean) => void): void {
    const message = Buffer.concat([field(1, key), field(2, value)]);
    this.#connection.call("/etcdserverpb.KV/Put", message, (answer) => done(answer !== null));
  }

  /** Reads a value, linearizably. */
  get(key: Uint8Array, done: (done: boolean) => void): void {
    this.#connection.call("/etcdserverpb.KV/Range", field(1, key), (answer) =>
      done(answer !== null),
    );
  }

  /** Reads a value and when it was written; revision 0 where the key is absent. Null where it does not answer. */
  read(key: Uint8Array): Promise<{ key: Uint8Array; value: Uint8Array; revision: number } | null> {
    return new Promise((resolve) =>
      this.#connection.call("/etcdserverpb.KV/Range", field(1, key), (answer) => {
        if (answer === null) return resolve(null);
        const found = fieldsOf(answer).get(2);
        const fields =
          found instanceof Uint8Array ? fieldsOf(found) : new Map<number, bigint | Uint8Array>();
        const held = fields.get(5);
        const value = held instanceof Uint8Array ? held : new Uint8Array(0);
        const revision = Number(fields.get(3) ?? 0n);
        return resolve({ key, value, revision });
      }),
    );
  }

  /**
   * Writes values, all at one instant, where no key was written since the revision that is given for it; null asks for none.
   *
   * @returns false where one was; null where it does not answer
   */
  swap(
    swaps: readonly { key: Uint8Array; value: Uint8Array; revision: number | null }[],
  ): Promise<boolean | null> {
    const message = swaps.flatMap(({ key, revision }) => {
      if (revision === null) return [];
      // The target is its last modification, which is to be equal.
      const compare = [Buffer.of(2 * 8, 2), field(3, key), Buffer.of(6 * 8), varint(revision)];
      return [field(1, Buffer.concat(compare))];
    });
    for (const { key, value } of swaps) {
      const put = Buffer.concat([field(1, key), field(2, value)]);
      message.push(field(2, field(2, put)));
    }
    return new Promise((resolve) =>
      this.#connection.call("/etcdserverpb.KV/Txn", Buffer.concat(message), (answer) =>
        resolve(answer === null ? null : fieldsOf(answer).get(2) === 1n),
      ),
    );
  }

  /** Whether it leads; null where it does not answer. */
  leads(): Promise<boolean | null> {
    return new Promise((resolve) =>
      this.#connection.call("/etcdserverpb.Maintenance/Status", new Uint8Array(0), (answer) => {
        if (answer === null) {
          resolve(null);
          return;
        }
        const fields = fieldsOf(answer);
        const header = fields.get(1);
        const leader = fields.get(4);
        const own = header instanceof Uint8Array ? fieldsOf(header).get(2) : undefined;
        resolve(leader !== undefined && leader !== 0n && leader === own);
      }),
    );
  }

  close(): void {
    this.#connection.close();
  }
}

/** Three processes. */
export class EtcdCluster {
  readonly directory = mkdtempSync(join(tmpdir(), "kith-bench-etcd-"));
  readonly processes: ChildProcess[] = [];
  ports: readonly number[] = [];
  #peerPorts: readonly number[] = [];

  /** Starts them. */
  async start(): Promise<void> {
    const bound = await Promise.all([0, 1, 2, 3, 4, 5].map(() => bindAddress()));
    for (const one of bound) one.close();
    const ports = bound.map(({ port }) => port);
    this.ports = ports.slice(0, 3);
    this.#peerPorts = ports.slice(3);
    for (const index of [0, 1, 2]) this.begin(index);
  }

  /** Starts one of them, with the timers that it has by default. */
  begin(index: number): void {
    const own = `http://127.0.0.1:${this.ports[index] ?? 0}`;
    const peers = this.#peerPorts.map((port) => `http://127.0.0.1:${port}`);
    const args = [
      ...["--name", `n${index}`, "--data-dir", join(this.directory, `${index}`)],
      ...["--listen-client-urls", own, "--advertise-client-urls", own],
      ...["--listen-peer-urls", peers[index] ?? ""],
      ...["--initial-advertise-peer-urls", peers[index] ?? ""],
      ...["--initial-cluster", peers.map((url, i) => `n${i}=${url}`).join(",")],
      ...["--initial-cluster-state", "new", "--logger", "zap", "--log-level", "error"],
    ];
    this.processes[index] = spawn("etcd", args, { stdio: "ignore" });
  }

  /** Kills one of them with -9, and waits until it is gone. */
  async kill(index: number): Promise<void> {
    const child = this.processes[index];
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** The index of the one that leads. */
  async leader(): Promise<number> {
    for (;;) {
      for (const index of this.ports.keys()) if ((await this.#leads(index)) === true) return index;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Whether one of them answers. */
  async answers(index: number): Promise<boolean> {
    return (await this.#leads(index)) !== null;
  }

  async #leads(index: number): Promise<boolean | null> {
    const client = new EtcdClient(this.ports[index] ?? 0);
    const leads = await client.leads();
    client.close();
    return leads;
  }

  /** Ends them and removes their data. */
  async close(): Promise<void> {
    for (const index of this.processes.keys()) await this.kill(index);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A field of bytes. */
function field(number: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(number * 8 + 2), varint(value.length), value]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return Buffer.of(...bytes, value);
}

/** The fields of a message, the last of each number. */
function fieldsOf(message: Uint8Array): Map<number, bigint | Uint8Array> {
  const fields = new Map<number, bigint | Uint8Array>();
  let at = 0;
  const integer = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(message[at++] ?? 0);
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return value;
    }
  };
  while (at < message.length) {
    const key = Number(integer());
    if ((key & 7) === 2) {
      const length = Number(integer());
      fields.set(key >> 3, message.subarray(at, (at += length)));
    } else fields.set(key >> 3, integer());
  }
  return fields;
}
