/**
 * A disk as one life of a node has mounted it: the state that reads see, views, and what is staged.
 *
 * It is in memory, so a crash takes it all; it stands beside the provider and not in it, so a swap of
 * the provider has nothing of it to carry. All of it is immutable values in maps: saving it is cheap.
 */

import type { InstallChunk } from "@kith/storage";
import { copyBytes, keyBytesMax, valueBytesMax } from "./bytes.ts";
import { failed, type Failure, type FailureCode, type Result } from "./results.ts";
import {
  emptyNamespace,
  type Keys,
  misnamed,
  type Namespace,
  type Operation,
  refused,
  type Tables,
} from "./tables.ts";

/** Why a storage is dead. */
export interface Loss {
  readonly code: FailureCode;
  readonly detail: string;
}

interface View {
  readonly namespace: string;
  readonly state: Namespace;
}

interface Install {
  readonly namespace: string;
  readonly staged: Keys;
}

/** What a checkpoint keeps of a volume: references to values that nobody changes. */
export interface SavedVolume {
  readonly life: number;
  readonly tables: Tables;
  readonly lost: Loss | null;
  readonly told: boolean;
  readonly views: ReadonlyMap<number, View>;
  readonly installs: ReadonlyMap<number, Install>;
}

/** A mounted disk. */
export class Volume {
  /** The number of the life that mounted it. */
  readonly life: number;
  /** What reads see: everything that was written, flushed or not. */
  tables: Tables;
  /** Why nothing can be asked of it any more. */
  lost: Loss | null = null;
  /** Whether the users were told so. */
  told = false;
  readonly #views: Map<number, View>;
  readonly #installs: Map<number, Install>;

  constructor(saved: Pick<SavedVolume, "life" | "tables"> & Partial<SavedVolume>) {
    this.life = saved.life;
    this.tables = saved.tables;
    this.lost = saved.lost ?? null;
    this.told = saved.told ?? false;
    this.#views = new Map(saved.views);
    this.#installs = new Map(saved.installs);
  }

  /** How many views are open. */
  get views(): number {
    return this.#views.size;
  }

  /** How many installations are under way. */
  get installs(): number {
    return this.#installs.size;
  }

  /** How many bytes are staged. */
  get staged(): number {
    let bytes = 0;
    for (const { staged } of this.#installs.values()) bytes += staged.weight;
    return bytes;
  }

  /** The namespace to read from: the present one, or that of a view. */
  source(namespace: string, view: number | undefined): Namespace | Failure {
    const wrong = misnamed(namespace);
    if (wrong !== undefined) return wrong;
    if (view === undefined) return this.tables.namespace(namespace);
    const open = this.#views.get(view);
    if (open === undefined) return failed("KITH_STORAGE_VIEW", `View ${view} is not open.`);
    if (open.namespace === namespace) return open.state;
    return refused(`View ${view} is one of ${open.namespace}, not of ${namespace}.`);
  }

  /** How many bytes one installation has staged. */
  stagedOf(install: number): number {
    return this.#installs.get(install)?.staged.weight ?? 0;
  }

  /** Opens a view under a number that was never used. */
  openView(view: number, namespace: string): Result {
    const state = this.source(namespace, undefined);
    if ("kind" in state) return state;
    this.#views.set(view, { namespace, state });
    return { kind: "view", view };
  }

  /** Closes a view; harmless where it is not open. */
  closeView(view: number): void {
    this.#views.delete(view);
  }

  /** Whether an installation of a namespace is under way, which a new one would replace. */
  isInstalling(namespace: string): boolean {
    return this.#installOf(namespace) !== undefined;
  }

  /** Begins an installation under a number that was never used. */
  beginInstall(install: number, namespace: string): Result {
    const wrong = misnamed(namespace);
    if (wrong !== undefined) return wrong;
    const earlier = this.#installOf(namespace);
    if (earlier !== undefined) this.#installs.delete(earlier);
    this.#installs.set(install, { namespace, staged: emptyNamespace.keys });
    return { kind: "install", install };
  }

  /** What is staged after a chunk, to be taken with `stage`. */
  withChunk({ install, entries }: InstallChunk): Keys | Failure {
    const begun = this.#installs.get(install);
    if (begun === undefined) return unknownInstall(install);
    let { staged } = begun;
    for (const { key, value } of entries) {
      const fits = key.length <= keyBytesMax && value.length <= valueBytesMax;
      if (!fits) return refused(`An entry for installation ${install} is too long.`);
      staged = staged.set(copyBytes(key), copyBytes(value));
    }
    return staged;
  }

  /** Takes what was staged. */
  stage(install: number, staged: Keys): Result {
    const begun = this.#installs.get(install);
    if (begun === undefined) return unknownInstall(install);
    this.#installs.set(install, { namespace: begun.namespace, staged });
    return { kind: "chunk" };
  }

  /** The batch that an installation comes down to. */
  installed(
    install: number,
    operations: readonly Operation[],
  ): { readonly namespace: string; readonly operations: readonly Operation[] } | Failure {
    const begun = this.#installs.get(install);
    if (begun === undefined) return unknownInstall(install);
    const batch: Operation[] = [{ kind: "delete-range" }];
    begun.staged.visit({}, false, (key, value) => batch.push({ kind: "put", key, value }) > 0);
    for (const operation of operations) batch.push(operation);
    return { namespace: begun.namespace, operations: batch };
  }

  /** Forgets an installation; harmless where it is not under way. */
  abortInstall(install: number): void {
    this.#installs.delete(install);
  }

  /** Forgets views and installations: the provider that knew of them is gone. */
  forget(): void {
    this.#views.clear();
    this.#installs.clear();
  }

  /** The state, for checkpoints. */
  save(): SavedVolume {
    const { life, tables, lost, told } = this;
    return {
      life,
      tables,
      lost,
      told,
      views: new Map(this.#views),
      installs: new Map(this.#installs),
    };
  }

  #installOf(namespace: string): number | undefined {
    for (const [install, begun] of this.#installs) {
      if (begun.namespace === namespace) return install;
    }
    return undefined;
  }
}

function unknownInstall(install: number): Failure {
  return failed("KITH_STORAGE_INSTALL", `Installation ${install} is not under way.`);
}
