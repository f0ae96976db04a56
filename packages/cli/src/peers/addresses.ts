/** Lists of addresses on the command line. */

import { place } from "../arguments.ts";
import type { Place } from "./peer-process.ts";

/** `host:port,…`; a port alone is one of loopback. @throws KithError `KITH_CLI_ARGUMENT` */
export function addressesOf(text: string, what: string): string[] {
  return text
    .split(",")
    .filter((one) => one.trim() !== "")
    .map((one) => addressText(place(one.trim(), what)));
}

/** `host:port`, with brackets around an address of IPv6. */
export function addressText({ host, port }: Place): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
