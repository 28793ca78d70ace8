/** `policy`: what agents may do with which tool. The keys are the core's. */
import { z } from "zod";
import { verdicts } from "../core/policy.ts";
import { agentId, word } from "./fields.ts";

const pattern = z.string().min(1, { error: "is empty; leave the key out, or write * for everything" });

/** As `hostOf` writes them: in any other way a rule would never fit, and one that denies would let in. */
function isHostPattern(about: string): boolean {
  return /^[a-z0-9*._:[\]-]+$/.test(about) && /(?:\*|:\d{1,5})$/.test(about);
}

const anyRule = z.strictObject({
  agent: agentId.optional().describe("Only for this agent.").meta({ sample: "bo" }),
  role: word.optional().describe("Only for agents with this role.").meta({ sample: "executor" }),
  tool: pattern
    .optional()
    .describe(
      "Only for this tool; * stands for any characters. docs/supervision.md lists the tools; network is a host that a command " +
        "wants to reach, and is let in only by rules that name it.",
    )
    .meta({ sample: "run_command" }),
  about: pattern
    .optional()
    .describe(
      "Only for this command, path, host (name:port), subtask or receiver; * stands for any characters. In a rule that allows " +
        "commands it stands for none by which a shell begins another one, like ; & | or $.",
    )
    .meta({ sample: "npm publish*" }),
  do: z.enum(verdicts).describe("allow, ask a person each time, or deny."),
});

const rule = anyRule.refine(({ tool, about }) => tool !== "network" || about === undefined || isHostPattern(about), {
  path: ["about"],
  error: "is not the name of a host with its port; write it in lower case, like example.org:443 or *.example.org:*",
});

export const policy = z
  .array(rule)
  .default([])
  .describe(
    "Rules for agents' tools, in order: the first that fits decides. What no rule fits is allowed, but for commands " +
      "without a sandbox, which are asked about, and hosts that are not in sandbox.network, which are refused. What leads out " +
      "of the task's files is refused always.",
  );
