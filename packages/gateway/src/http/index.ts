/** HTTP in front of the store. */

export { HttpServerBesideRedis } from "./beside-redis.ts";
export { HttpServer, type HttpServerInit } from "./http-server.ts";
export { defaultHttpLimits, type HttpLimits } from "./limits.ts";
export { type GroupRow, groupsOf, type PlainView, plainView, whereText } from "./page.ts";
export {
  type Operation,
  OperationError,
  type OperationResult,
  parseOperations,
  perform,
  type Performed,
  valueJson,
} from "./operations.ts";
