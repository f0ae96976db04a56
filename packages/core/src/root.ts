/** What a world may do at the root of a system, as calls of the kernel. */

import type { Child } from "./child.ts";
import { connectPorts, offerPort } from "./component.ts";
import type { ComponentCore } from "./component-core.ts";
import { type ChildOptions, createChild } from "./construction.ts";
import type { AnyPort, ProvidedRef, RequiredRef } from "./port.ts";
import type { Reference } from "./reference.ts";
import type { Root } from "./world.ts";

/** The world's way to the root component. */
export function rootOf(core: ComponentCore): Root {
  return {
    create: (cls, ...args) => {
      const [init, options] = args as [unknown, ChildOptions?];
      return createChild(core, cls, init, options ?? {}) as unknown as Child<
        InstanceType<typeof cls>
      >;
    },
    connect: <P extends AnyPort>(
      provider: ProvidedRef<P>,
      user: RequiredRef<NoInfer<P>>,
      options?: object,
    ) =>
      connectPorts(
        core,
        provider as unknown as Reference,
        user as unknown as Reference,
        options ?? {},
      ),
    offers: (ref, options) => offerPort(core, ref as unknown as Reference, options?.key),
  };
}
