/** The command line: `crewroom --help` lists the commands. */
import { once } from "node:events";
import process from "node:process";
import { runCommandLine } from "./cli/run.ts";

const { stdout } = process;

stdout.on("error", (thrown: NodeJS.ErrnoException) => {
  // Who read it has read enough, like `head`. A bridge goes on without.
  if (thrown.code !== "EPIPE") throw thrown;
});

process.exitCode = await runCommandLine(process.argv.slice(2), {
  out: (line) => void stdout.write(`${line}\n`),
  caughtUp: async () => {
    if (stdout.writableNeedDrain) await once(stdout, "drain").catch(() => undefined);
    if (stdout.destroyed) process.exit(0);
  },
  err: (line) => void process.stderr.write(`${line}\n`),
  env: process.env,
});
