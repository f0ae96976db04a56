import { storageCompliance } from "../compliance/index.ts";
import { diskHarness } from "./disk-kit.test.ts";

storageCompliance("DiskStorage", () => diskHarness());
storageCompliance("DiskStorage that is often written into its tables", () =>
  diskHarness({ checkpointBytes: 2000 }, 2),
);
