/** A store that answers what a test says, and a client on it. */

import { Component, type Event, type ReplyToken, run } from "@kith/core";
import { real } from "@kith/node";
import {
  Apply,
  Busy,
  type Changes,
  Commit,
  Delete,
  Get,
  Put,
  Read,
  type Resync,
  Scan,
  Store,
  type StoreAnswer,
  Unwatch,
  Watch,
  type WatchRefused,
} from "@kith/store";
import { Client } from "./client.ts";
import { text } from "./codec.ts";
import { endWith } from "./connect.ts";
import { type StoreRequest, StoreUser } from "./user.ts";

/** What the store says to a request; null: nothing. */
export type Script = (request: StoreRequest) => StoreAnswer | null;

class FakeStore extends Component {
  readonly store = this.provides(Store);

  constructor() {
    super();
    this.store.on(Get, (ask, token) => this.#say(ask, token));
    this.store.on(Put, (ask, token) => this.#say(ask, token));
    this.store.on(Delete, (ask, token) => this.#say(ask, token));
    this.store.on(Apply, (ask, token) => this.#say(ask, token));
    this.store.on(Read, (ask, token) => this.#say(ask, token));
    this.store.on(Commit, (ask, token) => this.#say(ask, token));
    this.store.on(Scan, (ask, token) => this.#say(ask, token));
    this.store.on(Watch, (watch) => {
      Main.watches.push(watch);
      for (const told of Main.onWatch(watch)) this.store.trigger(told);
    });
    this.store.on(Unwatch, ({ watch }) => void Main.unwatched.push(watch));
    Main.tell = (told) => this.enter(() => this.store.trigger(told));
  }

  #say(request: StoreRequest, token: ReplyToken<StoreAnswer>): void {
    Main.asked.push(request);
    const answer = Main.script(request);
    if (answer !== null) this.store.reply(token, answer);
  }
}

class Main extends StoreUser {
  static script: Script = () => new Busy();
  static onWatch: (watch: Watch) => readonly (Changes | Resync | WatchRefused)[] = () => [];
  static asked: Event[] = [];
  static watches: Watch[] = [];
  static unwatched: string[] = [];
  static tell: (told: Changes | Resync | WatchRefused) => void = () => undefined;
  readonly fake = this.create(FakeStore, {}, { name: "fake" });

  constructor() {
    super();
    this.connect(this.fake.ports.store, this.store);
  }
}

/** A client whose store answers what the script says, and what that was asked. */
export interface FakeClient {
  readonly client: Client;
  readonly asked: readonly Event[];
  readonly watches: readonly Watch[];
  readonly unwatched: readonly string[];
  /** What ends with the client. */
  readonly ends: ReadonlySet<unknown>;
  /** Says something to a watch. */
  readonly tell: (told: Changes | Resync | WatchRefused) => void;
  /** What is said at the beginning of a watch. */
  onWatch: (watch: Watch) => readonly (Changes | Resync | WatchRefused)[];
}

/** Makes one; close the client afterwards. */
export async function fakeClient(script: Script): Promise<FakeClient> {
  Main.script = script;
  Main.asked = [];
  Main.watches = [];
  Main.unwatched = [];
  Main.onWatch = () => [];
  const system = await run(Main, {}, real({ log: () => undefined }));
  const ends = new Set<{ end: () => void }>();
  const parts = { user: system.instance, codec: text, end: () => system.stop() };
  const client = new Client(parts, ends);
  endWith((error) => client.failed(error), system);
  return {
    client,
    asked: Main.asked,
    watches: Main.watches,
    unwatched: Main.unwatched,
    ends,
    tell: (told) => Main.tell(told),
    set onWatch(said: (watch: Watch) => readonly (Changes | Resync | WatchRefused)[]) {
      Main.onWatch = said;
    },
    get onWatch() {
      return Main.onWatch;
    },
  };
}
