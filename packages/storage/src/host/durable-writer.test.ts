/**
 * A process that writes without an end, for the tests that kill it or watch its system calls:
 * `node writer.mjs write DIRECTORY WRITERS [lying]`. Batch number n leaves a state that depends on n alone,
 * so that whoever looks later can tell whether a prefix of the batches is there. What is acknowledged goes
 * to the standard output, a line for each number.
 */

import { Component, launch } from "@kith/core";
import { build } from "esbuild";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Entries, Flushed, type Operation, Scan, Storage, StorageFailed, Write } from "../index.ts";
import { DiskStorage, type DiskStorageInit, diskStorageOn } from "./disk-storage.ts";
import { hostFiles } from "./files.ts";
import { RealScheduler } from "@kith/core";

/** The namespace that the writer works in. */
export const place = "journal of numbers";
const text = (of: string): Uint8Array => Buffer.from(of);
const pad = (n: number): string => String(n).padStart(3, "0");

/** What batch n does: the log, keys that come and go, and another namespace. */
export function batch(n: number): Operation[] {
  const operations: Operation[] = [
    { kind: "append", index: n, record: text(`record ${n} ${"x".repeat(n % 300)}`) },
    { kind: "put", key: text(`key ${pad(n % 97)}`), value: text(String(n)) },
    { kind: "put", key: text("last"), value: text(String(n)) },
    { kind: "put", key: text("last"), value: text(String(n)), namespace: "mirror" },
  ];
  if (n % 10 === 0)
    operations.push({
      kind: "delete-range",
      from: text(`key ${pad(n % 97)}`),
      to: text(`key ${pad((n % 97) + 5)}`),
    });
  if (n % 50 === 0 && n > 120) operations.push({ kind: "cut", to: n - 120 });
  if (n % 70 === 0) operations.push({ kind: "drop", namespace: "mirror" });
  return operations;
}

/** Writes batch after batch, some of them at a time, and says which are acknowledged. */
class Writer extends Component {
  readonly storage = this.requires(Storage);
  #next = 0;
  readonly #write = this.storage.onAnswer(Write, (answer, _, { n }: { n: number }) => {
    if (answer instanceof Flushed) {
      fs.writeSync(1, `${n}\n`);
      this.#go();
    } else if (answer instanceof StorageFailed) fs.writeSync(1, `${answer.code}\n`);
  });
  readonly #find = this.storage.onAnswer(Scan, (answer) => {
    const last = answer instanceof Entries ? answer.entries[0]?.value : undefined;
    this.#next = last === undefined ? 0 : Number(Buffer.from(last).toString());
    for (let i = 0; i < this.#writers; i++) this.#go();
  });
  readonly #writers: number;

  constructor({ writers }: { writers: number }) {
    super();
    this.#writers = writers;
    this.onStart(() => this.#find(new Scan({ namespace: place, from: text("last") })));
  }

  #go(): void {
    const n = ++this.#next;
    this.#write(new Write({ namespace: place, operations: batch(n) }), { context: { n } });
  }
}

function run(directory: string, writers: number, lying: boolean): void {
  const files = { ...hostFiles, flush: (_: number, done: (error: null) => void) => done(null) };
  const storage: new (init: DiskStorageInit) => DiskStorage = lying
    ? diskStorageOn(files)
    : DiskStorage;
  const init = { directory, checkpointBytes: 64 * 1024, reserveBytes: 16 * 1024 };
  launch(
    Writer,
    { writers },
    {
      scheduler: new RealScheduler(),
      install: (root) => root.offers(root.create(storage, init, { name: "Storage" }).ports.storage),
    },
  );
}

/** Bundles this file, so that its process starts at once. @returns the script */
export async function bundled(folder: string): Promise<string> {
  const outfile = join(folder, "writer.mjs");
  const external = (path: string): { path: string; external: true } => ({ path, external: true });
  await build({
    entryPoints: [import.meta.filename],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    conditions: ["source"],
    logLevel: "error",
    plugins: [
      {
        name: "outside",
        setup: ({ onResolve }) => {
          const { resolve } = createRequire(import.meta.url);
          onResolve({ filter: /^(lmdb|esbuild)$/ }, ({ path }) =>
            external(pathToFileURL(resolve(path)).href),
          );
        },
      },
    ],
  });
  return outfile;
}

if (process.argv[2] === "write")
  run(process.argv[3] ?? "", Number(process.argv[4]), process.argv[5] === "lying");
