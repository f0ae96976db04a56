import { storageCompliance } from "../compliance/index.ts";
import { diskHarness } from "./disk-kit.test.ts";

storageCompliance("DiskStorage", () => diskHarness());
storageCompliance("DiskStorage with a checkpoint after every group", () =>
  diskHarness({ checkpointBytes: 1 }, 2),
);
