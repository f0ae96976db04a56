/**
 * The status page: the ring of peers and the groups of keys as a picture, and the same in two tables. It needs no script; a short
 * one brings it up to date every two seconds without a flicker.
 *
 * What peers say of themselves stands in it as text only.
 */

import { createHash } from "node:crypto";
import { formatLife } from "@kith/network";
import { octetBytes } from "@kith/paxos";
import type { ClusterView, GroupReport, ProcessReport } from "@kith/peer";

/** A view as JSON, with the ends of ranges in hexadecimal digits. */
export interface PlainView {
  readonly here: PlainProcess;
  readonly processes: readonly (PlainProcess & { readonly silent: boolean })[];
  readonly complete: boolean;
}

type PlainProcess = Omit<ProcessReport, "peers"> & { readonly peers: readonly PlainPeer[] };
type PlainPeer = Omit<ProcessReport["peers"][number], "groups"> & {
  readonly groups: readonly GroupReport[];
};

/**
 * Makes a view JSON. Who has a replica and was never heard of by whoever looks is in it, too, as silent: a look from outside knows only those
 * that answer, and must not show a cluster with a dead peer as whole.
 */
export function plainView({ here, processes, complete }: ClusterView): PlainView {
  const told = processes.map((one) => ({ ...plainProcess(one), silent: one.silent }));
  const known = new Set(told.flatMap(({ peers }) => peers.map(({ peer }) => peer.peerId)));
  const members = told.flatMap(({ peers }) => peers.flatMap(({ groups }) => groups));
  const unheard = new Set(members.flatMap((group) => group.members.filter((id) => !known.has(id))));
  return {
    here: plainProcess(here),
    processes: [...told, ...[...unheard].map((id) => unheardOf(id, here.clusterId))],
    complete: complete && unheard.size === 0,
  };
}

/** Where a peer is, for people. */
export function whereText({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): string {
  return port === 0 ? "unknown" : `${host}:${port}`;
}

/** A peer of which nothing is known but that it has a replica, in a process of its own. */
function unheardOf(peerId: number, clusterId: string): PlainView["processes"][number] {
  const peer = { peerId, host: "", port: 0, incarnation: 0 };
  return {
    ...{ process: peer, clusterId, disk: "", phase: "ready", detail: "", connections: 0 },
    silent: true,
    peers: [
      {
        ...{ peer, state: "silent", reason: "", ring: "out", predecessor: null, successors: [] },
        groups: [],
        counters: { done: 0, notDone: 0, unknown: 0, open: 0, restarts: 0 },
      },
    ],
  };
}

function plainProcess(report: ProcessReport): PlainProcess {
  const peers = report.peers.map((peer) => ({
    ...peer,
    groups: peer.groups.map((group) => ({
      ...group,
      lo: hexOf(group.lo),
      hi: group.hi === null ? null : hexOf(group.hi),
    })),
  }));
  return { ...report, peers };
}

/** A group, put together from what its members say: the one that has got furthest is believed. */
export interface GroupRow extends GroupReport {
  /** Where each of its members is with the log. */
  readonly appliedBy: ReadonlyMap<number, number>;
}

/** The groups of a view, in the order of their keys. */
export function groupsOf({ processes }: PlainView): GroupRow[] {
  const rows = new Map<string, GroupRow>();
  for (const { peers, silent } of processes)
    for (const { peer, groups, state } of peers) {
      if (silent || state !== "up") continue;
      for (const group of groups) {
        const before = rows.get(group.gid);
        const appliedBy = new Map(before?.appliedBy).set(peer.peerId, group.applied);
        const isNewer =
          before === undefined ||
          group.epoch > before.epoch ||
          (group.epoch === before.epoch &&
            (group.term > before.term || (group.term === before.term && before.leader === null)));
        rows.set(group.gid, { ...(isNewer ? group : before), appliedBy });
      }
    }
  return [...rows.values()].sort((a, b) => (a.lo < b.lo ? -1 : 1));
}

/** The page, and the headers that keep it from loading anything. */
export function statusPage(view: PlainView): {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
} {
  const { clusterId, phase, detail } = view.here;
  const head = `<header><h1>Kith</h1><p>cluster <code>${text(clusterId.slice(0, 8))}</code>, ${text(phase)}${detail === "" ? "" : `: ${text(detail)}`}${view.complete ? "" : ", not all have answered"}</p></header>`;
  const main = `<main>${head}${picture(view)}<section>${peersTable(view)}${groupsTable(view)}</section></main>`;
  const body = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Kith</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<noscript><meta http-equiv="refresh" content="2"></noscript>
<style>${style}</style></head>
<body>${main}<script>${script}</script></body></html>
`;
  const policy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return { body, headers: { "content-security-policy": policy, "referrer-policy": "no-referrer" } };
}

const ringSize = 2 ** 50;
const size = 480;
const middle = size / 2;
const ringRadius = 170;
const keysRadius = 105;
const colours = [
  "#4269d0",
  "#efb118",
  "#ff725c",
  "#6cc5b0",
  "#3ca951",
  "#ff8ab7",
  "#a463f2",
  "#97bbf5",
];

function peersOf({ processes }: PlainView) {
  return processes
    .flatMap(({ peers, silent, process }) =>
      peers.map((report) => ({ ...report, silent: silent || report.state === "silent", process })),
    )
    .sort((a, b) => a.peer.peerId - b.peer.peerId);
}

/** Peers are called by their places on the ring, as `kith status` does: identities have up to sixteen digits. */
function nameOf(view: PlainView): (peerId: number) => string {
  const ids = peersOf(view).map(({ peer }) => peer.peerId);
  return (peerId) => (ids.includes(peerId) ? `${ids.indexOf(peerId) + 1}` : `${peerId}`);
}

function colourOf(view: PlainView): (peerId: number | null) => string {
  const ids = peersOf(view).map(({ peer }) => peer.peerId);
  return (peerId) =>
    peerId === null || !ids.includes(peerId)
      ? "#999"
      : (colours[ids.indexOf(peerId) % colours.length] ?? "#999");
}

function picture(view: PlainView): string {
  const colour = colourOf(view);
  const name = nameOf(view);
  const peers = peersOf(view);
  const places = new Map(
    peers.map(({ peer }) => [peer.peerId, pointAt(peer.peerId / ringSize, ringRadius)] as const),
  );
  const arcs = groupsOf(view).map(({ lo, hi, gid, leader, members }) => {
    const title = `${gid}: led by ${leader === null ? "nobody" : name(leader)}, replicas at ${members.map(name).join(", ")}`;
    const [from, to] = [fractionOf(lo), hi === null ? 1 : fractionOf(hi)];
    return `<path class="group" d="${arc(from, to)}" stroke="${colour(leader)}"><title>${text(title)}</title></path>`;
  });
  const links = peers.flatMap(({ peer, successors, state, silent }) => {
    const from = places.get(peer.peerId);
    const to = places.get(successors[0]?.peerId ?? -1);
    if (from === undefined || to === undefined || state !== "up" || silent) return [];
    // Along the ring, in its direction: a ring that is closed shows no gap.
    const distance = ((successors[0]?.peerId ?? 0) - peer.peerId + ringSize) % ringSize;
    const isLarge = distance > ringSize / 2 ? 1 : 0;
    return [`<path class="link" d="M${from} A${ringRadius},${ringRadius} 0 ${isLarge} 1 ${to}"/>`];
  });
  const dots = peers.map(({ peer, state, ring, silent, process }) => {
    const id = peer.peerId;
    const isUp = state === "up" && !silent;
    const isHere =
      process.port === view.here.process.port && process.host === view.here.process.host;
    const [x = "", y = ""] = (places.get(id) ?? "").split(",");
    const [labelX = "", labelY = ""] = pointAt(id / ringSize, ringRadius + 28).split(",");
    const title = `peer ${id} at ${whereText(peer)}, life ${formatLife(peer)}: ${isUp ? `ring ${ring}` : silent ? "silent" : state}`;
    return `<g class="${isUp ? "up" : "down"}"><circle cx="${x}" cy="${y}" r="${isHere ? 13 : 11}" fill="${isUp ? colour(id) : "none"}" stroke="${colour(id)}"><title>${text(title)}</title></circle><text x="${labelX}" y="${labelY}">${text(name(id))}</text></g>`;
  });
  const count = peers.filter(({ state, silent }) => state === "up" && !silent).length;
  return `<svg viewBox="0 0 ${size} ${size}" role="img" aria-label="The ring of peers, and inside it the groups of keys"><circle class="ring" cx="${middle}" cy="${middle}" r="${ringRadius}"/>${links.join("")}${arcs.join("")}${dots.join("")}<text class="count" x="${middle}" y="${middle}">${count} of ${peers.length}</text><text class="unit" x="${middle}" y="${middle + 22}">peers are up</text></svg>`;
}

function peersTable(view: PlainView): string {
  const colour = colourOf(view);
  const name = nameOf(view);
  const rows = peersOf(view).map(({ peer, state, reason, ring, silent, groups, counters }) => {
    const how = silent ? "silent" : state === "up" ? `up, ring ${ring}` : `${state}: ${reason}`;
    const led = groups.filter(({ role }) => role === "leader").length;
    return `<tr class="${state === "up" && !silent ? "up" : "down"}"><td><svg class="key" viewBox="0 0 10 10"><circle cx="5" cy="5" r="5" fill="${colour(peer.peerId)}"/></svg> ${text(name(peer.peerId))}</td><td>${text(whereText(peer))}</td><td>${text(how)}</td><td>${text(`${formatLife(peer)}`)}</td><td>${led} of ${groups.length}</td><td>${text(`${counters.done}`)}</td><td>${text(`${counters.unknown}`)}</td></tr>`;
  });
  return `<h2>Peers</h2><table><thead><tr><th>peer</th><th>address</th><th>state</th><th>life</th><th>leads</th><th>done</th><th>unknown</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function groupsTable(view: PlainView): string {
  const name = nameOf(view);
  const rows = groupsOf(view).map(({ gid, lo, hi, leader, members, epoch, appliedBy, halted }) => {
    const at = members.map((id) => `${name(id)} at ${appliedBy.get(id) ?? "?"}`).join(", ");
    return `<tr class="${leader === null || halted !== null ? "down" : "up"}"><td>${text(gid)}</td><td><code>${text(lo.slice(0, 8) || "0")}…${text(hi?.slice(0, 8) ?? "end")}</code></td><td>${leader === null ? "nobody" : text(name(leader))}</td><td>${text(at)}</td><td>${text(`${epoch}`)}</td></tr>`;
  });
  return `<h2>Groups</h2><table><thead><tr><th>group</th><th>keys</th><th>leader</th><th>replicas, and how far they are</th><th>epoch</th></tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

/** A point of a circle; 0 is at its top, and it goes on clockwise. */
function pointAt(fraction: number, radius: number): string {
  const angle = fraction * 2 * Math.PI;
  const [x, y] = [middle + radius * Math.sin(angle), middle - radius * Math.cos(angle)];
  return `${x.toFixed(1)},${y.toFixed(1)}`;
}

function arc(from: number, to: number): string {
  const gap = 0.004;
  const [begin, end] = [from + gap, Math.max(from + gap, to - gap)];
  const isLarge = end - begin > 0.5 ? 1 : 0;
  // An arc has two ends: one that goes all around is drawn as two.
  const half = (begin + end) / 2;
  if (isLarge === 1)
    return `M${pointAt(begin, keysRadius)} A${keysRadius},${keysRadius} 0 0 1 ${pointAt(half, keysRadius)} A${keysRadius},${keysRadius} 0 0 1 ${pointAt(end, keysRadius)}`;
  return `M${pointAt(begin, keysRadius)} A${keysRadius},${keysRadius} 0 0 1 ${pointAt(end, keysRadius)}`;
}

/** Where a position lies among all, by its first bytes. */
function fractionOf(hex: string): number {
  const digits = hex.slice(0, 12).padEnd(12, "0");
  return Number.parseInt(digits, 16) / 2 ** 48;
}

function hexOf(octets: string): string {
  return Buffer.from(octetBytes(octets)).toString("hex");
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function text(raw: string): string {
  return raw.replaceAll(/[&<>"']/g, (mark) => escapes[mark] ?? "");
}

function hashOf(inline: string): string {
  return `sha256-${createHash("sha256").update(inline).digest("base64")}`;
}

const style = `
:root{color-scheme:light dark;--line:#8884;--soft:#888}
body{font:15px/1.45 system-ui,sans-serif;margin:0;padding:1.5rem}
main{display:grid;grid-template-columns:minmax(280px,480px) minmax(0,1fr);gap:0 2rem;max-width:1200px;margin:auto;align-items:start}
header{grid-column:1/-1;display:flex;gap:1rem;align-items:baseline}h1{margin:0}header p{margin:0;color:var(--soft)}
h2{font-size:1rem;margin:1rem 0 .25rem}
svg{width:100%}svg.key{width:.7em;height:.7em}
.ring{fill:none;stroke:var(--line);stroke-width:2}.link{fill:none;stroke:var(--soft);stroke-width:3}
.group{fill:none;stroke-width:16}.group:hover{stroke-width:22}
svg g circle{stroke-width:3}svg text{font-size:13px;text-anchor:middle;dominant-baseline:middle;fill:currentColor}
svg .count{font-size:22px}svg .unit{fill:var(--soft)}.down{opacity:.55}
table{border-collapse:collapse;width:100%;font-size:.85rem}th{text-align:left;font-weight:600;color:var(--soft)}
td,th{padding:.2rem .6rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}
section{overflow-x:auto}@media(max-width:900px){main{grid-template-columns:1fr}}
`;

const script = `
setInterval(async () => {
  if (document.hidden) return;
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    const main = page.querySelector("main");
    if (main) document.querySelector("main").replaceWith(main);
  } catch {
    document.querySelector("header p").textContent = "this peer does not answer";
  }
}, 2000);
`;
