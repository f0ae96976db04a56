/** What of the command line says who belongs to the cluster, and who may use it: secret, certificates, password. */

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

/** Reads them. @throws KithError `KITH_CLI_ARGUMENT`, `KITH_CLI_FILE` */
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
            cert: textOfFile(tlsCert, "The certificate"),
            key: textOfFile(tlsKey, "The key"),
            ...(tlsCa === undefined ? {} : { ca: textOfFile(tlsCa, "The authority") }),
          },
        };
  return {
    ...(cluster === undefined ? {} : { cluster }),
    ...(secret === undefined ? {} : { secret }),
    ...tls,
  };
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
