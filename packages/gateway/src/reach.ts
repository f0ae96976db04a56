/** Who can reach a server: beyond loopback that is everybody on the network, and a password is needed. */

import { gatewayError } from "./errors.ts";

/**
 * Sees to it that a server is not open to everybody.
 *
 * @param what what listens, for the error: "The Redis port"
 * @throws KithError `KITH_GATEWAY_PASSWORD`
 */
export function checkReach(what: string, host: string, password: string | undefined): void {
  const isLoopback = host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
  if (isLoopback || (password ?? "") !== "") return;
  throw gatewayError(
    "KITH_GATEWAY_PASSWORD",
    `${what} would listen on ${host}, for everybody, without a password.`,
  );
}
