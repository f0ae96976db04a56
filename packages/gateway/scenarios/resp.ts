/** What a client of Redis says and hears, as text of one character for each byte, in the second version of the protocol. */

/** A reply. */
export type Reply = string | number | null | readonly Reply[] | Refusal;

/** A reply that is an error. */
export class Refusal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A command. */
export function said(...words: readonly (string | number)[]): string {
  const parts = words.map((word) => `$${String(word).length}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join("")}`;
}

/** Reads a reply that begins there. @returns it and where it ends; null where it is not whole */
export function heard(text: string, from: number): { reply: Reply; at: number } | null {
  const end = text.indexOf("\r\n", from);
  if (end < 0) return null;
  const line = text.slice(from + 1, end);
  let at = end + 2;
  switch (text[from] ?? "") {
    case "+":
      return { reply: line, at };
    case "-":
      return { reply: new Refusal(line), at };
    case ":":
      return { reply: Number(line), at };
    case "$": {
      const length = Number(line);
      if (length < 0) return { reply: null, at };
      if (text.length < at + length + 2) return null;
      return { reply: text.slice(at, at + length), at: at + length + 2 };
    }
    default: {
      const count = Number(line);
      if (count < 0) return { reply: null, at };
      const items: Reply[] = [];
      for (let i = 0; i < count; i++) {
        const item = heard(text, at);
        if (item === null) return null;
        items.push(item.reply);
        ({ at } = item);
      }
      return { reply: items, at };
    }
  }
}

/** Whether a reply is a list of replies. */
export function isList(reply: Reply | undefined): reply is readonly Reply[] {
  return Array.isArray(reply);
}
