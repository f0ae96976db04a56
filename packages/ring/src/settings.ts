/** The settings of the ring, each with what raising it costs. */

import { setting } from "@kith/core";

/** How many successors a peer knows. Raise it: larger messages; more peers may crash at one instant. */
export const successorsMax = setting.integer("ring.successors", 8, { min: 2, max: 64 });

/** How often the neighbours are compared, in milliseconds. Raise it: fewer messages, slower healing. */
export const stabilisePeriod = setting.duration("ring.stabilise", 2000, { min: 10 });

/** How long the answer to a join is waited for until it is sent again, in milliseconds. */
export const joinTimeout = setting.duration("ring.joinTimeout", 1000, { min: 10 });
