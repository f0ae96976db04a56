/** What of the command line says who belongs to the cluster, and who may use it: secret, certificates, password. */

import { certificateProblem, type ServerCertificate } from "@kith/gateway";
import { textOfFile } from "../arguments.ts";
import { cliError } from "../errors.ts";

/** Those options, as they are given. */
export interface SecurityOptions {
  readonly cluster?: string;
  readonly secret?: string;
  readonly secretFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
}

/** What they come to. */
export interface Security {
  readonly cluster?: string;
  readonly secret?: string;
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads them. @throws KithError `KITH_CLI_ARGUMENT`, `KITH_CLI_FILE`, `KITH_CLI_CERTIFICATE` */
export function readSecurity(
  options: SecurityOptions,
  environment: Environment = process.env,
): Security {
  const { cluster, tlsCert, tlsKey, tlsCa } = options;
  const secret = secretOf(options, environment);
  if ((tlsCert === undefined) !== (tlsKey === undefined) || (tlsCa !== undefined && !tlsCert))
    throw cliError("KITH_CLI_ARGUMENT", "--tls-cert and --tls-key are given together.");
  const tls =
    tlsCert === undefined || tlsKey === undefined
      ? {}
      : {
          tls: {
            ...certificateOf(tlsCert, tlsKey),
            ...(tlsCa === undefined ? {} : { ca: authorityOf(tlsCa) }),
          },
        };
  return {
    ...(cluster === undefined ? {} : { cluster }),
    ...(secret === undefined ? {} : { secret }),
    ...tls,
  };
}

/**
 * What Redis and HTTP show their clients, where they are to speak TLS.
 *
 * @throws KithError `KITH_CLI_ARGUMENT`, `KITH_CLI_FILE`, `KITH_CLI_CERTIFICATE`
 */
export function readClientsTls({
  clientsTlsCert: cert,
  clientsTlsKey: key,
}: {
  readonly clientsTlsCert?: string;
  readonly clientsTlsKey?: string;
}): ServerCertificate | undefined {
  if ((cert === undefined) !== (key === undefined))
    throw cliError(
      "KITH_CLI_ARGUMENT",
      "--clients-tls-cert and --clients-tls-key are given together.",
    );
  return cert === undefined || key === undefined ? undefined : certificateOf(cert, key);
}

function authorityOf(file: string): string {
  const ca = textOfFile(file, "The authority");
  if (!ca.includes("-----BEGIN CERTIFICATE-----"))
    throw cliError("KITH_CLI_CERTIFICATE", `${file} is no PEM text with BEGIN CERTIFICATE.`);
  return ca;
}

function certificateOf(certFile: string, keyFile: string): ServerCertificate {
  const certificate = {
    cert: textOfFile(certFile, "The certificate"),
    key: textOfFile(keyFile, "The key"),
  };
  const problem = certificateProblem(certificate, Date.now());
  if (problem !== null)
    throw cliError("KITH_CLI_CERTIFICATE", `${certFile} with ${keyFile}: ${problem}`);
  return certificate;
}

/** The password of clients, from `--password-file` or the environment. @throws KithError `KITH_CLI_FILE` */
export function readPassword(
  file: string | undefined,
  environment: Environment = process.env,
): string | undefined {
  return file === undefined
    ? said("KITH_PASSWORD", environment)
    : firstLine(textOfFile(file, "The file with the password"), file);
}

function secretOf(
  { secret, secretFile }: SecurityOptions,
  environment: Environment,
): string | undefined {
  if (secret !== undefined && secretFile !== undefined)
    throw cliError("KITH_CLI_ARGUMENT", "Give --secret-file or --secret, not both.");
  if (secretFile !== undefined)
    return firstLine(textOfFile(secretFile, "The file with the secret"), secretFile);
  if (secret === "") throw cliError("KITH_CLI_ARGUMENT", "--secret is empty.");
  return secret ?? said("KITH_SECRET", environment);
}

/** What the environment says. What is there and empty was meant to be something: it must not open a door. */
function said(name: string, environment: Environment): string | undefined {
  const value = environment[name];
  if (value === "")
    throw cliError("KITH_CLI_ARGUMENT", `${name} is set in the environment, and empty.`);
  return value;
}

/** Editors put an end behind the line, which is no part of it. */
function firstLine(text: string, file: string): string {
  const line = text.split(/\r?\n/)[0] ?? "";
  if (line === "") throw cliError("KITH_CLI_FILE", `The first line of ${file} is empty.`);
  return line;
}
