/** The settings of bootstrap, peer sampling and T-Man, each with what raising it costs. */

import { setting } from "@kith/core";

/** Which cluster this is: peers of two clusters never learn of each other. */
export const clusterId = setting.text("cluster.id", "kith");

/**
 * How often a peer renews its registration, in milliseconds. A server forgets after three of these. Raise
 * it: fewer messages; a server that has started empty knows the cluster later.
 */
export const refreshPeriod = setting.duration("bootstrap.refresh", 10_000, { min: 10 });

/** How long a client waits for an answer until it asks again, in milliseconds. */
export const findPeriod = setting.duration("bootstrap.retry", 1000, { min: 10 });

/** How often a view is shuffled, in milliseconds. Raise it: fewer messages, dead references stay longer. */
export const shufflePeriod = setting.duration("cyclon.period", 5000, { min: 10 });

/** How many references a view holds. Raise it: more memory, larger losses survived. */
export const viewMax = setting.integer("cyclon.view", 20, { min: 2, max: 1000 });

/** How many references travel in one shuffle. Raise it: larger messages, quicker mixing. */
export const shuffleLength = setting.integer("cyclon.shuffle", 8, { min: 1, max: 100 });

/** How long the answer to a shuffle is waited for until its receiver is given up, in milliseconds. */
export const shuffleTimeout = setting.duration("cyclon.timeout", 2000, { min: 10 });

/** How often T-Man exchanges neighbours, in milliseconds. */
export const nearnessPeriod = setting.duration("tman.period", 5000, { min: 10 });

/** How many neighbours T-Man keeps on each side. */
export const nearnessMax = setting.integer("tman.side", 8, { min: 1, max: 100 });
