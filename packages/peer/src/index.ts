/** A peer: the overlay's components wired up, and the process that hosts several such peers. */

export { Entry, type EntryInit } from "./entry.ts";
export { Overlay } from "./overlay.ts";
export { PeerHost, type PeerHostInit, virtualPeer } from "./peer-host.ts";
