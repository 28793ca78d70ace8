/** `crewroom demo`: a crew of three to talk with, on a homeserver made for it or on one's own. */
import { CrewError } from "../core/errors.ts";
import { catchInterrupt } from "./interrupt.ts";
import { runLocalDemo } from "./local-demo.ts";
import { runOwnDemo } from "./own-demo.ts";

export interface DemoOptions {
  /** End when the conversation is done, with 0 when all answers came. Default: serve until Ctrl-C. */
  readonly once: boolean;
  /** Address of a homeserver to use instead of a local Synapse; then no conversation is played. */
  readonly homeserver?: string;
  /** With `homeserver`: the person's own Matrix id. */
  readonly person?: string;
  /** Gets each line. Default: writes to stdout. */
  readonly say?: (line: string) => void;
  /** Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
  /** Folder that is kept from run to run. Default: in the cache. */
  readonly directory?: string;
}

/** Resolves to the exit code: 0, or 1 when answers are missing, or 130 when `once` was interrupted. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { once, homeserver, person } = options;
  if (homeserver !== undefined && person === undefined) {
    throw new CrewError("COMMAND_INVALID", {
      reason: "crewroom demo --homeserver also needs --person @you:example.org.",
    });
  }
  const say = options.say ?? ((line: string): void => void process.stdout.write(`${line}\n`));
  using interrupt = catchInterrupt(say);
  const common = {
    say,
    env: options.env ?? process.env,
    signal: interrupt.signal,
    ...(options.directory !== undefined && { directory: options.directory }),
  };
  try {
    if (homeserver !== undefined && person !== undefined) return await runOwnDemo({ ...common, homeserver, person });
    return await runLocalDemo({ ...common, once });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    say("Stopped.");
    return once ? 130 : 0;
  }
}
