/** The suite on sockets: five systems in this process. */

import { routerCompliance } from "./compliance/index.ts";
import { ChordSharpRouter, FlexibleRouter, KaryRouter } from "./index.ts";
import { onSockets } from "./real-kit.test.ts";

routerCompliance("FlexibleRouter, swapped for KaryRouter and back, on sockets,", () =>
  onSockets(FlexibleRouter, KaryRouter),
);
routerCompliance("ChordSharpRouter on sockets", () => onSockets(ChordSharpRouter));
