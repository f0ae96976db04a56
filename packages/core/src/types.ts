/** Small types that several files share. */

/** An object type without fields. */
export type EmptyFields = Record<never, never>;

/** A duration or an instant in milliseconds; fractions are kept to whole microseconds. */
export type Millis = number;

/** A value that routes an event to the channels that carry the same key. */
export type Key = string | number | bigint;
