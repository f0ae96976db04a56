/** What `kith status` prints. */

import { groupsOf, plainView, whereText } from "@kith/gateway";
import { formatLife } from "@kith/network";
import type { ClusterView } from "@kith/peer";
import type { Paint } from "../colours.ts";
import { counted } from "../page.ts";

/** A view for programs: processes with their peers, and the groups as all of them together see them. */
export function statusJson(view: ClusterView): object {
  const { processes, complete } = plainView(view);
  const groups = groupsOf(plainView(view)).map(({ appliedBy, ...group }) => ({
    ...group,
    appliedBy: Object.fromEntries(appliedBy),
  }));
  return { complete, processes, groups };
}

/** A view for people. */
export function statusText(view: ClusterView, paint: Paint): string {
  const plain = plainView(view);
  const groups = groupsOf(plain);
  const { processes } = plain;
  const peers = processes
    .flatMap((one) => one.peers.map((peer) => ({ ...peer, process: one })))
    .sort((a, b) => a.peer.peerId - b.peer.peerId);
  const names = new Map(peers.map(({ peer }, i) => [peer.peerId, `${i + 1}`]));
  const nameOf = (id: number): string => names.get(id) ?? `${id}`;
  const first = processes.find(({ clusterId }) => clusterId !== "");
  const lines = [
    `${paint.bold(`cluster ${first?.clusterId.slice(0, 8) ?? "unknown"}`)}: ${counted(peers.length, "peer")} in ${counted(processes.length, "process")}, ${counted(groups.length, "group")}${plain.complete ? "" : paint.yellow(", not all have answered")}`,
    "",
  ];
  const rows = peers.map(({ peer, state, reason, ring, groups: own, counters, process }) => {
    const silent = process.silent || state === "silent";
    const how = silent ? "silent" : state === "failed" ? `failed: ${reason}` : `${state}, ${ring}`;
    const led = own.filter(({ role }) => role === "leader").length;
    return {
      isWell: !silent && state === "up" && ring === "in",
      cells: [
        nameOf(peer.peerId),
        whereText(peer),
        `life ${formatLife(peer)}`,
        how,
        `leads ${led} of ${own.length} groups`,
        `${counters.done} done, ${counters.unknown} unknown`,
      ],
    };
  });
  lines.push(...table(rows, paint), "");
  for (const { phase, detail, process, silent } of processes)
    if (!silent && phase !== "ready")
      lines.push(paint.yellow(`${process.host}:${process.port}: ${phase} ${detail}`));
  const groupRows = groups.map(({ gid, lo, hi, leader, members, epoch, appliedBy, halted }) => ({
    isWell: leader !== null && halted === null,
    cells: [
      gid,
      `${lo.slice(0, 4) || "0"}…${hi?.slice(0, 4) ?? "end"}`,
      leader === null ? "no leader" : `led by ${nameOf(leader)}`,
      `replicas at ${members.map((id) => `${nameOf(id)} (${appliedBy.get(id) ?? "?"})`).join(", ")}`,
      `epoch ${epoch}`,
      halted ?? "",
    ],
  }));
  lines.push(...table(groupRows, paint));
  return lines.join("\n").trimEnd();
}

function table(
  rows: readonly { readonly isWell: boolean; readonly cells: readonly string[] }[],
  paint: Paint,
): string[] {
  const widths = (rows[0]?.cells ?? []).map((_, at) =>
    Math.max(...rows.map(({ cells }) => cells[at]?.length ?? 0)),
  );
  return rows.map(({ isWell, cells }) => {
    const line = cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
    return `  ${isWell ? line : paint.yellow(line)}`;
  });
}
