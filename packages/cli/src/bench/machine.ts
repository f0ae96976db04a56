/** What figures are about: the version or the commit that was measured, what stood beside it, and the machine. */

import { readFileSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { commitOf, machine } from "../page.ts";
import { etcdVersion, redisVersion } from "./servers.ts";

/** All of it, as text. */
export interface About {
  readonly kith: string;
  readonly machine: string;
  /** Where all servers write. */
  readonly medium: string;
  readonly peers: readonly string[];
}

/** Asks for it. Ask before a long run: it is about what is run. */
export function about(): About {
  const redis = redisVersion();
  const etcd = etcdVersion();
  return {
    kith: kith(),
    machine: machine(),
    medium: medium(),
    peers: [
      ...(redis === null ? [] : [`redis-server ${redis}`]),
      ...(etcd === null ? [] : [`etcd ${etcd.replace(/^etcd Version: /, "")}`]),
    ],
  };
}

function kith(): string {
  if (import.meta.url.endsWith(".ts")) {
    try {
      return `commit ${commitOf(fileURLToPath(new URL("../../../..", import.meta.url)))}`;
    } catch {
      // A copy of the sources without their history.
    }
  }
  try {
    const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    return `version ${/"version": "([^"]+)"/.exec(text)?.[1] ?? "unknown"}`;
  } catch {
    return "version unknown";
  }
}

const fileSystems: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x01021994: "tmpfs, which is memory: nothing here is ever flushed to a disk",
  0x794c7630: "overlayfs",
};

function medium(): string {
  const { type } = statfsSync(tmpdir());
  return fileSystems[type] ?? `a file system of type ${type.toString(16)}`;
}
