/** The Timer of the real world, for Node and browsers. */

export { Alarm, type AlarmHost, type Armed } from "./alarm.ts";
export { HostTimer } from "./timer.ts";
