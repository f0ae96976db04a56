/** Why peers cannot be reached, read from what the network complains of: those who call have to hear why they are refused. */

import type { LogRecord } from "@kith/core";

/** The codes by which a process refuses another one (`packages/network`, farewell.ts). */
const refusedBy: ReadonlyMap<unknown, string> = new Map([
  [4103, "its cluster has another name"],
  [4104, "its secret is another one"],
]);

/** Collects reasons. */
export class Reasons {
  readonly #peers: readonly string[];
  readonly #reasons = new Map<string, string>();

  /** @param peers whom this process calls, `host:port` */
  constructor(peers: readonly string[]) {
    this.#peers = peers;
  }

  /** Looks at a record. @returns a peer that has refused this process for what it is, and why; null where it is not about that */
  note({ path, text, data }: LogRecord): { readonly peer: string; readonly why: string } | null {
    if (!path.endsWith("/Network")) return null;
    // Of its own calls only: strangers who call here are another matter.
    const peer = this.#peers.find((address) => text.startsWith(`a call to ${address} `));
    if (peer === undefined) return null;
    const code = typeof data === "object" && data !== null && "code" in data ? data.code : 0;
    const why = refusedBy.get(code);
    this.#reasons.set(peer, why ?? text.replace(`a call to ${peer} `, ""));
    return why === undefined ? null : { peer, why };
  }

  /** All of them in one sentence without an end. */
  text(): string {
    return this.#peers
      .map((peer) => `${peer}: ${this.#reasons.get(peer) ?? "no answer"}`)
      .join("; ");
  }
}
