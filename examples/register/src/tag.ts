/** Tags: the order of all writes of a key, in which no two writes are equal. */

/** A value of a register; null where the key is absent. */
export type Value = number | string | null;

/** Says which of two values is newer. */
export interface Tag {
  /** One more than the highest that the writer found. */
  readonly number: number;
  /** The writer's peerId: of two who found the same, one is the higher. */
  readonly writer: number;
  /** The name of the writer's life: it may have found the same before a crash. */
  readonly life: number;
}

/** A value with its tag. */
export interface Versioned {
  readonly tag: Tag;
  readonly value: Value;
}

/** The tag of what nobody has written. */
export const NO_TAG: Tag = { number: 0, writer: 0, life: 0 };

/** Whether the one tag is higher than the other. */
export function isHigher(a: Tag, b: Tag): boolean {
  if (a.number !== b.number) return a.number > b.number;
  if (a.writer !== b.writer) return a.writer > b.writer;
  return a.life > b.life;
}
