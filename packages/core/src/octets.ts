/** Bytes as characters, one for each: what keys and most texts are read by, without the host's decoder. */

/**
 * The bytes from `begin` to before `end` as a string with one character, up to U+00FF, for each: of ASCII that is its text.
 * Eight characters at a time: one by one, a string is a chain of strings, and costs as much again when it is a key.
 */
export function octetText(bytes: Uint8Array, begin = 0, end: number = bytes.length): string {
  const { fromCharCode } = String;
  let text = "";
  let at = begin;
  for (; at + 8 <= end; at += 8)
    text += fromCharCode(
      bytes[at] ?? 0,
      bytes[at + 1] ?? 0,
      bytes[at + 2] ?? 0,
      bytes[at + 3] ?? 0,
      bytes[at + 4] ?? 0,
      bytes[at + 5] ?? 0,
      bytes[at + 6] ?? 0,
      bytes[at + 7] ?? 0,
    );
  for (; at < end; at++) text += fromCharCode(bytes[at] ?? 0);
  return text;
}
