/** A session's tools in a room that writes down what they ask of it. */
import type { Action } from "../../src/core/tasks/actions.ts";
import type { RuntimeName, Tool, ToolCallContext } from "../../src/runtimes/port.ts";
import type { ToolsContext } from "../../src/tools/context.ts";
import { toolsFor } from "../../src/tools/registry.ts";
import { agentId, turnId } from "../runtimes/support.ts";

export const allRoles = ["planner", "executor", "reviewer", "patrol"];

export const call: ToolCallContext = { turn: turnId("t1"), callId: "c1", signal: new AbortController().signal };

export interface Session {
  readonly tools: readonly Tool[];
  readonly said: Parameters<ToolsContext["says"]>[];
  readonly acted: Parameters<ToolsContext["acts"]>[];
  readonly read: Parameters<ToolsContext["reads"]>[];
  readonly worked: Parameters<ToolsContext["works"]>[];
  /** Calls a tool by its name. */
  readonly use: (name: string, input: unknown) => Promise<string>;
}

export function sessionOf(roles: readonly string[] = allRoles, runtime: RuntimeName = "builtin"): Session {
  const said: Session["said"] = [];
  const acted: Session["acted"] = [];
  const read: Session["read"] = [];
  const worked: Session["worked"] = [];
  const tools = toolsFor({
    server: "example.org",
    roles,
    runtime,
    agentsHere: () => [agentId("ada"), agentId("bob")],
    says: async (...args) => {
      said.push(args);
      return "Sent.";
    },
    acts: async (...args) => {
      acted.push(args);
      return "Done.";
    },
    reads: async (...args) => {
      read.push(args);
      return "@alice:example.org: hello";
    },
    works: async (...args) => {
      worked.push(args);
      return "Worked.";
    },
  });
  return {
    tools,
    said,
    acted,
    read,
    worked,
    use: async (name, input) => {
      const tool = tools.find((one) => one.name === name);
      if (tool === undefined) throw new Error(`there is no tool ${name}`);
      return tool.call(input, call);
    },
  };
}

/** What a tool makes of its arguments; fails when it refuses them. */
export async function actionOf(name: string, input: unknown): Promise<Action | undefined> {
  const session = sessionOf();
  const answer = await session.use(name, input);
  if (answer !== "Done.") throw new Error(answer);
  return session.acted[0]?.[2];
}
