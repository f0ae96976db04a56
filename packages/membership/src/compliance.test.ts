import { bootstrapCompliance, samplingCompliance } from "./compliance/index.ts";
import { harness } from "./kit.test.ts";

bootstrapCompliance("BootstrapClient", harness);
samplingCompliance("Cyclon", harness);
