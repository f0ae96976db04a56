/** The settings of the routers, each with what raising it costs. */

import { setting } from "@kith/core";

/**
 * How many peers a flexible table holds. Raise it: larger systems are routed in one hop, and all others in
 * fewer; more memory.
 */
export const tableMax = setting.integer("router.table", 64, { min: 8, max: 10_000 });

/** The base k of k-ary fingers, (k - 1) · log_k n of them. Raise it: fewer hops, a larger table. */
export const arity = setting.integer("router.arity", 8, { min: 2, max: 64 });

/** How many candidates a k-ary finger has, of which the nearest in time is used. Raise it: more memory. */
export const candidatesMax = setting.integer("router.candidates", 3, { min: 1, max: 16 });

/** Whether of equally good ways the one with the shortest round trip is taken. */
export const proximity = setting.boolean("router.proximity", true);

/**
 * How often one entry of the table is refreshed, in milliseconds, ± 20 %; ten times as often in the first rounds.
 * Raise it: fewer messages, staler tables.
 */
export const refreshPeriod = setting.duration("router.refresh", 10_000, { min: 10 });

/** How long an attempt is waited for until the next one, in milliseconds. */
export const attemptTimeout = setting.duration("router.attempt", 2000, { min: 10 });

/** How many attempts an ask has. Raise it: more succeed under faults, and the others fail later. */
export const attemptsMax = setting.integer("router.attempts", 5, { min: 1, max: 100 });

/** How long the acknowledgement of a hop is waited for while no round trip is known, in milliseconds. */
export const hopTimeout = setting.duration("router.hop", 500, { min: 1 });

/** How many own asks may be open. Beyond that the answer is `busy`. */
export const callsMax = setting.integer("router.calls", 1024, { min: 1, max: 100_000 });

/** How many messages may wait for the acknowledgement of their hop. Beyond that hops are refused. */
export const legsMax = setting.integer("router.legs", 4096, { min: 1, max: 100_000 });

/** How many payloads are remembered as delivered, for a minute each. Beyond that payloads are refused. */
export const deliveredMax = setting.integer("router.delivered", 8192, { min: 1, max: 1_000_000 });
