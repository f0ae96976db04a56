/** Certificates for tests, made by openssl. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerCertificate } from "./certificate.ts";

/** A certificate for 127.0.0.1, signed by itself; null where there is no openssl. */
export function certificateForTests(): ServerCertificate | null {
  const folder = mkdtempSync(join(tmpdir(), "kith-certificate-"));
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  try {
    const { status } = spawnSync(
      "openssl",
      [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
        ...["-days", "2", "-subj", "/CN=kith", "-addext", "subjectAltName=IP:127.0.0.1"],
        ...["-keyout", key, "-out", cert],
      ],
      { stdio: "ignore" },
    );
    return status === 0
      ? { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") }
      : null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
