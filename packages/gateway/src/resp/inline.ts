/** Commands on one line, as people type them: words, and quotes around what has spaces. */

const space = 32;
const quote = 34;
const apostrophe = 39;
const backslash = 92;

const escapes: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, a: 7 };

/** The words of a line; null where its quotes do not end, or do not end a word. */
export function splitLine(line: Buffer): Buffer[] | null {
  const words: Buffer[] = [];
  for (let at = 0; ;) {
    while (at < line.length && isSpace(line[at])) at++;
    // As in Redis, where lines end at their first zero.
    if (at >= line.length || line[at] === 0) return words;
    const word: number[] = [];
    const first = line[at] ?? 0;
    let end: number | null;
    if (first === quote) end = doubleQuoted(line, at + 1, word);
    else if (first === apostrophe) end = singleQuoted(line, at + 1, word);
    else end = bare(line, at, word);
    if (end === null) return null;
    at = end;
    words.push(Buffer.from(word));
  }
}

function bare(line: Buffer, from: number, word: number[]): number | null {
  let at = from;
  for (; at < line.length; at++) {
    const byte = line[at] ?? 0;
    if (byte === 0 || isSpace(byte)) break;
    if (byte === quote) return doubleQuoted(line, at + 1, word);
    if (byte === apostrophe) return singleQuoted(line, at + 1, word);
    word.push(byte);
  }
  return at;
}

function doubleQuoted(line: Buffer, from: number, word: number[]): number | null {
  for (let at = from; at < line.length; at++) {
    const byte = line[at] ?? 0;
    if (byte === 0) return null;
    if (byte === quote) return endsWord(line, at + 1);
    if (byte !== backslash || at + 1 >= line.length) {
      word.push(byte);
      continue;
    }
    const code = /^x[0-9a-f]{2}$/i.test(line.toString("latin1", at + 1, at + 4))
      ? Number.parseInt(line.toString("latin1", at + 2, at + 4), 16)
      : undefined;
    if (code !== undefined) {
      word.push(code);
      at += 3;
    } else {
      const next = line[++at] ?? 0;
      word.push(escapes[String.fromCharCode(next)] ?? next);
    }
  }
  return null;
}

function singleQuoted(line: Buffer, from: number, word: number[]): number | null {
  for (let at = from; at < line.length; at++) {
    const byte = line[at] ?? 0;
    if (byte === 0) return null;
    if (byte === backslash && line[at + 1] === apostrophe) {
      word.push(apostrophe);
      at++;
    } else if (byte === apostrophe) return endsWord(line, at + 1);
    else word.push(byte);
  }
  return null;
}

/** Behind a closing quote there has to be a space, or the end. */
function endsWord(line: Buffer, at: number): number | null {
  return at >= line.length || line[at] === 0 || isSpace(line[at]) ? at : null;
}

function isSpace(byte: number | undefined): boolean {
  return byte === space || (byte !== undefined && byte >= 9 && byte <= 13);
}
