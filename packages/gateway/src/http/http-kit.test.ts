/** An HTTP server on a store of one member, with a monitor that says what it is told. */

import { Component, run, type System } from "@kith/core";
import { bindAddress, real } from "@kith/node";
import { AskHere, AskView, ClusterView, HereView, Monitor, type ProcessReport } from "@kith/peer";
import { Founding, FoundStore, type KnownGroup, StoreMember } from "@kith/store";
import { Listener, Listening } from "../listening.ts";
import { HttpServer, type HttpServerInit } from "./http-server.ts";

/** A report of a process of one peer. */
export function reportOf(peerId: number, port: number): ProcessReport {
  const peer = { peerId, host: "127.0.0.1", port, incarnation: 1 };
  return {
    process: peer,
    clusterId: "00112233445566778899aabbccddeeff",
    disk: "d",
    connections: 2,
    phase: "ready",
    detail: "",
    peers: [
      {
        peer,
        state: "up",
        reason: "",
        ring: "in",
        predecessor: null,
        successors: [],
        groups: [
          {
            gid: `g${peerId}`,
            lo: peerId === 1 ? "" : "\u0080",
            hi: peerId === 1 ? "\u0080" : null,
            epoch: 1,
            role: "leader",
            term: 1,
            leader: peerId,
            members: [peerId],
            applied: 3,
            commit: 3,
            halted: null,
          },
        ],
        counters: { done: 5, notDone: 1, unknown: 0, open: 0, restarts: 0 },
      },
    ],
  };
}

class StillMonitor extends Component {
  readonly monitor = this.provides(Monitor);
  constructor({ reports }: { readonly reports: readonly ProcessReport[] }) {
    super();
    const [here] = reports;
    if (here === undefined) throw new Error("no report");
    this.monitor.on(AskHere, (_, token) => this.monitor.reply(token, new HereView({ here })));
    this.monitor.on(AskView, (_, token) => {
      const processes = reports.map((report, i) => ({ ...report, silent: i === 2 }));
      this.monitor.reply(token, new ClusterView({ here, processes, complete: true }));
    });
  }
}

interface KitInit {
  readonly groups: readonly KnownGroup[];
  readonly http: Omit<HttpServerInit, "host" | "port">;
  readonly reports: readonly ProcessReport[];
}

/** The main component. */
export class HttpKit extends Component {
  readonly founding = this.requires(Founding);
  readonly listener = this.requires(Listener);
  readonly member;
  port = 0;
  readonly #found = this.founding.onAnswer(FoundStore, () => undefined);

  constructor({ groups, http, reports }: KitInit) {
    super();
    this.member = this.create(StoreMember, { groups });
    const server = this.create(HttpServer, { host: "127.0.0.1", port: 0, ...http });
    const monitor = this.create(StillMonitor, { reports });
    this.connect(this.member.ports.founding, this.founding);
    this.connect(this.member.ports.store, server.ports.store);
    this.connect(monitor.ports.monitor, server.ports.monitor);
    this.connect(server.ports.listener, this.listener);
    this.listener.on(Listening, ({ port }) => {
      this.port = port;
    });
    this.onStart(() => this.#found(new FoundStore({ groups, ordered: false })));
  }
}

/** A server that runs. */
export interface Served {
  readonly system: System<HttpKit>;
  readonly port: number;
  readonly url: string;
}

/** Starts one, and waits until it is ready; with TLS, until it listens. */
export async function serve(
  http: KitInit["http"] = {},
  reports: readonly ProcessReport[] = [reportOf(1, 7000), reportOf(2, 7001), reportOf(3, 7002)],
): Promise<Served> {
  const { host, port } = await bindAddress();
  const world = real({ listen: { host, port }, peerId: 1, log: () => undefined });
  const members = [{ peerId: 1, host, port }];
  const groups: KnownGroup[] = [
    { descriptor: { gid: "a", epoch: 1, lo: "", hi: "\u0080" }, members },
    { descriptor: { gid: "b", epoch: 1, lo: "\u0080", hi: null }, members },
  ];
  const system = await run(HttpKit, { groups, http, reports }, world);
  const at = await until(() => (system.instance.port === 0 ? null : system.instance.port));
  const url = `http${http.tls === undefined ? "" : "s"}://127.0.0.1:${at}`;
  // What trusts its certificate is the business of the test.
  if (http.tls !== undefined) return { system, port: at, url };
  const authorization = `Bearer ${Buffer.from(http.password ?? "").toString("latin1")}`;
  await until(async () => {
    // Where few connections are allowed, the one before may not have gone yet.
    const ready = await fetch(`${url}/ready`, { headers: { authorization } }).catch(() => null);
    return ready?.status === 200 ? true : null;
  });
  return { system, port: at, url };
}

/** Waits until something is there. */
export async function until<T>(look: () => T | null | Promise<T | null>): Promise<T> {
  const end = performance.now() + 30_000;
  for (;;) {
    const seen = await look();
    if (seen !== null) return seen;
    if (performance.now() > end) throw new Error("It did not come within 30 s.");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
