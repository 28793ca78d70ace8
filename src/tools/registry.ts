/** The coordination tools, for every runtime: in process for `builtin`, over MCP for the others. */
import type { Tool } from "../runtimes/port.ts";
import type { ToolsContext } from "./context.ts";
import { sendMessage } from "./send-message.ts";

/** The tools of one session, always in the same order. */
export function toolsFor(context: ToolsContext): readonly Tool[] {
  return [sendMessage(context)];
}
