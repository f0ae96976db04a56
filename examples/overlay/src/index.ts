/** A self-organising overlay: all of its parts, wired into one peer. */

export { Find, Finder, Found, Mine, Owners, Question } from "./finder.ts";
export { Overlay, type OverlayInit } from "./overlay.ts";
