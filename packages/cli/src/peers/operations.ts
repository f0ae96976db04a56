/** The operations of `kith txn` as they are typed: `get K`, `put K V`, `del K`, `add K N`, `expect K V`, `absent K`. */

import { textBytes } from "@kith/paxos";
import type { Operation } from "@kith/gateway";
import { cliError } from "../errors.ts";

type WithTextKey<O> = O extends Operation ? Omit<O, "key"> & { readonly key: string } : never;

/** An operation whose key is text. */
export type TextOperation = WithTextKey<Operation>;

/** Reads operations. A key has no spaces; a value is all that stands behind it. @throws KithError `KITH_CLI_ARGUMENT` */
export function parseTransaction(lines: readonly string[]): TextOperation[] {
  if (lines.length === 0) throw cliError("KITH_CLI_ARGUMENT", "The transaction has no operations.");
  return lines.map(parseLine);
}

function parseLine(line: string): TextOperation {
  const [, name = "", key = "", value] = /^\s*(\S+)\s+(\S+)(?: (.*))?$/s.exec(line) ?? [];
  const wrong = (what: string) => cliError("KITH_CLI_ARGUMENT", `"${line}" ${what}.`);
  if (key === "")
    throw wrong(
      'is no operation such as "get K", "put K V", "del K", "add K N", "expect K V", "absent K"',
    );
  const needs = ["put", "add", "expect"].includes(name);
  if (needs && value === undefined) throw wrong("lacks a value");
  if (!needs && value !== undefined && value.trim() !== "")
    throw wrong(`says more than ${name} can take`);
  if (name === "get") return { kind: "get", key };
  if (name === "del") return { kind: "delete", key };
  if (name === "absent") return { kind: "expect", key, value: null };
  if (name === "put") return { kind: "put", key, value: textBytes(value ?? ""), expiresIn: null };
  if (name === "expect") return { kind: "expect", key, value: textBytes(value ?? "") };
  if (name !== "add") throw wrong(`begins with no operation: ${name}`);
  const by = (value ?? "").trim();
  if (!/^-?\d{1,19}$/.test(by)) throw wrong("adds no whole number");
  return { kind: "add", key, by: BigInt(by) };
}
