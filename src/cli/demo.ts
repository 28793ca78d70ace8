/** `crewroom demo` */
import { CrewError } from "../core/errors.ts";
import { asUserId } from "../core/ids.ts";
import { text, type Given } from "./given.ts";
import type { ExitCode } from "./terminal.ts";

export async function demo(given: Given): Promise<ExitCode> {
  const homeserver = text(given, "homeserver");
  if (homeserver !== undefined && !/^https?:\/\//.test(homeserver)) {
    throw new CrewError("COMMAND_INVALID", {
      reason: "crewroom demo: --homeserver needs an http:// or https:// address.",
    });
  }
  const person = text(given, "person");
  if (person !== undefined && asUserId(person) === undefined) {
    throw new CrewError("COMMAND_INVALID", {
      reason: "crewroom demo: --person needs a Matrix id like @you:example.org.",
    });
  }
  const { runDemo } = await import("../demo/demo.ts");
  const code = await runDemo({
    once: given["once"] === true,
    ...(homeserver !== undefined && { homeserver }),
    ...(person !== undefined && { person }),
  });
  return code === 0 || code === 130 ? code : 1;
}
