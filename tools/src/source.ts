// What the checks of the house share: where the sources are, and what they say.

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The folder of the repository. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

/** Folders that hold nothing of ours. */
const GENERATED: ReadonlySet<string> = new Set([
  ".blocks",
  ".git",
  ".tmp",
  ".turbo",
  "dist",
  "node_modules",
]);

/** A finding of a check: where, and what to do about it. */
export interface Finding {
  /** Path from the root of the repository, with the line where one is known. */
  readonly place: string;
  readonly message: string;
}

/** The `dependencies` of a manifest by section, as far as the checks look at them. */
export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** A workspace: its folder from the root (`packages/core`) and its manifest. */
export interface Workspace {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Every workspace below `root`, by folder in alphabetical order. */
export function workspaces(root: string): Workspace[] {
  const nested = ["packages", "examples"].flatMap((parent) =>
    list(path.join(root, parent)).map((name) => `${parent}/${name}`),
  );
  return [...nested, "bench", "tools"]
    .filter((folder) => fs.existsSync(path.join(root, folder, "package.json")))
    .map((folder) => ({ folder, manifest: manifestOf(path.join(root, folder)) }));
}

/** The manifest in a folder. */
export function manifestOf(folder: string): Manifest {
  return JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
}

/** Every `.ts` file below `folder/src`, as paths from `root`. */
export function sources(root: string, folder: string): string[] {
  return filesBelow(root, `${folder}/src`).filter((file) => file.endsWith(".ts"));
}

/** Every file below a folder, as paths from `root`, without dependencies and build results. */
export function filesBelow(root: string, folder: string): string[] {
  return list(path.join(root, folder)).flatMap((name) => {
    if (GENERATED.has(name)) return [];
    const file = folder === "" ? name : `${folder}/${name}`;
    return fs.statSync(path.join(root, file)).isDirectory() ? filesBelow(root, file) : [file];
  });
}

/** The text of a file below `root`. */
export function read(root: string, file: string): string {
  return fs.readFileSync(path.join(root, file), "utf8");
}

/** The syntax tree of a file below `root`, with parents. */
export function parse(root: string, file: string): ts.SourceFile {
  return ts.createSourceFile(file, read(root, file), ts.ScriptTarget.ES2022, true);
}

/** `file:line` of a node. */
export function placeOf(source: ts.SourceFile, position: number): string {
  return `${source.fileName}:${source.getLineAndCharacterOfPosition(position).line + 1}`;
}

/** Findings as text, one a line: what a failed test prints. */
export function describeFindings(findings: readonly Finding[]): string {
  return findings.map(({ place, message }) => `${place}: ${message}`).join("\n");
}

function list(folder: string): string[] {
  return fs.existsSync(folder) ? fs.readdirSync(folder).toSorted() : [];
}
