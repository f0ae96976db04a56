import { multicastCompliance } from "../compliance/index.ts";
import { simulatedMulticast } from "./peer-kit.test.ts";

multicastCompliance("GroupMulticast", () => simulatedMulticast());
