/**
 * Plain data: what may cross a restart, a swap, a checkpoint or a thread. Null, undefined, booleans,
 * numbers, bigints, strings, byte arrays, and arrays, maps, sets and objects without a class of those.
 */

import { coreError, type CoreErrorCode } from "./errors.ts";

/**
 * Copies plain data deeply, without aliasing; a shared or cyclic part is shared or cyclic in the copy.
 *
 * @param what names the value in the error, such as `the init of Pinger-1`
 * @throws KithError with the given code at the first part that is not plain, naming its place
 */
export function copyPlain<T>(value: T, what: string, code: CoreErrorCode = "KITH_NOT_PLAIN"): T {
  // Most components have no init at all, and most requests a number for their context.
  if (value === undefined || value === null || typeof value === "number") return value;
  return new PlainCopy(what, code).part(value) as T;
}

/** What a key of a map is, where it is no object. */
type Leaf = string | number | bigint | boolean | null | undefined;

/** One copy that is being made, with the way from its root to the part that is being looked at. */
class PlainCopy {
  readonly #what: string;
  readonly #code: CoreErrorCode;
  readonly #way: (string | number)[] = [];
  #seen: Map<object, object> | null = null;

  constructor(what: string, code: CoreErrorCode) {
    this.#what = what;
    this.#code = code;
  }

  part(value: unknown): unknown {
    if (typeof value === "object" && value !== null)
      return this.#seen?.get(value) ?? this.#object(value);
    if (typeof value === "function" || typeof value === "symbol")
      throw this.#notPlain(`a ${typeof value}`);
    return value;
  }

  #object(value: object): object {
    // What a subclass adds would be lost, so only the classes themselves count as plain.
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null)
      return this.#fields(value as Record<string, unknown>);
    if (prototype === Array.prototype) return this.#elements(value as readonly unknown[]);
    if (prototype === Map.prototype) return this.#entries(value as ReadonlyMap<unknown, unknown>);
    if (prototype === Set.prototype) return this.#members(value as ReadonlySet<unknown>);
    // Byte arrays of a host's own class become common ones; its `slice` may not copy.
    if (value instanceof Uint8Array) return this.#saw(value, new Uint8Array(value));
    const { name } = (value as { constructor?: { name?: string } }).constructor ?? {};
    throw this.#notPlain(
      name === undefined || name === ""
        ? "an instance of a class without a name"
        : `an instance of ${name}`,
    );
  }

  #fields(value: Readonly<Record<string, unknown>>): object {
    const copy: Record<string, unknown> = this.#saw(value, {});
    for (const key of Object.keys(value)) {
      const part = this.#step(value[key], key);
      // An assignment would change the copy's prototype; text from outside may hold such a key.
      if (key === "__proto__")
        Object.defineProperty(copy, key, {
          value: part,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      else copy[key] = part;
    }
    return copy;
  }

  #elements(value: readonly unknown[]): object {
    const copy: unknown[] = this.#saw(value, []);
    for (let i = 0; i < value.length; i++) copy.push(this.#step(value[i], i));
    return copy;
  }

  #entries(value: ReadonlyMap<unknown, unknown>): object {
    const copy = this.#saw(value, new Map<unknown, unknown>());
    for (const [key, held] of value) {
      const newKey = this.#step(key, "(a key)");
      copy.set(
        newKey,
        this.#step(held, typeof key === "object" ? "(a value)" : `(at ${String(key as Leaf)})`),
      );
    }
    return copy;
  }

  #members(value: ReadonlySet<unknown>): object {
    const copy = this.#saw(value, new Set<unknown>());
    for (const member of value) copy.add(this.#step(member, "(a member)"));
    return copy;
  }

  #step(value: unknown, step: string | number): unknown {
    this.#way.push(step);
    const copy = this.part(value);
    this.#way.pop();
    return copy;
  }

  #saw<C extends object>(value: object, copy: C): C {
    (this.#seen ??= new Map()).set(value, copy);
    return copy;
  }

  #notPlain(kind: string): Error {
    const place = this.#way
      .map((step) =>
        typeof step === "number" ? `[${step}]` : step.startsWith("(") ? ` ${step}` : `.${step}`,
      )
      .join("");
    return coreError(this.#code, `${this.#what}${place} is ${kind}, which is not plain data.`);
  }
}
