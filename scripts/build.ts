/** Compiles `src/` to `dist/`: Node does not strip types from files inside `node_modules`, where users have the package. */
import { rm } from "node:fs/promises";
import process from "node:process";
import { run } from "./run.ts";

await rm(new URL("../dist", import.meta.url), { recursive: true, force: true });
const { code, output } = await run("tsc", ["-p", "tsconfig.build.json"]);
if (code !== 0) console.error(output);
process.exitCode = code;
