/** A replicated register on a fixed group, as a component. */

export {
  Abd,
  type AbdInit,
  ReadRegister,
  Register,
  RegisterAnswer,
  WriteRegister,
} from "./register.ts";
export { QuickAbd } from "./quick-register.ts";
export { isHigher, type Tag, type Value } from "./tag.ts";
