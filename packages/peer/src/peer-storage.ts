/**
 * The Storage as one virtual peer sees it: namespaces of its own, in the storage that all peers of the process share.
 *
 * It puts the peer's identity before every name, and shows no other names. Order, flushes and bounds are those of the shared
 * storage: what several peers write in one turn is flushed together.
 */

import { AskTimeout, Component, type ReplyToken } from "@kith/core";
import { parsePeer, self } from "@kith/network";
import {
  AbortInstall,
  BeginInstall,
  CloseView,
  CommitInstall,
  InstallChunk,
  ListNamespaces,
  Namespaces,
  OpenView,
  type Operation,
  ReadBounds,
  ReadKey,
  ReadLog,
  Scan,
  Storage,
  type StorageAnswer,
  StorageLost,
  Write,
} from "@kith/storage";

type Token = ReplyToken<StorageAnswer>;

const namesMax = 4096;

/** What the names of a peer's namespaces begin with. */
export function namespacesOf(peerId: number): string {
  return `${peerId}/`;
}

/** Provides Storage to what is below one virtual peer. */
export class PeerStorage extends Component {
  readonly storage = this.provides(Storage);
  readonly shared = this.requires(Storage);
  /** The own names as they were made once, by those without the prefix: they are looked up at each write. */
  readonly #names = new Map<string, string>();
  readonly #prefix = namespacesOf(parsePeer(this.setting(self)).peerId);

  constructor() {
    super();
    const { storage, shared } = this;
    const back = (answer: StorageAnswer | AskTimeout, _: unknown, context: Token): void => {
      if (!(answer instanceof AskTimeout)) storage.reply(context, answer);
    };
    const write = shared.onAnswer(Write, back);
    const readBounds = shared.onAnswer(ReadBounds, back);
    const readLog = shared.onAnswer(ReadLog, back);
    const readKey = shared.onAnswer(ReadKey, back);
    const scan = shared.onAnswer(Scan, back);
    const openView = shared.onAnswer(OpenView, back);
    const beginInstall = shared.onAnswer(BeginInstall, back);
    const installChunk = shared.onAnswer(InstallChunk, back);
    const commitInstall = shared.onAnswer(CommitInstall, back);
    const list = shared.onAnswer(ListNamespaces, (answer, _, context: Token) => {
      if (answer instanceof Namespaces) {
        const own = answer.names.filter((name) => name.startsWith(this.#prefix));
        const names = own.map((name) => name.slice(this.#prefix.length));
        storage.reply(context, new Namespaces({ names }));
      } else if (!(answer instanceof AskTimeout)) storage.reply(context, answer);
    });
    storage.on(Write, ({ namespace, operations, flush = true }, context) => {
      const own = { namespace: this.#name(namespace), operations: this.#all(operations), flush };
      write(new Write(own), { context });
    });
    storage.on(ReadBounds, (ask, context) =>
      readBounds(new ReadBounds(this.#own(ask)), { context }),
    );
    storage.on(ReadLog, (ask, context) => readLog(new ReadLog(this.#own(ask)), { context }));
    storage.on(ReadKey, (ask, context) => readKey(new ReadKey(this.#own(ask)), { context }));
    storage.on(Scan, (ask, context) => scan(new Scan(this.#own(ask)), { context }));
    storage.on(OpenView, (ask, context) => openView(new OpenView(this.#own(ask)), { context }));
    storage.on(BeginInstall, (ask, context) =>
      beginInstall(new BeginInstall(this.#own(ask)), { context }),
    );
    storage.on(InstallChunk, (ask, context) => installChunk(ask, { context }));
    storage.on(CommitInstall, ({ install, operations }, context) =>
      commitInstall(new CommitInstall({ install, operations: this.#all(operations) }), { context }),
    );
    storage.on(ListNamespaces, (ask, context) => list(ask, { context }));
    storage.on(CloseView, (ask) => shared.trigger(ask));
    storage.on(AbortInstall, (ask) => shared.trigger(ask));
    shared.on(StorageLost, (lost) => storage.trigger(lost));
  }

  #own<T extends { readonly namespace: string }>(ask: T): T {
    return { ...ask, namespace: this.#name(ask.namespace) };
  }

  #all(operations: readonly Operation[]): Operation[] {
    return operations.map((one) =>
      one.namespace === undefined ? one : { ...one, namespace: this.#name(one.namespace) },
    );
  }

  #name(namespace: string): string {
    let name = this.#names.get(namespace);
    if (name !== undefined) return name;
    if (this.#names.size >= namesMax) this.#names.clear();
    name = this.#prefix + namespace;
    this.#names.set(namespace, name);
    return name;
  }
}
