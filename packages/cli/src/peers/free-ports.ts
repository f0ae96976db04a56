/** Ports that servers are to listen on: looked at before anything is started, so that a taken one is told at once and by its name. */

import { createServer } from "node:net";
import { cliError } from "../errors.ts";
import type { Place } from "./peer-process.ts";

/** A place, and what it is wanted for: `the Redis port of peer 2`. */
export interface Wanted {
  readonly at: Place;
  readonly what: string;
  /** The option that names it. */
  readonly option: string;
}

/** Sees to it that all of them are free. @throws KithError `KITH_CLI_PORT` */
export async function checkFree(wanted: readonly Wanted[]): Promise<void> {
  for (const { at, what, option } of wanted) {
    const error = await problemOf(at);
    if (error === null) continue;
    const { host, port } = at;
    const why =
      error.code === "EADDRINUSE"
        ? `is taken by another program`
        : error.code === "EACCES"
          ? "may be used by the administrator only"
          : error.code === "EADDRNOTAVAIL"
            ? "is no address of this machine"
            : `cannot be used (${error.message})`;
    throw cliError(
      "KITH_CLI_PORT",
      `${host}:${port}, ${what}, ${why}; ${option} chooses another one.`,
      error,
    );
  }
}

/** The first port from `first` on with `count` free ones from there; null where there is none near. */
export async function freePorts(
  host: string,
  first: number,
  count: number,
): Promise<number | null> {
  if (first === 0) return 0;
  for (let port = first; port < first + 1000 && port + count <= 65_536; port += 10) {
    let isFree = true;
    for (let i = 0; i < count && isFree; i++)
      isFree = (await problemOf({ host, port: port + i })) === null;
    if (isFree) return port;
  }
  return null;
}

function problemOf({ host, port }: Place): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error) => resolve(error));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
