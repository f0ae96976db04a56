/** Lookups over a ring alone. */

export { Find, Finder, Found, Mine, Owners, Question } from "./finder.ts";
