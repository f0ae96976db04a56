/**
 * The commands against a running peer: `kith status`, `get`, `put`, `del`, `txn`, `leave`. Each joins the network as a guest, asks,
 * and leaves.
 */

import { bytes, type Client, ClientError, connect } from "@kith/client";
import { type Operation, type OperationResult, perform, valueJson } from "@kith/gateway";
import { bytesText, octetsOf, textBytes } from "@kith/paxos";
import { wholeNumber } from "../arguments.ts";
import { paintFor } from "../colours.ts";
import { cliError } from "../errors.ts";
import type { Terminal } from "../progress.ts";
import { waitingFor } from "../waiting.ts";
import { addressesOf } from "./addresses.ts";
import { viewOf } from "./look.ts";
import { parseTransaction, type TextOperation } from "./operations.ts";
import { Reasons } from "./reasons.ts";
import { readSecurity, type SecurityOptions } from "./security.ts";
import { statusJson, statusText } from "./status.ts";

/** Options of all of them, as they are given. */
export interface ClientOptions extends SecurityOptions {
  readonly peer?: string;
  readonly within: string;
  readonly json?: boolean;
}

/** Those of `kith get`. */
export interface ReadOptions extends ClientOptions {
  readonly raw?: boolean;
}

/** Those of `kith put`. */
export interface WriteOptions extends ClientOptions {
  readonly ifAbsent?: boolean;
  readonly ifVersion?: string;
  readonly expires?: string;
}

const peerDefault = "127.0.0.1:7000";
const withinMax = 3_600_000;

/** Runs the commands. */
export class PeerClient {
  readonly #terminal: Terminal;
  readonly #out: (text: string) => void;
  readonly #input: () => Promise<Uint8Array>;
  readonly #bytes: (bytes: Uint8Array) => void;

  /** @param input what comes on the standard input @param raw writes what is no text */
  constructor(
    terminal: Terminal,
    out: (text: string) => void,
    input: () => Promise<Uint8Array> = standardInput,
    raw: (bytes: Uint8Array) => void = (bytes) => void process.stdout.write(bytes),
  ) {
    this.#bytes = raw;
    this.#terminal = terminal;
    this.#out = out;
    this.#input = input;
  }

  /** Shows the cluster. */
  async status(options: ClientOptions): Promise<void> {
    const view = await this.#view(options);
    this.#out(
      options.json === true
        ? JSON.stringify(statusJson(view), null, 2)
        : statusText(view, paintFor(process.stdout)),
    );
  }

  /** Prints a value. @throws KithError `KITH_CLI_ABSENT` where there is none */
  async get(key: string, options: ReadOptions): Promise<void> {
    if (options.raw === true && options.json === true)
      throw cliError("KITH_CLI_ARGUMENT", "Give --raw or --json, not both.");
    const { value, version, expiresIn } = await this.#with(options, (store) => store.find(key));
    if (value === undefined) throw cliError("KITH_CLI_ABSENT", `There is nothing at ${key}.`);
    if (options.raw === true) return this.#bytes(value);
    this.#out(
      options.json === true
        ? JSON.stringify({ key, ...valueJson(value), version, expiresIn })
        : bytesText(value),
    );
  }

  /** Writes a key. */
  async put(key: string, given: string | undefined, options: WriteOptions): Promise<void> {
    const { ifAbsent, ifVersion, expires } = options;
    if (ifAbsent === true && ifVersion !== undefined)
      throw cliError("KITH_CLI_ARGUMENT", "Give --if-absent or --if-version, not both.");
    const expected =
      ifVersion === undefined
        ? null
        : wholeNumber(ifVersion, "a version", 0, Number.MAX_SAFE_INTEGER);
    const expiresIn =
      expires === undefined
        ? null
        : wholeNumber(expires, "a number of milliseconds", 1, Number.MAX_SAFE_INTEGER);
    const value = given === undefined ? await this.#input() : textBytes(given);
    const version = await this.#with(options, (store) =>
      store
        .put(key, value, {
          ...(ifAbsent === true ? { when: "absent" } : {}),
          ...(expected === null ? {} : { when: { version: expected } }),
          ...(expiresIn === null ? {} : { expiresIn }),
        })
        .catch((cause: unknown) => {
          if (!(cause instanceof ClientError) || cause.reason !== "condition") throw cause;
          const why =
            expected === null ? "there is something" : `version ${expected} is not what is there`;
          throw cliError("KITH_CLI_CONDITION", `At ${key} ${why}; nothing was written.`);
        }),
    );
    if (options.json === true) this.#out(JSON.stringify({ key, version }));
  }

  /** Deletes keys at one instant. */
  async del(keys: readonly string[], options: ClientOptions): Promise<void> {
    const operations = keys.map((key): TextOperation => ({ kind: "delete", key }));
    const results = await this.#transact(operations, options);
    const deleted = results.filter(({ existed }) => existed === true).length;
    this.#out(options.json === true ? JSON.stringify({ deleted }) : String(deleted));
  }

  /** Runs a transaction. */
  async txn(given: readonly string[], options: ClientOptions): Promise<void> {
    const lines =
      given.length > 0
        ? given
        : bytesText(await this.#input())
            .split(/\r?\n/)
            .filter((line) => line.trim() !== "");
    const operations = parseTransaction(lines);
    const results = await this.#transact(operations, options);
    const told = results.map(({ kind, value, existed }, i) => ({
      [kind]: operations[i]?.key,
      ...(value === undefined ? {} : value === null ? { value } : valueJson(value)),
      ...(existed === undefined ? {} : { existed }),
    }));
    if (options.json === true) return this.#out(JSON.stringify({ committed: true, results: told }));
    for (const { value } of results)
      if (value !== undefined) this.#out(value === null ? "(nothing)" : bytesText(value));
  }

  /** Takes a peer out for good, where that can be. */
  async leave(options: ClientOptions): Promise<void> {
    const { processes } = await this.#view(options);
    const addresses = this.#peers(options);
    if (addresses.length !== 1)
      throw cliError("KITH_CLI_ARGUMENT", "Name the one peer that is to leave, with --peer.");
    const [address] = addresses;
    const found = processes.find(
      ({ process: { host, port }, silent }) => !silent && `${host}:${port}` === address,
    );
    if (found === undefined)
      throw cliError("KITH_CLI_LEAVE", `The process at ${address} has not answered.`);
    const all = found.peers.flatMap((peer) => peer.groups.map(({ gid }) => gid));
    const groups = [...new Set(all)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    if (groups.length > 0)
      throw cliError(
        "KITH_CLI_LEAVE",
        `${address} has replicas of ${groups.length} groups (${groups.join(", ")}), and replicas cannot be moved to other peers yet: without it the groups would have fewer than they are to have.`,
      );
    throw cliError(
      "KITH_CLI_LEAVE",
      `${address} has no replicas: nobody needs it, and there is nothing to move.`,
    );
  }

  async #transact(
    operations: readonly TextOperation[],
    options: ClientOptions,
  ): Promise<readonly OperationResult[]> {
    const keys = [...new Set(operations.map(({ key }) => key))];
    const plain = operations.map((one): Operation => ({
      ...one,
      key: octetsOf(textBytes(one.key)),
    }));
    return await this.#with(options, (store) =>
      store.transact(async (tx) => {
        const values = await tx.getAll(keys);
        const found = new Map(
          keys.map((key) => {
            const entry = { value: values.get(key) ?? null, version: 0 };
            return [octetsOf(textBytes(key)), entry] as const;
          }),
        );
        const performed = perform(plain, found);
        if (!performed.isDone) {
          const { at, reason } = performed;
          const { kind = "", key = "" } = operations[at] ?? {};
          const why = reason === "expectation" ? "is not what is there" : `failed: ${reason}`;
          throw cliError(
            "KITH_CLI_TRANSACTION",
            `Operation ${at + 1}, ${kind} ${key}, ${why}; nothing was done.`,
          );
        }
        for (const { key, write } of performed.writes) {
          const name = keys.find((one) => octetsOf(textBytes(one)) === key) ?? "";
          if (write.kind === "delete") tx.delete(name);
          else
            tx.put(name, write.value, write.expiry === "never" ? {} : { expiresIn: write.expiry });
        }
        return performed.results;
      }),
    );
  }

  async #with<T>(
    options: ClientOptions,
    body: (store: Client<Uint8Array>) => Promise<T>,
  ): Promise<T> {
    const within = wholeNumber(options.within, "a number of milliseconds", 1, withinMax);
    const peers = this.#peers(options);
    const reasons = new Reasons(peers);
    const store = await waitingFor(
      this.#terminal,
      `Looking for ${peers.join(", ")}`,
      connect({
        ...readSecurity(options),
        peers,
        within,
        callsWithin: within,
        codec: bytes,
        log: (record) => void reasons.note(record),
      }).catch((cause: unknown) => {
        if (!(cause instanceof ClientError) || cause.code !== "KITH_CLIENT_UNREACHABLE")
          throw cause;
        throw cliError("KITH_CLI_UNREACHABLE", `No peer has answered (${reasons.text()}).`);
      }),
    );
    try {
      return await waitingFor(this.#terminal, "Waiting for the store", body(store));
    } finally {
      await store.close();
    }
  }

  #view(options: ClientOptions) {
    const within = wholeNumber(options.within, "a number of milliseconds", 1, withinMax);
    const peers = this.#peers(options);
    return waitingFor(
      this.#terminal,
      `Looking for ${peers.join(", ")}`,
      viewOf({ peers, within, security: readSecurity(options) }),
    );
  }

  #peers({ peer }: ClientOptions): string[] {
    const peers = addressesOf(peer ?? process.env["KITH_PEERS"] ?? peerDefault, "a peer");
    if (peers.length === 0) throw cliError("KITH_CLI_ARGUMENT", "No peer is named.");
    return peers;
  }
}

async function standardInput(): Promise<Uint8Array> {
  if (process.stdin.isTTY) process.stderr.write("Reading from the terminal until Ctrl-D.\n");
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}
