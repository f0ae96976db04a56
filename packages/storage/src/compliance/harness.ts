/** What the suite of Storage needs of a world, and the component that asks for it. */

import { Component, type Event, launch, type System, type World } from "@kith/core";
import { type Harness, until, type Wait } from "@kith/testing/compliance";
import {
  type AbortInstall,
  BeginInstall,
  type CloseView,
  CommitInstall,
  InstallChunk,
  ListNamespaces,
  OpenView,
  ReadBounds,
  ReadKey,
  ReadLog,
  Scan,
  Storage,
  StorageLost,
  Write,
} from "../port.ts";

/** How a provider of Storage is put to the test. */
export interface StorageHarness extends Harness {
  /**
   * A world that offers the Storage under test, on the same disk every time; the disk is empty at first. The suite
   * launches one system in it, and asks for the next world after a crash only.
   */
  open(): World;
  /** Ends the system's process without warning, and leaves what it wrote. Without it, cases are left out. */
  readonly crash?: (system: System) => void;
  /** The same by a power cut: what was not flushed is lost, or torn, or there. */
  readonly powerCut?: (system: System) => void;
  /** Makes the next flush fail. */
  readonly failFlush?: () => void;
  /** Makes the disk too small for a value of 64 KiB, but not for one of 1 KiB. */
  readonly fill?: () => void;
  /** Replaces the provider by another instance. */
  readonly swapProvider?: (system: System) => void;
}

/** All that can be asked. */
export type Asked =
  | Write
  | ReadBounds
  | ReadLog
  | ReadKey
  | Scan
  | OpenView
  | ListNamespaces
  | BeginInstall
  | InstallChunk
  | CommitInstall;

/** Asks, and keeps the answers by number. */
export class Client extends Component {
  readonly storage = this.requires(Storage);
  readonly answers = new Map<number, Event[]>();
  readonly lost: StorageLost[] = [];
  #last = 0;

  readonly #write = this.storage.onAnswer(Write, (answer, _, n: number) => this.#took(n, answer));
  readonly #bounds = this.storage.onAnswer(ReadBounds, (answer, _, n: number) =>
    this.#took(n, answer),
  );
  readonly #log = this.storage.onAnswer(ReadLog, (answer, _, n: number) => this.#took(n, answer));
  readonly #key = this.storage.onAnswer(ReadKey, (answer, _, n: number) => this.#took(n, answer));
  readonly #scan = this.storage.onAnswer(Scan, (answer, _, n: number) => this.#took(n, answer));
  readonly #view = this.storage.onAnswer(OpenView, (answer, _, n: number) => this.#took(n, answer));
  readonly #list = this.storage.onAnswer(ListNamespaces, (answer, _, n: number) =>
    this.#took(n, answer),
  );
  readonly #begin = this.storage.onAnswer(BeginInstall, (answer, _, n: number) =>
    this.#took(n, answer),
  );
  readonly #chunk = this.storage.onAnswer(InstallChunk, (answer, _, n: number) =>
    this.#took(n, answer),
  );
  readonly #commit = this.storage.onAnswer(CommitInstall, (answer, _, n: number) =>
    this.#took(n, answer),
  );

  constructor() {
    super();
    this.storage.on(StorageLost, (lost) => {
      this.lost.push(lost);
    });
  }

  /** Asks, in the component's turn. @returns the number under which the answer will stand */
  ask(request: Asked): number {
    const context = ++this.#last;
    if (request instanceof Write) this.#write(request, { context });
    else if (request instanceof ReadBounds) this.#bounds(request, { context });
    else if (request instanceof ReadLog) this.#log(request, { context });
    else if (request instanceof ReadKey) this.#key(request, { context });
    else if (request instanceof Scan) this.#scan(request, { context });
    else if (request instanceof OpenView) this.#view(request, { context });
    else if (request instanceof ListNamespaces) this.#list(request, { context });
    else if (request instanceof BeginInstall) this.#begin(request, { context });
    else if (request instanceof InstallChunk) this.#chunk(request, { context });
    else this.#commit(request, { context });
    return context;
  }

  /** Sends what has no answer. */
  tell(request: CloseView | AbortInstall): void {
    this.storage.trigger(request);
  }

  #took(n: number, answer: Event): void {
    const before = this.answers.get(n);
    if (before === undefined) this.answers.set(n, [answer]);
    else before.push(answer);
  }
}

/** One life of a process with its client. */
export class Life {
  readonly system: System<Client>;
  readonly #harness: StorageHarness;

  private constructor(harness: StorageHarness) {
    this.#harness = harness;
    this.system = launch(Client, {}, harness.open());
  }

  /** Starts a process on the disk, and waits for it. */
  static *begin(harness: StorageHarness): Generator<Wait, Life, void> {
    const life = new Life(harness);
    let ready = false;
    life.system.enter(() => (ready = true));
    yield until("the client has started", () => ready);
    return life;
  }

  get client(): Client {
    return this.system.instance;
  }

  /** Asks all in one turn, and waits for all the answers, which come back in the order of the requests. */
  *all(requests: readonly Asked[]): Generator<Wait, Event[], void> {
    const numbers: number[] = [];
    const { client } = this;
    this.system.enter(() => {
      for (const request of requests) numbers.push(client.ask(request));
    });
    const answered = (): boolean =>
      numbers.length === requests.length && numbers.every((n) => client.answers.has(n));
    yield until(
      `${requests.length} requests, the first a ${requests[0]?.constructor.name}, are answered`,
      answered,
      20_000,
    );
    return numbers.map((n) => {
      const [answer, ...more] = client.answers.get(n) ?? [];
      if (answer === undefined || more.length > 0)
        throw new Error(`a request had ${more.length + 1} answers`);
      return answer;
    });
  }

  /** Asks, and waits for the answer, which has to be of that class. */
  *ask<T extends Event>(
    request: Asked,
    wanted: abstract new (...args: never[]) => T,
  ): Generator<Wait, T, void> {
    const [answer] = yield* this.all([request]);
    return the(answer, wanted);
  }

  /** Sends what has no answer. */
  tell(request: CloseView | AbortInstall): void {
    this.system.enter(() => this.client.tell(request));
  }

  /** Ends this process without warning. */
  crash(): void {
    this.#harness.crash?.(this.system);
  }

  /** Cuts the power. */
  powerCut(): void {
    this.#harness.powerCut?.(this.system);
  }
}

/** The answer, if it is of that class. */
export function the<T extends Event>(
  answer: Event | undefined,
  wanted: abstract new (...args: never[]) => T,
): T {
  if (answer instanceof wanted) return answer;
  const facts =
    answer === undefined ? "nothing" : `${answer.constructor.name} ${JSON.stringify(answer)}`;
  throw new Error(`${wanted.name} was expected, and ${facts} came`);
}

/** Bytes of numbers, or of the characters of an ASCII text. */
export function bytes(...from: readonly (number | string)[]): Uint8Array {
  return new Uint8Array(
    from.flatMap((part) =>
      typeof part === "number" ? [part] : Array.from(part, (char) => char.charCodeAt(0)),
    ),
  );
}

/** The text of ASCII bytes; other bytes as numbers. */
export function show(of: Uint8Array | null | undefined): string {
  if (of === null || of === undefined) return String(of);
  return [...of]
    .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `<${byte}>`))
    .join("");
}
