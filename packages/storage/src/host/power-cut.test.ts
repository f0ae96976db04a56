import { expect } from "chai";
import fc from "fast-check";
import * as fs from "node:fs";
import { join } from "node:path";
import { Tables } from "../index.ts";
import type { Entry, Operation } from "../operation.ts";
import { Contents } from "./contents.ts";
import { draws, FaultyFiles, hostError, temporary, turn } from "./disk-kit.test.ts";
import { Engine } from "./engine.ts";
import { hostFiles } from "./files.ts";
import { operations } from "./operations.test.ts";

/** How many stories are told; more of them with KITH_STORAGE_CUTS. */
const stories = Number(process.env["KITH_STORAGE_CUTS"] ?? 12);

type Draw = (below: number) => number;

/** A change of the names in a directory that is not known to be on the disk, and how a cut takes it back. */
type Renaming = (copy: (path: string) => string) => void;

/** Files of which the power is cut at a call: what they leave lies in a copy of the directory. */
class CutFiles extends FaultyFiles {
  /** The copy, when it has happened. */
  copy: string | null = null;
  readonly #directory: string;
  readonly #draw: Draw;
  #left: number;
  #renamings: Renaming[] = [];

  constructor(directory: string, draw: Draw, calls: number) {
    super();
    this.#directory = directory;
    this.#draw = draw;
    this.#left = calls;
  }

  override open(path: string): number {
    this.#call();
    if (!fs.existsSync(path)) {
      this.#renamings.push((copy) => fs.rmSync(copy(path), { force: true }));
    }
    return super.open(path);
  }

  override write(file: number, parts: readonly Uint8Array[], position: number): void {
    this.#call();
    super.write(file, parts, position);
    // It may have begun to reach the disk, in part, when the power is cut.
    this.#call();
  }

  override truncate(file: number, length: number): void {
    this.#call();
    super.truncate(file, length);
  }

  override readonly remove = (path: string): void => {
    this.#call();
    const bytes = fs.readFileSync(path);
    this.#renamings.push((copy) => fs.writeFileSync(copy(path), bytes));
    hostFiles.remove(path);
  };

  override rename(from: string, to: string): void {
    this.#call();
    this.#renamings.push((copy) => {
      if (fs.existsSync(copy(to))) fs.renameSync(copy(to), copy(from));
    });
    super.rename(from, to);
  }

  override flush(file: number, done: (error: Error | null) => void): void {
    try {
      this.#call();
    } catch {
      setImmediate(() => done(hostError("EIO")));
      return;
    }
    // Slow at times, so that other work has its turns meanwhile.
    let turns = this.#draw(4) === 0 ? this.#draw(300) : 0;
    super.flush(file, (error) => {
      const end = (): void => {
        if (turns-- > 0) setImmediate(end);
        else done(this.copy === null ? error : hostError("EIO"));
      };
      end();
    });
  }

  override flushNow(file: number): void {
    this.#call();
    super.flushNow(file);
  }

  override readonly flushDirectory = (path: string): void => {
    this.#call();
    hostFiles.flushDirectory(path);
    this.#renamings = [];
  };

  /** Cuts the power, where it has not been cut yet. */
  crash(): string {
    if (this.copy !== null) return this.copy;
    const copy = (this.copy = temporary());
    fs.cpSync(this.#directory, copy, { recursive: true });
    this.cut(this.#directory, copy, this.#draw);
    const kept = this.#draw(this.#renamings.length + 1);
    for (const undo of this.#renamings.slice(kept).reverse()) {
      undo((path) => path.replace(this.#directory, copy));
    }
    return copy;
  }

  #call(): void {
    if (--this.#left <= 0) this.crash();
    if (this.copy !== null) throw hostError("EIO");
  }
}

const counter = { namespace: "count", key: Buffer.from("n") };

/** What was written, and the state that each batch has left. */
class Model {
  tables = new Tables();
  /** By the number of the batch; those before the last cut are forgotten. */
  states = new Map<number, Tables>([[0, new Tables()]]);
  last = 0;
  acknowledged = 0;

  /** Makes operations fit: the random ones have indexes that fit no log. */
  fitting(batch: readonly Operation[]): Operation[] {
    const fitting = batch.flatMap((one): Operation[] => {
      const at = this.tables.bounds(one.namespace ?? "n");
      if ("code" in at) return [];
      if (one.kind === "append") return [{ ...one, index: at.last + 1 }];
      if (one.kind === "truncate") return [{ ...one, from: Math.max(at.first, at.last) }];
      return one.kind === "cut" ? [{ ...one, to: at.first }] : [one];
    });
    return this.tables.check("n", fitting) === null ? fitting : [];
  }

  /** The mark by which a state is known again. */
  mark(): Operation {
    return { kind: "put", ...counter, value: Buffer.from(`${this.last + 1}`) };
  }

  took(): void {
    this.states.set(++this.last, this.tables.snapshot());
  }

  /** Goes on from what a cut has left. */
  reset(found: number): void {
    this.tables = (this.states.get(found) ?? new Tables()).snapshot();
    this.last = this.acknowledged = found;
    this.states = new Map([[found, this.tables.snapshot()]]);
  }
}

/** Whatever can be read, compared. */
function same(contents: Contents, wanted: Tables, about: string): void {
  expect(contents.names(), about).to.deep.equal(wanted.names());
  for (const namespace of wanted.names()) {
    for (const reverse of [false, true]) {
      const scan = { namespace, reverse, bytesMax: Infinity };
      expect(contents.scan(scan), about).to.deep.equal(wanted.scan(scan));
    }
    const log = { namespace, from: 1, bytesMax: 1 << 30 };
    expect(contents.records(log), about).to.deep.equal(wanted.records(log));
    expect(contents.bounds(namespace), about).to.deep.equal(wanted.bounds(namespace));
  }
}

function markIn(contents: Contents): number {
  const found = contents.value(counter.namespace, counter.key);
  if ("code" in found) throw new Error(found.detail);
  return found.value === null ? 0 : Number(Buffer.from(found.value).toString());
}

/** What comes to its end when it is on the disk. */
interface Written {
  readonly number: number;
  readonly group: number;
}

/** One life on a directory. @returns the directory that the power cut has left */
async function live(directory: string, model: Model, draw: Draw): Promise<string> {
  const files = new CutFiles(directory, draw, 1 + draw(120));
  const options = {
    directory,
    pendingBytesMax: 1 << 20,
    checkpointBytes: 100 + draw(1500),
    reserveBytes: 64 + draw(2000),
  };
  let engine: Engine;
  try {
    engine = new Engine(files, options, () => {});
  } catch (error) {
    if (files.copy === null) throw error;
    return files.copy;
  }
  const contents = new Contents(engine);
  const waiting: Written[] = [];
  const acknowledge = (): void => {
    for (const { number, group } of waiting) {
      if (engine.isDurable(group)) model.acknowledged = Math.max(model.acknowledged, number);
    }
  };
  const views: { readonly view: number; readonly then: Tables }[] = [];
  for (let step = 0; step < 150 && files.copy === null && engine.lost === null; step++) {
    const batch = [
      ...model.fitting(fc.sample(operations, { numRuns: 1, seed: draw(1 << 30) }).flat()),
      model.mark(),
    ];
    switch (draw(8)) {
      case 0: {
        const begun = contents.beginInstall("n");
        const wanted = model.tables.beginInstall("n");
        if ("code" in begun || "code" in wanted) throw new Error("no installation");
        const entries: Entry[] = Array.from({ length: draw(4) }, () => ({
          key: Buffer.from([draw(4), draw(4)].slice(draw(2))),
          value: Buffer.from(`${draw(100)}`),
        }));
        expect(contents.stage(begun.install, entries)).to.equal(null);
        model.tables.stage(wanted.install, entries);
        if (draw(4) === 0 || contents.checkInstall(begun.install, batch) !== null) {
          contents.abortInstall(begun.install);
          model.tables.abortInstall(wanted.install);
          break;
        }
        const group = contents.commitInstall(begun.install, batch);
        model.tables.commitInstall(wanted.install, batch);
        model.took();
        waiting.push({ number: model.last, group });
        break;
      }
      case 1:
        if (views.length < 3) {
          const opened = contents.openView("n");
          if ("code" in opened) throw new Error(opened.detail);
          views.push({ view: opened.view, then: model.tables.snapshot() });
        } else contents.closeView(views.shift()?.view ?? 0);
        break;
      case 2:
        await new Promise((resolve) => setImmediate(resolve));
        break;
      case 3: {
        engine.flush();
        const { group = 0 } = waiting.at(-1) ?? {};
        await turn(() => {
          engine.flush();
          return engine.isDurable(group) || engine.lost !== null;
        });
        break;
      }
      default: {
        if (engine.check("n", batch) !== null) break;
        const group = engine.take({ namespace: "n", operations: batch, install: null });
        model.tables.apply("n", batch);
        model.took();
        waiting.push({ number: model.last, group });
      }
    }
    if (draw(3) > 0) engine.flush();
    acknowledge();
    if (engine.lost === null && draw(4) === 0) {
      same(contents, model.tables, `step ${step}`);
      for (const { view, then } of views) {
        const seen = contents.scan({ namespace: "n", view });
        expect(seen).to.deep.equal(then.scan({ namespace: "n" }));
      }
    }
  }
  const copy = files.crash();
  acknowledge();
  contents.forget();
  await new Promise<void>((resolve) => engine.close(resolve));
  return copy;
}

/** Some lives, each on what the one before has left. */
async function story(seed: number): Promise<void> {
  const draw = draws(seed + 1);
  const model = new Model();
  let directory = join(temporary(), "data");
  fs.mkdirSync(directory);
  for (let life = 0; life < 6; life++) {
    directory = await live(directory, model, draw);
    const engine = new Engine(
      hostFiles,
      { directory, pendingBytesMax: 1 << 20, checkpointBytes: 1 << 20, reserveBytes: 512 },
      () => {},
    );
    const contents = new Contents(engine);
    const found = markIn(contents);
    const about = `seed ${seed}, life ${life}`;
    expect(found, about).to.be.within(model.acknowledged, model.last);
    same(contents, model.states.get(found) ?? new Tables(), about);
    model.reset(found);
    await new Promise<void>((resolve) => engine.close(resolve));
  }
}

describe("a power cut at any call of the file system", () => {
  it(`leaves a whole prefix of the batches with all that was acknowledged, ${stories} times`, async function () {
    this.timeout(60_000 + stories * 10_000);
    const first = Number(process.env["KITH_STORAGE_CUT_SEED"] ?? 1);
    for (let seed = first; seed < first + stories; seed++) await story(seed);
  });
});
