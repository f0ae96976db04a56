/** The Storage port, its memory provider, and helpers for keys. */

export * from "./port.ts";
