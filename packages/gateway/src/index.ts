/** Servers in front of the store, for clients that speak something else than Kith. */

export { certificateProblem, type ServerCertificate } from "./certificate.ts";
export { type GatewayErrorCode, gatewayError } from "./errors.ts";
export { RedisGateway, type RedisGatewayInit } from "./gateway.ts";
export { defaultGatewayLimits, type GatewayLimits } from "./limits.ts";
export { AskTraffic, Listener, Listening, Traffic } from "./listening.ts";
export * from "./http/index.ts";
