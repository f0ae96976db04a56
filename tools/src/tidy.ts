// What keeps the sources alike where neither the compiler nor the linter looks.
//
// The words that this file itself forbids are built from pieces, so that it passes its own check.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import ts from "typescript";
import type { Finding } from "./source.ts";
import { filesBelow, parse, placeOf, read, sources, workspaces } from "./source.ts";

/** No file but a test may be longer. */
export const LINES_MAX = 700;

const REGISTRY = "The repository names no package registry: whoever installs has their own.";

/** Text that has no place in a file of the repository, with the reason. */
const FORBIDDEN_TEXT: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [new RegExp(`(^|[\\s"'\`(=:])/${"work"}/`), "This is a path of one machine."],
  [/(^|[\s"'`(=:])\/(home|Users)\/\w/, "This is a path of one machine."],
  [new RegExp(`registry\\.(${"npmjs"}|${"yarnpkg"})`, "i"), REGISTRY],
  [/"resolved": "https?:/, REGISTRY],
];

/** Checks the sources of packages and examples for what the house does not write. */
export function checkSyntax(root: string): Finding[] {
  return componentSources(root).flatMap((file) => {
    const source = parse(root, file);
    const findings: Finding[] = [];
    const visit = (node: ts.Node): void => {
      const message = forbiddenSyntax(node);
      if (message !== undefined) {
        findings.push({ place: placeOf(source, node.getStart(source)), message });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return findings;
  });
}

/** Checks that no test is left out or run alone: in every workspace. */
export function checkTests(root: string): Finding[] {
  const files = workspaces(root).flatMap(({ folder }) => filesBelow(root, folder));
  return files.flatMap((file) => {
    if (!file.endsWith(".test.ts")) return [];
    const source = parse(root, file);
    const findings: Finding[] = [];
    const visit = (node: ts.Node): void => {
      const word = restriction(node);
      if (word !== undefined) {
        const message = `\`${word}\` leaves tests out. Remove it.`;
        findings.push({ place: placeOf(source, node.getStart(source)), message });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return findings;
  });
}

/** Checks the length of every source that is not a test. */
export function checkLength(root: string): Finding[] {
  return componentSources(root).flatMap((file) => {
    const lines = read(root, file).split("\n").length - 1;
    if (file.endsWith(".test.ts") || lines <= LINES_MAX) return [];
    return [
      { place: file, message: `${lines} lines, more than ${LINES_MAX}. Split it by its nouns.` },
    ];
  });
}

/** Checks that everything a package exports has a doc comment, at its own package. */
export function checkDocComments(root: string): Finding[] {
  const indexes = workspaces(root)
    .filter(({ folder }) => folder.startsWith("packages/"))
    .map(({ folder }) => `${folder}/src/index.ts`)
    .filter((file) => fs.existsSync(path.join(root, file)));
  if (indexes.length === 0) return [];
  const program = ts.createProgram(
    indexes.map((file) => path.join(root, file)),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      customConditions: ["source"],
      allowImportingTsExtensions: true,
      noEmit: true,
      types: [],
    },
  );
  const checker = program.getTypeChecker();
  return indexes.flatMap((index) => {
    const source = program.getSourceFile(path.join(root, index));
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) return [];
    const own = path.join(root, path.dirname(index)) + path.sep;
    return checker.getExportsOfModule(module).flatMap((exported) => {
      const alias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
      const symbol = alias ? checker.getAliasedSymbol(exported) : exported;
      const declaration = symbol.declarations?.[0];
      const file = declaration?.getSourceFile();
      if (declaration === undefined || file === undefined || !file.fileName.startsWith(own))
        return [];
      const text = ts.displayPartsToString(symbol.getDocumentationComment(checker));
      if (text.trim() !== "") return [];
      const line = file.getLineAndCharacterOfPosition(declaration.getStart(file)).line + 1;
      return [
        {
          place: `${path.relative(root, file.fileName)}:${line}`,
          message: `\`${exported.name}\` is exported by ${index} without a doc comment.`,
        },
      ];
    });
  });
}

/** Checks the text of files for what belongs to one machine or one network. */
export function checkText(root: string, files = trackedFiles(root)): Finding[] {
  return files.flatMap((file) => {
    const bytes = fs.readFileSync(path.join(root, file));
    if (bytes.includes(0)) return []; // not text
    return bytes
      .toString("utf8")
      .split("\n")
      .flatMap((line, n) =>
        FORBIDDEN_TEXT.filter(([pattern]) => pattern.test(line)).map(([, message]) => ({
          place: `${file}:${n + 1}`,
          message,
        })),
      );
  });
}

/** Every file that git knows or would add; without git, every file outside dependencies. */
export function trackedFiles(root: string): string[] {
  const git = spawnSync("git", ["ls-files", "-z", "-co", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  const files = git.status === 0 ? git.stdout.split("\0") : filesBelow(root, "");
  return files.filter((file) => file !== "" && fs.existsSync(path.join(root, file)));
}

function componentSources(root: string): string[] {
  return workspaces(root)
    .map(({ folder }) => folder)
    .filter((folder) => folder.startsWith("packages/") || folder.startsWith("examples/"))
    .flatMap((folder) => sources(root, folder));
}

function forbiddenSyntax(node: ts.Node): string | undefined {
  if (ts.isExportAssignment(node)) return "A default export. Export a name.";
  if (node.kind === ts.SyntaxKind.DefaultKeyword && ts.canHaveModifiers(node.parent)) {
    return "A default export. Export a name.";
  }
  if (ts.isExportSpecifier(node) && node.name.text === "default") {
    return "A default export. Export a name.";
  }
  if (ts.isEnumDeclaration(node)) return "An enum. Use a union of string literals.";
  if (ts.isModuleDeclaration(node) && ts.isIdentifier(node.name) && !isGlobal(node)) {
    return "A namespace. A file is one already.";
  }
  if (ts.isDecorator(node)) return "A decorator. Call what it would call.";
  if (ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent)) {
    return "A parameter property. Declare the field.";
  }
  return undefined;
}

function isGlobal(node: ts.ModuleDeclaration): boolean {
  return (node.flags & ts.NodeFlags.GlobalAugmentation) !== 0;
}

/** `it.only(`, `describe.skip(`, `this.skip(`, `xit(` and the like. */
function restriction(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  const { expression } = node;
  if (ts.isIdentifier(expression)) {
    return /^(x|f)(it|describe|context|specify)$/.test(expression.text)
      ? expression.text
      : undefined;
  }
  if (!ts.isPropertyAccessExpression(expression)) return undefined;
  const name = expression.name.text;
  if (name !== "only" && name !== "skip") return undefined;
  const object = expression.expression.getText();
  return /^(it|describe|context|specify|suite|test|this)$/.test(object)
    ? `${object}.${name}`
    : undefined;
}
