import { routerCompliance } from "./compliance/index.ts";
import { ChordSharpRouter, FlexibleRouter, KaryRouter } from "./index.ts";
import { simulated } from "./kit.test.ts";

routerCompliance("FlexibleRouter", () => simulated(FlexibleRouter));
routerCompliance("KaryRouter", () => simulated(KaryRouter));
routerCompliance("ChordSharpRouter", () => simulated(ChordSharpRouter));
routerCompliance("FlexibleRouter, swapped for KaryRouter and back,", () =>
  simulated(FlexibleRouter, KaryRouter),
);
routerCompliance("KaryRouter, swapped for ChordSharpRouter and back,", () =>
  simulated(KaryRouter, ChordSharpRouter),
);
