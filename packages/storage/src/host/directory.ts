/**
 * The directory of a storage: that it is one of this format, and that it has one user at a time.
 *
 * Who uses it stands in a row of the tables, which is checked and written in one transaction of lmdb: its
 * lock works between processes, and the kernel frees it when one dies. A user that is gone is told by
 * its process, the start of that process and the boot; a copied directory by its inode. That holds for the
 * processes of one machine that see each other; a volume that is shared more widely needs a guard of its own.
 */

import * as fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { storageError } from "../errors.ts";
import type { Files } from "./files.ts";
import { rowOfSystem, type TablesFile } from "./tables-file.ts";

const formatName = "FORMAT";
const formatText = "kith-storage 1\n";
/** What a directory may hold before its format is written: the tools of file systems put these there. */
const harmless: ReadonlySet<string> = new Set(["lost+found", ".gitkeep"]);

/** Who uses a directory. */
interface User {
  readonly pid: number;
  /** When that process began, in ticks of its machine; empty where the host does not say. */
  readonly began: string;
  /** Which boot of the machine; empty where the host does not say. */
  readonly boot: string;
  /** The directory itself, wherever it is mounted or moved to. */
  readonly inode: string;
}

/**
 * Makes the directory where it is missing, and checks its format.
 *
 * @returns its path without links
 */
export function openDirectory(files: Files, directory: string): string {
  let path: string;
  let names: string[];
  try {
    const made = fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined) flushNames(files, made, directory);
    path = fs.realpathSync(directory);
    names = files.list(path).filter((name) => !harmless.has(name));
    fs.accessSync(path, fs.constants.R_OK | fs.constants.W_OK);
  } catch (cause) {
    throw storageError("KITH_STORAGE_OPEN", `The directory ${directory} cannot be used.`, cause);
  }
  if (names.includes(formatName)) {
    const text = files.read(join(path, formatName)).toString("latin1");
    if (text === formatText) return path;
    const what = text.startsWith("kith-storage ")
      ? `${path} was written in the format "${text.trim()}", and this version reads "${formatText.trim()}".`
      : `${path} has a file ${formatName} that is none of a storage.`;
    throw storageError("KITH_STORAGE_FORMAT", what);
  }
  if (names.some((name) => name !== `${formatName}.new`)) {
    const what = `${path} is no storage, and holds ${names.length} other files (${names.slice(0, 3).join(", ")}).`;
    throw storageError("KITH_STORAGE_FORMAT", what);
  }
  try {
    const file = files.open(join(path, `${formatName}.new`));
    files.write(file, [Buffer.from(formatText, "latin1")], 0);
    files.flushNow(file);
    files.close(file);
    files.rename(join(path, `${formatName}.new`), join(path, formatName));
    files.flushDirectory(path);
  } catch (cause) {
    throw storageError("KITH_STORAGE_OPEN", `The directory ${path} cannot be written.`, cause);
  }
  return path;
}

/** Puts the names of new directories on the disk: what is in them would be lost with them. */
function flushNames(files: Files, first: string, last: string): void {
  const top = dirname(resolve(first));
  for (let at = resolve(last); at.length > top.length; at = dirname(at)) {
    files.flushDirectory(dirname(at));
  }
}

/** Takes the directory for this process, or throws `KITH_STORAGE_LOCKED`. */
export function lock(tables: TablesFile, path: string): void {
  const self: User = {
    pid: process.pid,
    began: beginOf(process.pid) ?? "",
    boot: bootOfMachine(),
    inode: inodeOf(path),
  };
  const other = tables.exclusively(() => {
    const row = tables.system("user");
    const user = row === undefined ? null : userOf(row.toString("utf8"));
    if (user !== null && user.inode === self.inode && lives(user, self)) return user;
    tables.writeNow([rowOfSystem("user", Buffer.from(JSON.stringify(self), "utf8"))]);
    return null;
  });
  if (other === null) return;
  throw storageError("KITH_STORAGE_LOCKED", `${path} is in use by the process ${other.pid}.`);
}

/** Gives the directory back. */
export function unlock(tables: TablesFile): void {
  tables.writeNow([rowOfSystem("user", null)]);
}

function inodeOf(path: string): string {
  const { dev, ino } = fs.statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

function lives(user: User, self: User): boolean {
  if (user.boot !== self.boot) return false;
  const began = beginOf(user.pid);
  return began !== null && began === user.began;
}

/** When a process began: null where there is none, empty where the host does not say. */
function beginOf(pid: number): string | null {
  if (process.platform === "linux") {
    try {
      const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
      // Behind the name, which may hold anything but ends with the last parenthesis.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      // A process that only waits to be reaped holds nothing any more.
      return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? "");
    } catch {
      return null;
    }
  }
  try {
    process.kill(pid, 0);
    return "";
  } catch (error) {
    return error instanceof Error && Reflect.get(error, "code") === "EPERM" ? "" : null;
  }
}

function bootOfMachine(): string {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "";
  }
}

function userOf(text: string): User | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return null;
    const field = (name: string): string => String(Reflect.get(value, name) ?? "");
    return {
      pid: Number(field("pid")),
      began: field("began"),
      boot: field("boot"),
      inode: field("inode"),
    };
  } catch {
    return null;
  }
}
