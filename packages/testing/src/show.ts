/**
 * Values as text, as one would write them in a test: `Ping { n: 1 }`. The same value always gives the
 * same text, on every machine, so that failures and transcripts can be compared.
 */

const depthMax = 4;
const membersMax = 20;
const lengthMax = 240;

/** A value in one line, cut where it is long. */
export function show(value: unknown): string {
  const text = render(value, 0, []);
  return text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
}

/** What was thrown, in one line. */
export function showCause(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${firstLine(cause.message)}` : show(cause);
}

function firstLine(text: string): string {
  const end = text.indexOf("\n");
  return end < 0 ? text : `${text.slice(0, end)} …`;
}

function render(value: unknown, depth: number, above: readonly object[]): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name === "" ? "a function" : value.name;
  if (typeof value !== "object" || value === null) {
    return Object.is(value, -0) ? "-0" : String(value);
  }
  if (above.includes(value)) return "(cycle)";
  const inside = (member: unknown): string => render(member, depth + 1, [...above, value]);
  if (value instanceof Error) return `${value.name}(${JSON.stringify(firstLine(value.message))})`;
  if (depth >= depthMax) return Array.isArray(value) ? "[…]" : "{…}";
  if (Array.isArray(value)) return wrap("[", value.map(inside), "]");
  if (value instanceof Uint8Array) return `Uint8Array ${wrap("[", [...value].map(String), "]")}`;
  if (value instanceof Set) return `Set ${wrap("{", [...value].map(inside), "}")}`;
  if (value instanceof Map) {
    const entries = [...value].map(([key, one]) => `${inside(key)} → ${inside(one)}`);
    return `Map ${wrap("{", entries, "}")}`;
  }
  const fields = Object.entries(value).map(([name, one]) => `${name}: ${inside(one)}`);
  const name = classOf(value);
  if (name === "") return wrap("{", fields, "}");
  return fields.length === 0 ? name : `${name} ${wrap("{", fields, "}")}`;
}

function classOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? "" : value.constructor.name;
}

function wrap(open: string, members: readonly string[], close: string): string {
  if (members.length === 0) return open + close;
  const more = members.length - membersMax;
  const shown = more > 0 ? [...members.slice(0, membersMax), `… ${more} more`] : members;
  const space = open === "{" ? " " : "";
  return open + space + shown.join(", ") + space + close;
}
