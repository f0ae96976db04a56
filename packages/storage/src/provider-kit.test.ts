/** Storages for the tests of the suite: the memory provider, right or wrong on request. */

import { Component, ManualWorld, type System, type World } from "@kith/core";
import { stepping } from "@kith/testing/compliance";
import type { StorageHarness } from "./compliance/index.ts";
import {
  type Entry,
  Flushed,
  MemoryDisk,
  memoryStorage,
  type Operation,
  type Problem,
  Storage,
  StorageFailed,
  Tables,
  Write,
} from "./index.ts";

/** A harness around a disk. */
export function harnessOf(
  makeDisk: () => MemoryDisk = () => new MemoryDisk(),
  makeProvider: (
    disk: MemoryDisk,
  ) => new () => Component & { readonly storage: unknown } = memoryStorage,
): StorageHarness {
  const disk = makeDisk();
  const provider = makeProvider(disk);
  let world = new ManualWorld();
  return {
    open: (): World => {
      world = new ManualWorld();
      return {
        scheduler: world.scheduler,
        install: (root) => {
          const child = root.create(
            provider as ReturnType<typeof memoryStorage>,
            {},
            { name: "Storage" },
          );
          root.offers(child.ports.storage);
        },
      };
    },
    wait: stepping((duration) => world.advance(duration)),
    crash: () => disk.crash(false),
    powerCut: () => disk.crash(true),
    failFlush: () => disk.failFlush(),
    fill: () => {
      const bytesMax = disk.tables.bytes + 4096;
      Object.assign(disk, { hasRoom: (bytes: number) => disk.tables.bytes + bytes <= bytesMax });
    },
    swapProvider: (system: System) => void system.swap("/Storage", memoryStorage(disk)),
  };
}

/** Tables that do one thing wrong. */
function tables(wrong: (right: Tables) => Partial<Tables>): () => MemoryDisk {
  return () => {
    const disk = new MemoryDisk();
    // What is wrong stays wrong in a copy.
    const spoil = (right: Tables): Tables => {
      const snapshot = right.snapshot.bind(right);
      return Object.assign(right, wrong(right), { snapshot: () => spoil(snapshot()) });
    };
    disk.tables = spoil(disk.tables);
    return disk;
  };
}

/** A disk that does one thing wrong. */
function disk(wrong: (right: MemoryDisk) => Partial<MemoryDisk>): () => MemoryDisk {
  return () => {
    const right = new MemoryDisk();
    return Object.assign(right, wrong(right));
  };
}

function mapping(
  change: (operation: Operation) => readonly Operation[],
): (right: Tables) => Partial<Tables> {
  return (right) => {
    const apply = right.apply.bind(right);
    return { apply: (namespace, operations) => apply(namespace, operations.flatMap(change)) };
  };
}

/** Wrong providers, each with the case that has to find it. */
export const wrongs: readonly (readonly [
  what: string,
  make: () => StorageHarness,
  expected: string,
])[] = [
  [
    "scans in no order",
    () =>
      harnessOf(
        tables((right) => {
          const scan = right.scan.bind(right);
          return {
            scan: (request) => {
              const found = scan(request);
              if ("code" in found) return found;
              const key = ({ key: bytes }: Entry): string => [...bytes].join("");
              return {
                ...found,
                entries: [...found.entries].sort((a, b) => (key(a) < key(b) ? -1 : 1)),
              };
            },
          };
        }),
      ),
    "keys are ordered bytewise, without a sign, a prefix first",
  ],
  [
    "includes the upper bound",
    () =>
      harnessOf(
        tables((right) => {
          const scan = right.scan.bind(right);
          return {
            scan: (request) =>
              scan(
                request.to === undefined
                  ? request
                  : { ...request, to: new Uint8Array([...request.to, 0]) },
              ),
          };
        }),
      ),
    "a scan takes its lower bound and not its upper one",
  ],
  [
    "says nothing of what a limit has cut off",
    () =>
      harnessOf(
        tables((right) => {
          const scan = right.scan.bind(right);
          return {
            scan: (request) => {
              const found = scan(request);
              return "code" in found ? found : { ...found, more: false };
            },
          };
        }),
      ),
    "a scan stops at its limit, and says whether there is more",
  ],
  [
    "truncates off by one",
    () =>
      harnessOf(
        tables(mapping((op) => [op.kind === "truncate" ? { ...op, from: op.from + 1 } : op])),
      ),
    "truncation takes the records from an index on",
  ],
  [
    "cuts off by one",
    () => harnessOf(tables(mapping((op) => [op.kind === "cut" ? { ...op, to: op.to - 1 } : op]))),
    "cutting takes the records up to an index",
  ],
  [
    "does not go on behind a cut",
    () => {
      return harnessOf(
        tables((right) => {
          const apply = right.apply.bind(right);
          return {
            apply: (namespace, operations) =>
              apply(
                namespace,
                operations.map((op) => {
                  const bounds = right.bounds(op.namespace ?? namespace);
                  return op.kind === "cut" && "last" in bounds
                    ? { ...op, to: Math.min(op.to, bounds.last) }
                    : op;
                }),
              ),
          };
        }),
      );
    },
    "cutting beyond the end leaves an empty log that goes on there",
  ],
  [
    "applies a batch up to its first impossible operation",
    () =>
      harnessOf(
        tables((right) => {
          const check = right.check.bind(right);
          return {
            check: (namespace, operations) => {
              const problem = check(namespace, operations);
              for (const op of problem === null ? [] : operations) {
                if (check(namespace, [op]) !== null) break;
                right.apply(namespace, [op]);
              }
              return problem;
            },
          };
        }),
      ),
    "a batch with one impossible operation does nothing at all",
  ],
  [
    "keeps the keys of a dropped namespace",
    () =>
      harnessOf(
        tables(mapping((op) => (op.kind === "drop" ? [{ ...op, kind: "cut", to: 0 }] : [op]))),
      ),
    "a dropped namespace is empty, and can be written to again",
  ],
  [
    "shows later writes in a view",
    () =>
      harnessOf(
        tables((right) => {
          const scan = right.scan.bind(right);
          return {
            scan: ({ view, ...request }) => {
              const through = scan(view === undefined ? request : { ...request, view });
              return "code" in through ? through : scan(request);
            },
          };
        }),
      ),
    "a view shows the namespace as it was when it was opened",
  ],
  [
    "has no bound for views",
    () =>
      harnessOf(
        tables((right) => {
          const open = right.openView.bind(right);
          let last = 1_000_000;
          return {
            openView: (namespace) => {
              const opened = open(namespace);
              return "code" in opened ? { view: ++last } : opened;
            },
          };
        }),
      ),
    "the number of views is bounded, and closing one makes room",
  ],
  [
    "installs a snapshot chunk by chunk",
    () =>
      harnessOf(
        tables((right) => {
          const stage = right.stage.bind(right);
          return {
            stage: (install, entries) => {
              right.apply(
                "suite",
                entries.map((entry) => ({ kind: "put", ...entry })),
              );
              return stage(install, entries);
            },
          };
        }),
      ),
    "an installation replaces all keys at its commit, and is invisible before",
  ],
  [
    "adds a snapshot to what was there",
    () =>
      harnessOf(
        tables((right) => {
          const commit = right.commitInstall.bind(right);
          return {
            commitInstall: (install, operations) => {
              const before = right.scan({ namespace: "suite" });
              commit(install, operations);
              if (!("code" in before))
                right.apply(
                  "suite",
                  before.entries.map((entry) => ({ kind: "put", ...entry })),
                );
            },
          };
        }),
      ),
    "an installation replaces all keys at its commit, and is invisible before",
  ],
  [
    "hands out its own arrays",
    () =>
      harnessOf(
        tables((right) => {
          const value = right.value.bind(right);
          const handed = new Map<string, { readonly value: Uint8Array | null } | Problem>();
          const apply = right.apply.bind(right);
          return {
            value: (namespace, key, view) => {
              const name = `${namespace} ${String(view)} ${key.join()}`;
              const found = handed.get(name) ?? value(namespace, key, view);
              handed.set(name, found);
              return found;
            },
            scan: (request) => {
              const found = Tables.prototype.scan.call(right, request);
              if ("code" in found) return found;
              const entries = found.entries.map((entry) => {
                const held = handed.get(
                  `${request.namespace} ${String(request.view)} ${entry.key.join()}`,
                );
                return held !== undefined && "value" in held && held.value !== null
                  ? { key: entry.key, value: held.value }
                  : entry;
              });
              return { ...found, entries };
            },
            apply: (namespace, operations) => {
              handed.clear();
              apply(namespace, operations);
            },
          };
        }),
      ),
    "byte arrays are not shared, neither those given nor those received",
  ],
  [
    "says Flushed and has not flushed",
    () => harnessOf(disk(() => ({ flush: () => true }))),
    "a batch that was answered with Flushed survives a power cut, and all before it",
  ],
  [
    "loses a part of a batch in a power cut",
    () =>
      harnessOf(
        disk((right) => {
          const crash = right.crash.bind(right);
          return {
            crash: (lose) => {
              const mirror = right.tables.value("mirror", new Uint8Array([108, 97, 115, 116]));
              crash(lose);
              // The other namespace was written, the first was not.
              if ("value" in mirror && mirror.value !== null) {
                right.tables.apply("mirror", [
                  { kind: "put", key: new Uint8Array([108, 97, 115, 116]), value: mirror.value },
                ]);
              }
            },
          };
        }),
      ),
    "a batch that was answered with Flushed survives a power cut, and all before it",
  ],
  [
    "keeps what was staged over a crash",
    () =>
      harnessOf(
        disk((right) => ({
          crash: () => {
            right.tables = Tables.fromState(right.tables.exportState());
          },
        })),
      ),
    "what was flushed is there after a crash of the process, views and installations are not",
  ],
  [
    "goes on after a failed flush",
    () =>
      harnessOf(
        disk((right) => {
          let failing = false;
          const flush = right.flush.bind(right);
          return {
            failFlush: () => {
              failing = true;
            },
            flush: () => {
              const fine = !failing && flush();
              failing = false;
              return fine;
            },
          };
        }),
        // Its own component: the right one is dead for good.
        (given) =>
          class extends Component {
            readonly storage = this.provides(Storage);

            constructor() {
              super();
              this.storage.on(Write, ({ namespace, operations }, token) => {
                given.tables.apply(namespace, operations);
                this.storage.reply(
                  token,
                  given.flush()
                    ? new Flushed()
                    : new StorageFailed({ code: "KITH_STORAGE_FLUSH", detail: "it failed" }),
                );
              });
            }
          },
      ),
    "a failed flush kills the provider: nothing is answered with success any more",
  ],
  [
    "writes a part on a full disk",
    () =>
      harnessOf(
        tables((right) => ({
          growth: (operations) => {
            const bytes = Tables.prototype.growth.call(right, operations);
            if (bytes > 4096) right.apply("suite", operations.slice(0, 1));
            return bytes;
          },
        })),
      ),
    "a full disk refuses a batch as a whole, and takes what makes room",
  ],
  [
    "mixes up namespaces that begin alike",
    () =>
      harnessOf(
        tables((right) => {
          const scan = right.scan.bind(right);
          const apply = right.apply.bind(right);
          const short = (name: string): string => name.slice(0, 4);
          return {
            scan: (request) => scan({ ...request, namespace: short(request.namespace) }),
            apply: (namespace, operations) =>
              apply(
                short(namespace),
                operations.map((op) =>
                  op.namespace === undefined ? op : { ...op, namespace: short(op.namespace) },
                ),
              ),
          };
        }),
      ),
    "a batch may span namespaces, which else share nothing",
  ],
];
