/** `crewroom demo` */
import { CrewError } from "../core/errors.ts";
import { text, type Given } from "./commands.ts";
import type { ExitCode } from "./terminal.ts";

export async function demo(given: Given): Promise<ExitCode> {
  const homeserver = text(given, "homeserver");
  if (homeserver !== undefined && !/^https?:\/\//.test(homeserver)) {
    throw new CrewError("COMMAND_INVALID", {
      reason: "crewroom demo: --homeserver needs an http:// or https:// address.",
    });
  }
  const { runDemo } = await import("../demo/demo.ts");
  const once = given["once"] === true;
  return (await runDemo(homeserver === undefined ? { once } : { once, homeserver })) === 0 ? 0 : 1;
}
