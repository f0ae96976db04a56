/** Registers, as a machine of a group: each key has a number or nothing, and remembers nothing else. */

import { bytesText, type Machine, textBytes, utf8Key, withSessions } from "../src/index.ts";

/** What is asked of a register: plain data, the same as text. */
export type RegisterOperation =
  | { readonly op: "write"; readonly key: string; readonly value: number }
  | { readonly op: "cas"; readonly key: string; readonly from: number; readonly to: number }
  | { readonly op: "read"; readonly key: string };

/** An operation as bytes. */
export function operationBytes(operation: RegisterOperation): Uint8Array {
  const { op, key } = operation;
  const numbers =
    op === "write" ? [operation.value] : op === "cas" ? [operation.from, operation.to] : [];
  return textBytes([op, key, ...numbers].join(" "));
}

/** The registers, with sessions around them: a command that is proposed twice is done once. */
export const registers: Machine = withSessions({
  versions: [1],
  apply({ command, table }) {
    const [op = "", key = "", first = "", second = ""] = bytesText(command).split(" ");
    const now = bytesText(table.get(utf8Key(key)) ?? textBytes("none"));
    if (op === "cas" && now !== first) return textBytes(`refused ${now}`);
    table.put(utf8Key(key), textBytes(op === "cas" ? second : first));
    // Something that a snapshot needs several parts for; it comes and goes, and what is done depends on whether it is there.
    const padding = utf8Key(`padding ${key}`);
    if (table.get(padding) === undefined) table.put(padding, new Uint8Array(200));
    else table.delete(padding);
    return textBytes("done");
  },
  query({ query, table }) {
    const [, key = ""] = bytesText(query).split(" ");
    return table.get(utf8Key(key)) ?? textBytes("none");
  },
});
