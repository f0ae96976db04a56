import {
  Component,
  type EventClass,
  launch,
  type Request,
  type System,
  type World,
} from "@kith/core";
import {
  type AbortInstall,
  BeginInstall,
  type CloseView,
  CommitInstall,
  InstallChunk,
  ListNamespaces,
  OpenView,
  type Operation,
  ReadBounds,
  ReadKey,
  ReadLog,
  Scan,
  Storage,
  StorageFailed,
  StorageLost,
  type Tables,
  Write,
} from "@kith/storage";
import { NodeClock } from "./clock.ts";
import { Disk, type DiskOptions } from "./disk.ts";
import { Engine } from "./engine.ts";
import { Fabric } from "./fabric.ts";
import { Life } from "./node.ts";
import { uniform, Rules } from "./rules.ts";
import { SimStorage, type StorageLimits } from "./storage.ts";

const requests = [
  Write,
  ReadBounds,
  ReadLog,
  ReadKey,
  Scan,
  OpenView,
  ListNamespaces,
  BeginInstall,
  InstallChunk,
  CommitInstall,
] as const;

/** What a client was answered. */
export interface Answered {
  readonly request: Request;
  readonly answer: object;
  readonly micros: number;
}

/** Asks whatever it is told to, and notes the answers in their order. */
class Client extends Component {
  readonly storage = this.requires(Storage);
  readonly answered: Answered[] = [];
  readonly lost: StorageLost[] = [];
  readonly #ask = new Map<unknown, (request: never) => void>();

  constructor() {
    super();
    for (const cls of requests) {
      const note = (answer: object, request: Request): void => {
        this.answered.push({ request, answer, micros: this.clock.monotonic * 1000 });
      };
      this.#ask.set(cls, this.storage.onAnswer(cls as typeof Write, note));
    }
    this.storage.on(StorageLost, (lost) => void this.lost.push(lost));
  }

  ask(...asked: Request[]): void {
    this.enter(() => {
      for (const request of asked) this.#ask.get(request.constructor)?.(request as never);
    });
  }

  tell(event: CloseView | AbortInstall): void {
    this.enter(() => this.storage.trigger(event));
  }
}

/** One node with a simulated disk and storage, and a client. */
export class Rig {
  readonly engine: Engine;
  readonly disk: Disk;
  readonly limits: StorageLimits;
  readonly #fabric: Fabric;
  life!: Life;
  system!: System<Client>;
  lives = 0;
  readonly swaps: string[] = [];

  constructor(
    seed: number | string,
    options: DiskOptions = {},
    limits: StorageLimits = {},
    start = true,
  ) {
    this.engine = new Engine(seed);
    this.disk = new Disk(this.engine, "n1", options);
    this.limits = limits;
    this.#fabric = new Fabric(this.engine, new Rules(seed), {
      ...{ latency: uniform(1, 2), codec: null, datagrams: false, waitingMax: 1 },
    });
    if (start) this.start();
  }

  get client(): Client {
    return this.system.instance;
  }

  /** A new life, as the world of its system. */
  world(): World {
    const { engine } = this;
    const clock = new NodeClock(engine, 0, {});
    const place = { fabric: this.#fabric, name: "n1", index: 0, disk: this.disk };
    const life = new Life({ ...place, engine, number: ++this.lives, clock });
    this.life = life;
    return {
      scheduler: life,
      node: "n1",
      seed: engine.seed,
      log: () => undefined,
      host: life,
      install: (root) => {
        const storage = root.create(SimStorage, this.limits, { name: "Storage" });
        root.offers(storage.ports.storage);
      },
    };
  }

  start(): void {
    this.system = launch(Client, {}, this.world());
    this.settle();
  }

  /** The power is cut; the node is down until `start`. */
  crash() {
    this.life.alive = false;
    return this.disk.crash();
  }

  /** The node stops properly. */
  stop(): void {
    void this.system.stop();
    this.settle();
    this.life.alive = false;
    this.disk.close();
  }

  /** Replaces the provider, soon. */
  swap(system: System = this.system): void {
    system.inspect(({ kind }) => {
      if (kind === "swapped" || kind === "swap-failed") this.swaps.push(kind);
    });
    void system.swap("/Storage", SimStorage as never, this.limits as never);
  }

  step(): boolean {
    return this.engine.step(Infinity);
  }

  /** Lets so many milliseconds pass. */
  advance(duration: number): void {
    const end = this.engine.micros + Math.round(duration * 1000);
    while (this.engine.step(end));
    this.engine.moveTo(end);
  }

  /** Runs until nothing is left to do. */
  settle(): void {
    for (let i = 0; this.step(); i++) if (i > 1_000_000) throw new Error("It goes on for ever.");
  }

  /** Asks, waits for all answers, and gives them. */
  ask(...asked: Request[]): object[] {
    this.client.ask(...asked);
    this.settle();
    return asked.map(
      (request) => this.client.answered.find((one) => one.request === request)?.answer as object,
    );
  }

  /** Asks one thing, and gives the answer, which has to be of this class. */
  get<C extends EventClass>(cls: C, request: Request): C["prototype"] {
    const [answer] = this.ask(request);
    if (!(answer instanceof (cls as never))) {
      throw new Error(`The answer was ${JSON.stringify(answer)}, not ${cls.name}.`);
    }
    return answer as C["prototype"];
  }

  /** The code of the failure that is the answer. */
  code(request: Request): string {
    return this.get(StorageFailed, request).code;
  }
}

/** A text as bytes; two of them at a time would be too many words in a test. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A write of puts: `put("a=1", "b=2")`. */
export function put(...pairs: string[]): Write {
  const operations = pairs.map((pair): Operation => {
    const [key = "", value = ""] = pair.split("=");
    return { kind: "put", key: bytes(key), value: bytes(value) };
  });
  return new Write({ namespace: "ns", operations });
}

/** A write of one record. */
export function append(index: number, record: string): Write {
  return new Write({
    namespace: "ns",
    operations: [{ kind: "append", index, record: bytes(record) }],
  });
}

/** The same write without a flush. */
export function unflushed({ namespace, operations }: Write): Write {
  return new Write({ namespace, operations, flush: false });
}

/** All that tables hold, as a text. */
export function dump(tables: Tables): string {
  const text = (part: Uint8Array): string => new TextDecoder().decode(part);
  return tables
    .names()
    .map((namespace) => {
      const scanned = tables.scan({ namespace, bytesMax: Infinity });
      const read = tables.records({ namespace, from: 1, bytesMax: 2 ** 40 });
      if ("code" in scanned || "code" in read) throw new Error("Reading failed.");
      const keys = scanned.entries.map(({ key, value }) => `${text(key)}=${text(value)}`);
      return `${namespace}: ${keys.join(" ")} | ${read.from}: ${read.records.map(text).join(" ")}`;
    })
    .join("\n");
}
