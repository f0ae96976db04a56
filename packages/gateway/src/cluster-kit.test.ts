/** A store of three members, each with a Redis port, in one process: on real sockets, and in memory. */

import { Component, run, type System } from "@kith/core";
import { bindAddress, type BoundAddress, real } from "@kith/node";
import { Founding, FoundStore, type KnownGroup, StoreMember } from "@kith/store";
import { RedisGateway } from "./gateway.ts";
import { bounds } from "./kit.test.ts";
import { Listener, Listening } from "./listening.ts";

// A busy machine must not make an error of what only takes longer.
const patient = { withinMs: 100_000 };

/** A member of all groups, with a Redis port. */
class Peer extends Component {
  readonly founding = this.requires(Founding);
  readonly listener = this.requires(Listener);
  readonly #found = this.founding.onAnswer(FoundStore, () => undefined);
  listening: ((port: number) => void) | null = null;
  port = 0;

  constructor({ groups }: { readonly groups: readonly KnownGroup[] }) {
    super();
    const member = this.create(StoreMember, { groups });
    const redis = this.create(RedisGateway, { port: 0, limits: patient });
    this.connect(member.ports.founding, this.founding);
    this.connect(member.ports.store, redis.ports.store);
    this.connect(redis.ports.listener, this.listener);
    this.listener.on(Listening, ({ port }) => {
      this.port = port;
      this.listening?.(port);
    });
    this.onStart(() => this.#found(new FoundStore({ groups, ordered: false })));
  }
}

/** Three members that serve. */
export interface Cluster {
  /** The ports where clients of Redis may call. */
  readonly ports: readonly number[];
  /** Ends a member, and what it had open. */
  readonly stop: (index: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Starts three members. */
export async function cluster(): Promise<Cluster> {
  const bound: BoundAddress[] = [];
  for (let i = 0; i < 3; i++) bound.push(await bindAddress());
  const members = bound.map(({ host, port }, i) => ({ peerId: i + 1, host, port }));
  const groups = bounds.map((lo, i) => ({
    descriptor: { gid: `g${i}`, epoch: 1, lo, hi: bounds[i + 1] ?? null },
    members,
  }));
  const systems: (System<Peer> | undefined)[] = await Promise.all(
    members.map(({ host, port, peerId }) =>
      run(
        Peer,
        { groups },
        real({
          listen: { host, port },
          peerId,

          log: () => undefined,
        }),
      ),
    ),
  );
  const ports = await Promise.all(
    systems.map(
      (system) =>
        new Promise<number>((resolve) => {
          if (system === undefined) return;
          if (system.instance.port > 0) resolve(system.instance.port);
          system.instance.listening = resolve;
        }),
    ),
  );
  const stop = async (index: number): Promise<void> => {
    await systems[index]?.stop();
    systems[index] = undefined;
  };
  return {
    ports,
    stop,
    close: async () => {
      for (const at of bound) at.close();
      await Promise.all(systems.map((_, index) => stop(index)));
    },
  };
}
