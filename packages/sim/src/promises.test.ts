/** How Node tells of promises. A browser cannot. */

import { promiseHooks } from "node:v8";
import type { PromiseWatch } from "./index.ts";

export const watchPromises: PromiseWatch = (onCreate) => {
  const stop: unknown = promiseHooks.onInit(() => onCreate());
  return () => {
    if (typeof stop === "function") stop();
  };
};
