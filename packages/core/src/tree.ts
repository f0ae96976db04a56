/** A running system as text: a line for each component, with its ports and whom they lead to. */

import type { ComponentCore } from "./component-core.ts";
import { resolve } from "./reference.ts";

/** Draws the tree below the root. */
export function drawTree(root: ComponentCore): string {
  const lines: string[] = [];
  const handles = root.childHandles();
  handles.forEach((handle, i) => drawBranch(handle.core, "", i === handles.length - 1, lines));
  return lines.join("\n");
}

function drawBranch(core: ComponentCore, indent: string, last: boolean, lines: string[]): void {
  const queued = core.mailbox.size === 0 ? "" : `, ${core.mailbox.size} queued`;
  const state = core.faulted ? "faulted" : core.suspended > 0 ? "suspended" : core.phase;
  lines.push(
    `${indent}${last ? "└─ " : "├─ "}${core.name} (${core.className}, ${state}${queued})${drawPorts(core)}`,
  );
  const below = indent + (last ? "   " : "│  ");
  const handles = core.childHandles();
  handles.forEach((handle, i) => drawBranch(handle.core, below, i === handles.length - 1, lines));
}

function drawPorts(core: ComponentCore): string {
  const ports = core.ports.map((port) => {
    const half = resolve(port);
    return `${half.provided ? "+" : "-"}${port.name}:${half.type.name}${half === port ? "" : "*"}`;
  });
  return ports.length === 0 ? "" : `  ${ports.join(" ")}`;
}
