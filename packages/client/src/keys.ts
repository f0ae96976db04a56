/** Keys: ordinary code names them by text, the store by bytes. */

import { bytesText, octetBytes, octetsOf, textBytes } from "@kith/paxos";
import { type Key, keyBytesMax } from "@kith/store";
import { ClientError } from "./errors.ts";

/** The key of a text: its UTF-8. @throws ClientError `KITH_CLIENT_ARGUMENT` where it is too long */
export function keyOf(text: string): Key {
  const key = octetsOf(textBytes(text));
  if (key.length <= keyBytesMax) return key;
  throw new ClientError(
    "KITH_CLIENT_ARGUMENT",
    `A key has ${key.length} bytes, and may have ${keyBytesMax}.`,
    "not-done",
  );
}

/** The text of a key; what is no UTF-8 in it is replaced by U+FFFD. */
export function textOf(key: Key): string {
  return bytesText(octetBytes(key));
}
