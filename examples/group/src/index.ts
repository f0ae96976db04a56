/** Replicated registers: the member, its client, and what they say to each other. */

export { Client, type ClientInit, Do, Ended, Look, Registers, Turned } from "./client.ts";
export { Member, type MemberInit } from "./member.ts";
export type { Deed } from "./registers.ts";
export { Processes, type ProcessesInit, startProcesses } from "./processes.ts";
export { User } from "./user.ts";
