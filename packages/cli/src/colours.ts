/** Colours, on a terminal only: what goes to a file or a pipe is plain text. */

/** Paints text. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

/** Colours for a stream: none where it is no terminal, or where the environment wants none (`NO_COLOR`, `TERM=dumb`). */
export function paintFor(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Paint {
  const isWanted =
    stream.isTTY === true &&
    (environment["NO_COLOR"] ?? "") === "" &&
    environment["TERM"] !== "dumb";
  const painted =
    (begin: number, end: number) =>
    (text: string): string =>
      isWanted ? `\u001B[${begin}m${text}\u001B[${end}m` : text;
  return {
    bold: painted(1, 22),
    dim: painted(2, 22),
    red: painted(31, 39),
    green: painted(32, 39),
    yellow: painted(33, 39),
  };
}
