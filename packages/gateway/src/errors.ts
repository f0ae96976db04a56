/**
 * Every error of this package that is not a reply to a client: a stable code, and what to do next. Codes are part of
 * the public contract; texts may change.
 */

import { KithError } from "@kith/core";

const nextSteps = {
  KITH_GATEWAY_ARGUMENT: "Pass what the documentation of the setting asks for.",
  KITH_GATEWAY_CERTIFICATE:
    "Give it a certificate in PEM that is valid now, and its own key without a password.",
  KITH_GATEWAY_LISTEN:
    "Choose another port, or 0 for any that is free, or end the program that has this one; the host has to be an address of this machine.",
  KITH_GATEWAY_PASSWORD:
    "Give it a password, or let it listen on a loopback address, where only this machine can call.",
} as const;

/** The codes of the errors of `@kith/gateway`. */
export type GatewayErrorCode = keyof typeof nextSteps;

/** Builds this package's error of the given code; `what` is a sentence that names the culprit. */
export function gatewayError(code: GatewayErrorCode, what: string, cause?: unknown): KithError {
  return new KithError(code, what, nextSteps[code], cause === undefined ? undefined : { cause });
}
