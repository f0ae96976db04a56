/** Progress of what takes longer than a second and whose end nobody knows: a line on a terminal, and nothing in a file. */

import type { Terminal } from "./progress.ts";

const firstMs = 1000;
const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** Waits for something, and says so where it takes more than a second. @param what is written behind a sign that moves */
export async function waitingFor<T>(
  terminal: Terminal,
  what: string,
  work: Promise<T>,
): Promise<T> {
  if (terminal.isTTY !== true) return await work;
  const begin = performance.now();
  let frame = 0;
  const draw = (): void => {
    const elapsed = performance.now() - begin;
    if (elapsed < firstMs) return;
    const sign = frames[frame++ % frames.length] ?? "";
    terminal.write(`\r\u001B[2K${sign} ${what}, ${Math.floor(elapsed / 1000)} s`);
  };
  const timer = setInterval(draw, 100);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (frame > 0) terminal.write("\r\u001B[2K");
  }
}
