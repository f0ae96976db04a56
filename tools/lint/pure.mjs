// The rule `kith/pure`: a component touches only its ports.
//
// The same program runs on sockets and clocks and inside the simulator, where a seed fixes every
// event. That holds only as long as component packages take no time, no randomness, no promise and
// no I/O from the host, and nothing whose result depends on the machine's language settings.
//
// A name counts only where it means the host's global: a field, a parameter or a local function
// called `process` or `fetch` is nobody's business. Nothing is found by text.
//
// Option: `{ "allow": ["promises"] }` permits promises and async code, and nothing else.

import { builtinModules } from "node:module";

const TIME =
  "Ask the Timer port for a timeout, and the component's clock for the time: both exist in the simulator too.";
const RANDOM = "Use `this.random`: its draws follow from the seed and the component's path.";
const PROMISE =
  "Handlers run to completion. Do it in a component at the edge and hand the result in as an event through `this.enter(() => ...)`.";
const STORAGE = "Use the Storage port.";
const NETWORK = "Use the Network port, or the Web port for requests of browsers.";
const SECRET = "Use `this.random` for draws; keys and signatures belong into an edge package.";
const LOCALE =
  "Its result depends on the machine's language settings. Compare with `<` and `>`, and format in an edge package.";
const HOST = "Take it from the environment or the init, which the edge fills in.";
const LOG = "Use the component's logger.";
const COLLECTOR =
  "It shows when the garbage collector ran, which no seed fixes. Release in `onStop`, `onRelease` or by an explicit event.";
const THREAD =
  "Components do not know about threads. Placing a subtree is the business of its world.";
const SCREEN = "Pages and their storage belong into an edge package; talk to them by events.";

/** The banned globals, each with what to use instead. */
export const GLOBALS = new Map([
  ...each(TIME, "Date performance Temporal setTimeout setInterval clearTimeout clearInterval"),
  ...each(TIME, "setImmediate clearImmediate requestAnimationFrame requestIdleCallback scheduler"),
  ...each(PROMISE, "Promise queueMicrotask AbortController AbortSignal"),
  ...each(SECRET, "crypto Crypto CryptoKey SubtleCrypto"),
  ...each(NETWORK, "fetch XMLHttpRequest WebSocket WebSocketStream WebTransport EventSource"),
  ...each(NETWORK, "Request Response RTCPeerConnection"),
  ...each(THREAD, "MessageChannel MessagePort BroadcastChannel Worker SharedWorker Atomics"),
  ...each(THREAD, "SharedArrayBuffer"),
  ...each(LOCALE, "Intl"),
  ...each(COLLECTOR, "WeakRef FinalizationRegistry"),
  ...each(HOST, "process navigator require module exports __dirname __filename"),
  ...each(SCREEN, "document location localStorage sessionStorage indexedDB caches alert"),
  ...each(LOG, "console"),
  ["Buffer", "Use `Uint8Array`, `TextEncoder` and `DataView`: they exist in browsers too."],
  ["eval", "Code comes from modules."],
]);

/** Banned methods, whatever they are called on. */
const METHODS = new Map([
  ...each(
    LOCALE,
    "localeCompare toLocaleString toLocaleDateString toLocaleTimeString toLocaleUpperCase toLocaleLowerCase",
  ),
  ["fromAsync", PROMISE],
]);

/** The names of the object that holds all globals. */
const ROOTS = new Set(["globalThis", "window", "self", "global"]);
const PROMISES = new Set(["Promise", "AbortController", "AbortSignal"]);
const BUILTINS = new Set(builtinModules);

export const pure = {
  meta: {
    type: "problem",
    docs: { description: "forbid time, randomness, promises and I/O in component packages" },
    schema: [
      {
        type: "object",
        properties: { allow: { type: "array", items: { enum: ["promises"] } } },
        additionalProperties: false,
      },
    ],
  },
  create(context) {
    const promises = context.options[0]?.allow?.includes("promises") ?? false;
    const report = (node, what, instead) =>
      context.report({ node, message: `${what} is not for component packages. ${instead}` });
    const banned = (name) => (promises && PROMISES.has(name) ? undefined : GLOBALS.get(name));

    /** One use of a global name. */
    function useOfGlobal(node) {
      const { name } = node;
      if (ROOTS.has(name)) return useOfRoot(node);
      if (name === "Math") return useOfMath(node);
      const instead = banned(name);
      if (instead !== undefined) report(node, `\`${name}\``, instead);
    }

    /** `globalThis`: a plain property that is not banned may be read, nothing else. */
    function useOfRoot(node) {
      const names = propertiesOf(node);
      if (names === undefined) {
        report(node, `\`${node.name}\` as a value`, "Name the one global that you mean.");
        return;
      }
      for (const name of names) {
        const instead = ROOTS.has(name) ? "Name the one global that you mean." : banned(name);
        if (instead !== undefined) report(node, `\`${node.name}.${name}\``, instead);
      }
    }

    function useOfMath(node) {
      if (isType(node)) return;
      const names = propertiesOf(node);
      if (names === undefined) {
        report(node, "`Math` as a value", `It carries \`Math.random\`. ${RANDOM}`);
      } else if (names.includes("random")) {
        report(node, "`Math.random`", RANDOM);
      }
    }

    function importOf(source) {
      const name = source.value;
      if (typeof name !== "string") return;
      if (!name.startsWith("node:") && !BUILTINS.has(name) && !BUILTINS.has(name.split("/")[0])) {
        return;
      }
      report(source, `Node's module \`${name}\``, `${builtinAdvice(name)}`);
    }

    function asyncFunction(node) {
      if (node.async && !promises) report(node, "An async function", PROMISE);
    }

    function property(node, name) {
      const instead = METHODS.get(name);
      if (instead === undefined || (name === "fromAsync" && promises)) return;
      report(node, `\`${name}\``, instead);
    }

    return {
      Program(node) {
        for (const use of globalUses(context.sourceCode, node)) useOfGlobal(use);
      },
      ImportDeclaration: (node) => importOf(node.source),
      ExportNamedDeclaration: (node) => node.source && importOf(node.source),
      ExportAllDeclaration: (node) => importOf(node.source),
      TSExternalModuleReference: (node) => importOf(node.expression),
      ImportExpression(node) {
        report(
          node,
          "A dynamic import",
          "Import at the top. A component that comes at run time is loaded at the edge and handed in.",
        );
      },
      MetaProperty(node) {
        if (node.meta.name === "import") report(node, "`import.meta`", HOST);
      },
      FunctionDeclaration: asyncFunction,
      FunctionExpression: asyncFunction,
      ArrowFunctionExpression: asyncFunction,
      AwaitExpression(node) {
        if (!promises) report(node, "`await`", PROMISE);
      },
      ForOfStatement(node) {
        if (node.await && !promises) report(node, "`for await`", PROMISE);
      },
      CallExpression(node) {
        const name = node.callee.type === "MemberExpression" ? nameOf(node.callee) : undefined;
        if (name === "then" && !promises) report(node.callee.property, "`then`", PROMISE);
      },
      MemberExpression(node) {
        const name = nameOf(node);
        if (name !== undefined) property(node.property, name);
      },
      VariableDeclaration(node) {
        if (node.kind === "await using" && !promises) report(node, "`await using`", PROMISE);
      },
      Property(node) {
        if (node.parent.type === "ObjectPattern" && !node.computed) property(node, node.key.name);
      },
    };
  },
};

/** All identifiers in the file that mean a global of the host. */
function globalUses(sourceCode, program) {
  const scope = sourceCode.scopeManager?.globalScope ?? sourceCode.getScope(program);
  const uses = new Set();
  for (const reference of scope.through) uses.add(reference.identifier);
  for (const variable of scope.variables) {
    if (variable.defs.length > 0) continue;
    for (const reference of variable.references) uses.add(reference.identifier);
  }
  return uses;
}

/**
 * The properties that a use of an object names: one for `object.name`, several for
 * `const { a, b } = object`. `undefined` where they cannot be told.
 */
function propertiesOf(node) {
  const { parent } = node;
  if (parent.type === "MemberExpression" && parent.object === node) {
    const name = nameOf(parent);
    return name === undefined ? undefined : [name];
  }
  if (parent.type === "TSQualifiedName") return [parent.right.name];
  if (parent.type === "VariableDeclarator" && parent.init === node) {
    if (parent.id.type !== "ObjectPattern") return undefined;
    const plain = parent.id.properties.every((p) => p.type === "Property" && !p.computed);
    return plain ? parent.id.properties.map((p) => p.key.name ?? p.key.value) : undefined;
  }
  return undefined;
}

/** The name that a member expression reads, also from `["name"]`. */
function nameOf(member) {
  if (!member.computed) return member.property.name;
  const { property } = member;
  if (property.type === "Literal" && typeof property.value === "string") return property.value;
  if (property.type === "TemplateLiteral" && property.expressions.length === 0) {
    return property.quasis[0].value.cooked;
  }
  return undefined;
}

function isType(node) {
  return node.parent.type === "TSTypeQuery" || node.parent.type === "TSTypeReference";
}

function builtinAdvice(name) {
  const plain = name.replace(/^node:/, "").split("/")[0];
  if (plain === "timers" || plain === "perf_hooks") return TIME;
  if (plain === "fs") return STORAGE;
  if (["net", "dgram", "http", "https", "http2", "tls", "dns"].includes(plain)) return NETWORK;
  if (plain === "crypto") return SECRET;
  if (plain === "worker_threads" || plain === "cluster") return THREAD;
  return "These packages run in browsers and in the simulator. Move it to an edge package.";
}

function each(instead, names) {
  return names.split(" ").map((name) => [name, instead]);
}
