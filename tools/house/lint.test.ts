import { spawnSync } from "node:child_process";
import path from "node:path";
import { fail, none } from "../src/findings.ts";
import { lint } from "../src/lint.ts";
import { ROOT } from "../src/source.ts";

function command(file: string, ...args: string[]): { ok: boolean; output: string } {
  const run = spawnSync(process.execPath, [path.join(ROOT, "node_modules", file), ...args], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return { ok: run.status === 0, output: `${run.stdout}${run.stderr}`.trim() };
}

describe("the house: sources", () => {
  it("are free of lint findings (npm run lint)", () => none(lint(ROOT, { typeAware: true })));

  it("are formatted (npm run format)", () => {
    const { ok, output } = command("oxfmt/bin/oxfmt", "--list-different");
    if (!ok) fail(`npm run format would change:\n${output}`);
  });

  it("type-check (npm run check)", () => {
    const { ok, output } = command("typescript/bin/tsc", "-p", "tsconfig.check.json");
    if (!ok) fail(output);
  });
});
