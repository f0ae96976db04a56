/**
 * What the journal asks of the file system, and nothing more: a seam at which tests let writes and
 * flushes fail, or cut the power.
 */

import * as fs from "node:fs";

/** Files by their paths; all but the flush is done when the call returns, and throws what the host throws. */
export interface Files {
  list(directory: string): string[];
  read(path: string): Buffer;
  /** The first bytes of a file, at most so many. */
  head(path: string, length: number): Buffer;
  /** Opens for writing, and makes the file where it is missing. @returns its descriptor */
  open(path: string): number;
  write(file: number, parts: readonly Uint8Array[], position: number): void;
  truncate(file: number, length: number): void;
  close(file: number): void;
  remove(path: string): void;
  rename(from: string, to: string): void;
  /** Puts what was written to a file on the disk, off the thread of the components. */
  flush(file: number, done: (error: Error | null) => void): void;
  /** The same, at once: at the start and at the end. */
  flushNow(file: number): void;
  /** Puts the names of a directory on the disk. */
  flushDirectory(path: string): void;
  /** How many bytes the device of a directory has left. */
  free(path: string): number;
}

/** The files of the host. */
export const hostFiles: Files = {
  list: (directory) => fs.readdirSync(directory),
  read: (path) => fs.readFileSync(path),
  head(path, length) {
    const file = fs.openSync(path, fs.constants.O_RDONLY);
    try {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, fs.readSync(file, bytes, 0, length, 0));
    } finally {
      fs.closeSync(file);
    }
  },
  open: (path) => fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600),
  write(file, parts, position) {
    let at = position;
    for (const part of parts) {
      // A write may be cut short; the next one then says why.
      for (let begin = 0; begin < part.length;) {
        const written = fs.writeSync(file, part, begin, part.length - begin, at);
        begin += written;
        at += written;
      }
    }
  },
  truncate: (file, length) => fs.ftruncateSync(file, length),
  close: (file) => fs.closeSync(file),
  remove: (path) => fs.unlinkSync(path),
  rename: (from, to) => fs.renameSync(from, to),
  flush: (file, done) => fs.fdatasync(file, done),
  flushNow: (file) => fs.fdatasyncSync(file),
  flushDirectory(path) {
    const directory = fs.openSync(path, fs.constants.O_RDONLY);
    try {
      fs.fsyncSync(directory);
    } finally {
      fs.closeSync(directory);
    }
  },
  free(path) {
    const { bavail, bsize } = fs.statfsSync(path);
    return bavail * bsize;
  },
};
