/**
 * The life of components: start from the top, stop from the bottom, faults and what becomes of them.
 *
 * Every operation here runs in the turn of the component it is about, as a control operation; a
 * component waits for its children by counting those that it told to start or stop (`awaiting`).
 */

import { replaceForRestart } from "./carry.ts";
import type { ChildHandle } from "./child.ts";
import type { ComponentCore } from "./component-core.ts";
import { ChildKilled, ChildStarted, ChildStopped } from "./control.ts";
import { coreError, describeThrown } from "./errors.ts";
import type { Event } from "./event.ts";
import type { Escalation, Fault, Resolution, Restart } from "./fault.ts";
import { resolveOffers, withdrawOffers } from "./offer.ts";
import { type Operation, operation } from "./operation.ts";

// --- start ---------------------------------------------------------------------------------------

/** Starts a component and then its children; harmless where it has started. */
export function start(core: ComponentCore): void {
  if (core.phase === "stopping" && core.afterStop === "stay") core.afterStop = "start";
  if (core.phase !== "created" && core.phase !== "stopped") return;
  // Under a parent that is not up it would run alone; the parent starts all its children.
  if (core.parent !== null && !core.parent.childrenStarted) return;
  core.phase = "starting";
  resolveOffers(core);
  acquire(core);
  for (const hook of core.hooks?.start ?? []) hook();
  startChildren(core);
  core.refreshRuns();
}

function startChildren(core: ComponentCore): void {
  core.childrenStarted = true;
  for (const handle of core.childHandles()) awaitStart(core, handle);
  if (core.awaiting === 0) completeStart(core);
}

/** Tells a child to start, and waits for it where the parent's own start is not complete. */
export function awaitStart(core: ComponentCore, handle: ChildHandle): void {
  if (handle.core.phase === "started") return;
  if (core.phase === "starting" && !handle.awaited) {
    handle.awaited = true;
    core.awaiting++;
  }
  handle.core.post(start);
}

function completeStart(core: ComponentCore): void {
  core.phase = "started";
  core.refreshRuns();
  core.system.note("started", core);
  if (core.parent?.listens === true) core.parent.tell(new ChildStarted({ name: core.name }));
  core.system.settled(core);
  // A parent that is stopping meanwhile waits for this one's stop, not for its start.
  if (core.parent?.phase !== "stopping") settle(core);
}

/** Counts a child that the parent waited for. */
function settle(core: ComponentCore): void {
  const { handle, parent } = core;
  if (handle === null || parent === null || !handle.awaited) return;
  handle.awaited = false;
  if (--parent.awaiting > 0) return;
  if (parent.phase === "starting" && parent.childrenStarted) completeStart(parent);
  else if (parent.phase === "stopping") parent.post(finishStop);
}

/** Runs the acquiring handlers of an instance that holds nothing yet. */
export function acquire(core: ComponentCore): void {
  if (core.acquired) return;
  core.acquired = true;
  for (const hook of core.hooks?.acquire ?? []) hook();
}

/** Runs the releasing handlers; a throw in one is reported, and the others still run. */
export function release(core: ComponentCore): void {
  if (!core.acquired) return;
  core.acquired = false;
  runAll(core, core.hooks?.release);
}

function runAll(core: ComponentCore, hooks: readonly (() => unknown)[] | undefined): void {
  for (const hook of hooks ?? []) {
    try {
      hook();
    } catch (cause) {
      // Tearing down goes on to the end: what is left half stopped could never be stopped again.
      core.system.reportFault({ cause, path: core.path, event: undefined });
    }
  }
}

// --- stop and kill -------------------------------------------------------------------------------

/** Stops a component: its own handlers first, then its children, then what it acquired. */
export function stop(core: ComponentCore): void {
  if (core.phase === "destroyed" || core.phase === "stopping") return;
  if (core.phase === "created" || core.phase === "stopped") {
    core.phase = "stopped";
    dropFaults(core);
    afterStop(core);
    return;
  }
  core.phase = "stopping";
  core.refreshRuns();
  core.awaiting = 0;
  // Nothing below starts any more, whatever its own handlers or the control port's ask for.
  core.childrenStarted = false;
  // The state of a component that has thrown may be torn: its handlers are not asked any more.
  if (!core.faulted) runAll(core, core.hooks?.stop);
  // What the world provides is there until the main component has stopped.
  if (core.parent !== null) for (const handle of core.childHandles()) awaitStop(core, handle);
  if (core.awaiting === 0) finishStop(core);
}

function awaitStop(core: ComponentCore, handle: ChildHandle): void {
  handle.awaited = true;
  core.awaiting++;
  handle.core.post(stop);
}

function finishStop(core: ComponentCore): void {
  if (core.phase !== "stopping" || core.awaiting > 0) return;
  const last =
    core.parent === null
      ? core.childHandles().findLast((handle) => handle.core.phase !== "stopped")
      : undefined;
  if (last !== undefined) {
    awaitStop(core, last);
    return;
  }
  release(core);
  if (core.hasPending) core.pending.cancelTimers();
  core.phase = "stopped";
  dropFaults(core);
  core.system.note("stopped", core);
  core.parent?.tell(new ChildStopped({ name: core.name }));
  afterStop(core);
}

/** A stop resolves whatever faults are left. */
function dropFaults(core: ComponentCore): void {
  for (const _ of core.faults ?? []) resumeTree(core);
  core.faults = null;
}

function afterStop(core: ComponentCore): void {
  const next = core.afterStop;
  core.afterStop = "stay";
  if (next === "destroy") destroy(core);
  settle(core);
  if (core.parent === null) core.system.rootStopped();
  if (next === "start") start(core);
}

/** Stops a component and then removes it. */
export function kill(core: ComponentCore): void {
  if (core.phase === "destroyed") return;
  core.afterStop = "destroy";
  stop(core);
}

/** Removes a component that has stopped, and all below it. */
function destroy(core: ComponentCore): void {
  for (const handle of core.childHandles()) destroy(handle.core);
  release(core);
  if (core.hasPending) core.pending.cancelAll();
  bury(core);
  core.parent?.children?.delete(core.name);
  withdrawOffers(core);
  core.system.note("killed", core);
  core.parent?.tell(new ChildKilled({ name: core.name }));
}

/** Takes a core out of the system: its queue becomes dead letters, its channels are cut. */
export function bury(core: ComponentCore): void {
  const { system } = core;
  core.phase = "destroyed";
  core.urgent = null;
  core.alarm = 0;
  core.refreshRuns();
  core.mailbox.visit((target, event) => {
    const port = core.ports.find((one) => one === target);
    system.deadLetter("killed", core, port?.name ?? "", event as Event);
  });
  core.mailbox.reset();
  for (let n = core.entriesWaiting; n > 0; n--)
    system.deadLetter("no-component", core, "", undefined);
  core.entries = null;
  for (const half of core.halves()) for (const channel of half.channels()) channel.disconnect();
  for (const channel of core.channels ?? []) channel.disconnect();
  system.forget(core);
}

// --- faults --------------------------------------------------------------------------------------

/** Adds a reason not to run to a component and all below it. */
export function suspendTree(core: ComponentCore): void {
  core.suspended++;
  core.refreshRuns();
  for (const handle of core.childHandles()) suspendTree(handle.core);
}

/** Takes one reason away again. */
export function resumeTree(core: ComponentCore): void {
  core.suspended--;
  core.refreshRuns();
  for (const handle of core.childHandles()) resumeTree(handle.core);
}

/** An exception got out of a component: suspends it and asks its parent. */
export function raise(core: ComponentCore, cause: unknown, event: Event | undefined): void {
  const fault: Fault = { cause, path: core.path, event };
  core.system.note("fault", core, event, describeThrown(cause));
  if (core.phase === "destroyed" || core.phase === "stopping" || core.phase === "stopped")
    core.system.reportFault(fault);
  else suspendFor(core, { fault, chain: [] });
}

function suspendFor(core: ComponentCore, escalation: Escalation): void {
  const { parent } = core;
  // Several faults from below may suspend one component; it goes on when all are resolved.
  (core.faults ??= new Set()).add(escalation);
  suspendTree(core);
  escalation.chain.push(core);
  if (parent === null) core.system.unhandled(escalation.fault);
  else parent.post(resolving(parent, core, escalation));
}

/** The operation by which a parent hears of a fault. */
export function resolving(
  parent: ComponentCore,
  child: ComponentCore,
  escalation: Escalation,
): Operation {
  return operation({ kind: "resolve", parent, child, escalation }, () =>
    resolveFault(parent, child, escalation),
  );
}

/** Applies the parent's policy to a fault of a child, or of one below it that escalated. */
function resolveFault(parent: ComponentCore, child: ComponentCore, escalation: Escalation): void {
  // Stopped or replaced meanwhile, or about to be stopped, alone or with its parent.
  if (child.faults?.has(escalation) !== true || leaving(child) || leaving(parent)) return;
  const policy = child.handle?.policy ?? parent.policy;
  const { fault } = escalation;
  let resolution: Resolution = "escalate";
  try {
    if (policy !== null) resolution = policy(fault);
  } catch (cause) {
    escalate(parent, escalation, { cause, path: parent.path, event: fault.event });
    return;
  }
  if (resolution === "escalate") {
    escalate(parent, escalation, fault);
  } else if (resolution === "resume") {
    for (const core of escalation.chain) resume(core, escalation);
  } else if (resolution === "stop") {
    child.post(() => stop(child));
  } else if (typeof resolution === "object" && resolution?.restart) {
    scheduleRestart(parent, child, escalation, resolution);
  } else {
    const cause = coreError(
      "KITH_BAD_POLICY",
      `The fault policy for ${child.path} returned ${typeof resolution === "string" ? resolution : typeof resolution}.`,
      fault.cause,
    );
    escalate(parent, escalation, { ...fault, cause });
  }
}

/** Whether a component is gone, or will be once all below it has stopped: nobody asks for its faults any more. */
function leaving(core: ComponentCore): boolean {
  return core.phase === "stopping" || core.phase === "destroyed";
}

function resume(core: ComponentCore, escalation: Escalation): void {
  if (core.faults?.delete(escalation) !== true) return;
  if (core.faults.size === 0) core.faults = null;
  resumeTree(core);
  // The throw may have come from onStart: what it left undone is done now.
  if (core.phase === "starting" && !core.childrenStarted) core.post(startChildren);
}

function escalate(parent: ComponentCore, escalation: Escalation, fault: Fault): void {
  escalation.fault = fault;
  suspendFor(parent, escalation);
}

function scheduleRestart(
  parent: ComponentCore,
  child: ComponentCore,
  escalation: Escalation,
  rule: Restart,
): void {
  const { fault } = escalation;
  const handle = child.handle as ChildHandle;
  const now = parent.system.nowMicros();
  handle.restarts = handle.restarts.filter((at) => now - at < rule.within * 1000);
  if (handle.restarts.length >= rule.limit) {
    const what = `${child.path} was restarted ${handle.restarts.length} times within ${rule.within} ms.`;
    escalate(parent, escalation, {
      ...fault,
      cause: coreError("KITH_RESTART_LIMIT", what, fault.cause),
    });
    return;
  }
  const delay = Math.min(rule.backoffMax, rule.backoff * rule.factor ** handle.restarts.length);
  handle.restarts = handle.restarts.concat(now);
  if (delay === 0) {
    restartNow(handle);
    return;
  }
  try {
    parent.pending.restartAfter(delay, handle.name);
  } catch (cause) {
    escalate(parent, escalation, { ...fault, cause });
  }
}

/** Begins a faulted child again from its init. */
export function restartNow(handle: ChildHandle): void {
  const old = handle.core;
  const { parent } = old;
  if (!old.faulted || leaving(old) || parent === null || leaving(parent)) return;
  const running = old.phase === "created" ? parent.childrenStarted : true;
  try {
    const next = replaceForRestart(handle);
    next.system.note("restarted", next);
    if (running) awaitStart(parent, handle);
  } catch (cause) {
    // Its constructor threw: that is a fault of the same child, and counts against the same limit.
    const [escalation] = old.faults ?? [];
    if (escalation === undefined) throw cause;
    escalation.fault = { ...escalation.fault, cause };
    parent.post(resolving(parent, old, escalation));
  }
}

/** The operations that know nothing but the component they run at: a checkpoint holds them as they are. */
export const bareOperations: ReadonlySet<Operation> = new Set<Operation>([
  start,
  startChildren,
  stop,
  finishStop,
  kill,
]);
