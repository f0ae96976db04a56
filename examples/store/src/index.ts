/** A store in processes: the member, and one who asks. */

export { groupCount, groupsOf, middleOf, positionOfText } from "./layout.ts";
export { StoreProgram, type StoreProgramInit } from "./member.ts";
export { startStore } from "./processes.ts";
export { type Question, StoreUser } from "./user.ts";
