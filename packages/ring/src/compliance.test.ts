import { ringCompliance } from "./compliance/index.ts";
import { simulated } from "./kit.test.ts";

ringCompliance("RelaxedRing", () => simulated("relaxed"));
ringCompliance("ChordRing", () => simulated("chord"));
ringCompliance("RelaxedRing, swapped for ChordRing and back,", () => simulated("relaxed", "chord"));
