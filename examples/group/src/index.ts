/** Replicated registers: the member, and one who asks. */

export { Member, type MemberInit } from "./member.ts";
export { type Deed, encodeDeed, encodeLook, isTaken, registersGroup } from "./registers.ts";
export { Processes, type ProcessesInit, startProcesses } from "./processes.ts";
export { type Ended, User, type UserInit } from "./user.ts";
