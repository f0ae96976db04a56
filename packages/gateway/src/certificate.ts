/**
 * The certificate by which a server for clients shows who it is: looked at before anything listens, so that a wrong one is told at
 * once, and by what is wrong with it. A client would only see a connection that ends.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { gatewayError } from "./errors.ts";

/** A certificate and its key, in PEM. Plain data. */
export interface ServerCertificate {
  /** The certificate, and behind it those of the authorities between it and one that clients trust. */
  readonly cert: string;
  readonly key: string;
}

/** How long a client may take until both sides speak TLS, in milliseconds. */
export const handshakeMs = 5000;

/** What is wrong with a certificate, as a sentence; null where nothing is. @param wall the time of the calendar */
export function certificateProblem({ cert, key }: ServerCertificate, wall: number): string | null {
  const certificate = parsed(() => new X509Certificate(cert));
  if (certificate === null) return "The certificate is no PEM text with BEGIN CERTIFICATE.";
  const secret = parsed(() => createPrivateKey(key));
  if (secret === null)
    return "The key is no PEM text with BEGIN PRIVATE KEY, or is protected by a password.";
  if (!certificate.checkPrivateKey(secret)) return "The key is not that of the certificate.";
  const { validFrom, validTo } = certificate;
  if (wall > Date.parse(validTo)) return `The certificate has expired: ${validTo}.`;
  if (wall < Date.parse(validFrom)) return `The certificate is not valid before ${validFrom}.`;
  return null;
}

/** Sees to it that a certificate can be used. @throws KithError `KITH_GATEWAY_CERTIFICATE` */
export function checkCertificate(certificate: ServerCertificate, wall: number): void {
  const problem = certificateProblem(certificate, wall);
  if (problem !== null) throw gatewayError("KITH_GATEWAY_CERTIFICATE", problem);
}

function parsed<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch {
    return null;
  }
}
