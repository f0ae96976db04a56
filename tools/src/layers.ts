// The layering of the house. A package imports only from its own row and the rows below it.
//
// Rules, all read from the import statements themselves:
//   1. No import from a row above. Within a row, imports are free as long as no cycle arises.
//   2. No cycle between packages, in whatever rows, counting tests too: turbo and `tsc -b` order
//      packages by their dependencies and stop at a cycle. Hence the tests of `core` cannot use
//      `testing`; a test of core that wants the kit stands in `packages/testing`.
//   3. `testing` is for tests and compliance suites. What runs in production leaves it alone, but
//      for the two packages that judge histories themselves.
//   4. Every package named in an import is declared in the importer's package.json; what ships in
//      `dependencies`, what only tests use in `devDependencies`. The test tools that all share
//      (mocha, chai, fast-check, Node's types) are declared once, at the root.
//   5. A relative import stays inside its package.

import { builtinModules } from "node:module";
import path from "node:path";
import ts from "typescript";
import type { Finding, Manifest, Workspace } from "./source.ts";
import { manifestOf, placeOf, parse, sources, workspaces } from "./source.ts";

/** The rows from bottom to top, by the folder's name below `packages/`. */
export const ROWS: readonly (readonly string[])[] = [
  ["core"],
  ["testing"],
  ["network", "timer", "storage"],
  ["sim", "node"],
  ["fd", "membership", "router", "ring", "broadcast", "paxos"],
  ["store"],
  ["peer"],
  ["client", "gateway", "dashboard"],
  ["cli"],
];

/** Packages whose own code, not only their tests, may use the checkers of `testing`. */
const JUDGES: ReadonlySet<string> = new Set(["sim", "cli"]);

const SCOPE = "@kith/";

/** One import of another package, or of a file by a relative path. */
interface Import {
  readonly place: string;
  readonly file: string;
  readonly specifier: string;
}

/** Checks every workspace below `root`. */
export function checkLayers(root: string): Finding[] {
  const all = workspaces(root);
  const shared = manifestOf(root).devDependencies ?? {};
  const byName = new Map(all.map((workspace) => [workspace.manifest.name, workspace]));
  const edges = new Map<string, Map<string, string>>();
  const findings: Finding[] = [];

  for (const workspace of all) {
    const { folder, manifest } = workspace;
    const own = new Map<string, string>();
    edges.set(manifest.name, own);
    if (folder.startsWith("packages/") && rowOf(folder) === undefined) {
      findings.push({
        place: `${folder}/package.json`,
        message: "This package is in no row. Add it to ROWS in tools/src/layers.ts.",
      });
    }
    for (const found of importsOf(root, folder)) {
      const name = packageOf(found.specifier);
      if (name === undefined) {
        findings.push(...checkRelative(found, folder));
        continue;
      }
      if (builtinModules.includes(name)) continue;
      const target = byName.get(name);
      if (target !== undefined && target !== workspace) own.set(name, found.place);
      findings.push(...checkDeclared(found, name, manifest, shared, target !== undefined));
      if (target !== undefined) findings.push(...checkRow(found, workspace, target));
      else if (name.startsWith(SCOPE)) {
        findings.push({ place: found.place, message: `There is no package ${name}.` });
      }
    }
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })) {
      if (byName.has(name) && !own.has(name)) own.set(name, `${folder}/package.json`);
    }
  }
  return [...findings, ...cycles(edges)];
}

/** True for files that never ship: tests, and the compliance suites that tests run. */
export function isTestFile(file: string): boolean {
  return file.endsWith(".test.ts") || /(^|\/)compliance(\.ts$|\/)/.test(file);
}

function checkRow(found: Import, from: Workspace, to: Workspace): Finding[] {
  if (!from.folder.startsWith("packages/")) return []; // examples, bench and tools stand on top
  if (!to.folder.startsWith("packages/")) {
    return [finding(found, `A package never imports from ${to.folder}.`)];
  }
  const fromRow = rowOf(from.folder);
  const toRow = rowOf(to.folder);
  if (fromRow === undefined || toRow === undefined) return []; // reported at the package
  if (toRow > fromRow) {
    return [
      finding(
        found,
        `${from.manifest.name} imports ${to.manifest.name} from a row above its own. Move what both need down, or talk through a port.`,
      ),
    ];
  }
  const name = path.basename(from.folder);
  if (
    to.folder === "packages/testing" &&
    from !== to &&
    !isTestFile(found.file) &&
    !JUDGES.has(name)
  ) {
    return [finding(found, `Only tests and compliance suites use ${to.manifest.name}.`)];
  }
  return [];
}

function checkDeclared(
  found: Import,
  name: string,
  manifest: Manifest,
  shared: Readonly<Record<string, string>>,
  internal: boolean,
): Finding[] {
  if (name === manifest.name) {
    if (isTestFile(found.file)) return [];
    return [finding(found, "A package imports its own files by relative paths.")];
  }
  const ships = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  };
  if (name in ships) return [];
  const section =
    isTestFile(found.file) || !shipped(found.file) ? "devDependencies" : "dependencies";
  if (section === "devDependencies") {
    if (name in { ...manifest.devDependencies }) return [];
    if (!internal && name in shared) return [];
  }
  return [finding(found, `${name} is not in the ${section} of ${manifest.name}'s package.json.`)];
}

function checkRelative(found: Import, folder: string): Finding[] {
  const target = path.posix.join(path.posix.dirname(found.file), found.specifier);
  if (target.startsWith(`${folder}/`)) return [];
  return [
    finding(found, `${found.specifier} leaves the package. Import the other package by its name.`),
  ];
}

/** Cycles in the graph of packages, each reported once, at one of its imports. */
function cycles(edges: ReadonlyMap<string, ReadonlyMap<string, string>>): Finding[] {
  const findings: Finding[] = [];
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): void => {
    const start = trail.indexOf(name);
    if (start >= 0) {
      const last = trail.at(-1) ?? name;
      const cycle = [...trail.slice(start), name].join(" → ");
      findings.push({
        place: edges.get(last)?.get(name) ?? last,
        message: `Packages depend on each other in a cycle: ${cycle}.`,
      });
      return;
    }
    if (done.has(name)) return;
    for (const next of edges.get(name)?.keys() ?? []) visit(next, [...trail, name]);
    done.add(name);
  };
  for (const name of edges.keys()) visit(name, []);
  return findings;
}

/** Every import, export-from, `import()` and type import of a workspace's sources. */
function importsOf(root: string, folder: string): Import[] {
  return sources(root, folder).flatMap((file) => {
    const source = parse(root, file);
    const found: Import[] = [];
    const visit = (node: ts.Node): void => {
      const specifier = specifierOf(node);
      if (specifier !== undefined) {
        const place = placeOf(source, specifier.getStart(source));
        found.push({ place, file, specifier: specifier.text });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
  });
}

function specifierOf(node: ts.Node): ts.StringLiteralLike | undefined {
  const named = ((): ts.Node | undefined => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      return node.argument.literal;
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      return node.arguments[0];
    }
    return undefined;
  })();
  return named !== undefined && ts.isStringLiteralLike(named) ? named : undefined;
}

/** `@scope/name` or `name` of a bare specifier; undefined for a relative one. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".")) return undefined;
  const plain = specifier.replace(/^node:/, "");
  const parts = plain.split("/");
  return plain.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

function rowOf(folder: string): number | undefined {
  const row = ROWS.findIndex((names) => names.includes(path.basename(folder)));
  return row < 0 ? undefined : row;
}

function shipped(file: string): boolean {
  return file.startsWith("packages/") || file.startsWith("examples/");
}

function finding({ place }: Import, message: string): Finding {
  return { place, message };
}
