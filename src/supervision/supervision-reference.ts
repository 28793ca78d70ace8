/** `docs/supervision.md`: how a person keeps agents in hand. The tables are those that the code works by. */
import type { AskMatter } from "../core/asks.ts";
import { type Level, levels } from "../core/permissions.ts";
import { steeringPower } from "../core/power.ts";
import { commandTable, crewCommands } from "./commands.ts";
import type { ToolRow } from "./task-reference.ts";

interface MatterRow {
  /** Who needs an answer, and for what. */
  readonly asked: string;
  readonly options: string;
  readonly silence: string;
}

/** Every kind of question that the code has stands here: the compiler sees to it. */
const matters: Readonly<Record<AskMatter["kind"], MatterRow>> = {
  plan: {
    asked: "the planner has a plan that `tasks.plan_approval` puts before people",
    options: "✅ ❌",
    silence: "the task pauses",
  },
  final: {
    asked: "all subtasks are done (`tasks.final_approval: person`)",
    options: "✅ ❌",
    silence: "the task pauses",
  },
  planner: {
    asked: "the planner made no plan that can be carried out, or there is none",
    options: "🔁 try again, 🗑️ cancel",
    silence: "the task pauses",
  },
  subtask: {
    asked:
      "a subtask cannot go on: rejected too often, no worker, no reviewer, blocked, a critical concern, a failed merge",
    options: "what fits: ✅ ❌ 🔁 👍 🗑️",
    silence: "the task pauses",
  },
  budget: { asked: "a budget is used up", options: "✅ as much again, ❌", silence: "it stays used up" },
  permission: {
    asked: "an agent wants to use a tool that the policy asks about; the message shows exactly what",
    options: "✅ this once, ♾️ always (this agent, this tool, the same command, path, host or receiver, this room), ❌",
    silence: "no",
  },
  secret: {
    asked: "a file looks like it holds a secret; its content is not shown",
    options: "✅ record it, ❌",
    silence: "it is not recorded",
  },
  question: {
    asked: "an agent asks people something (`ask_human`)",
    options: "its own, 1️⃣ to 9️⃣, or any words",
    silence: "the agent is told, and goes on as it thinks best or is blocked",
  },
};

const levelWords: Readonly<Record<Level, string>> = {
  observe: "read along, and say commands that only tell",
  talk: "invite agents, talk with them, stop their turns by 🛑, and hand in files",
  task: "ask for tasks, and steer those that one asked for",
  supervise: "steer all tasks, answer their questions, release the breaker; invited to HQ",
  admin: "the same; for the operator",
};

const introduction = `You answer for what the agents do. This page says what you can do about it from any Matrix client; the bridge enforces all
of it in code. What follows from removing, muting, redacting and the like is in [moderation.md](moderation.md), budgets in
[tasks.md](tasks.md), files and commands in [files.md](files.md) and [sandbox.md](sandbox.md), and how to look back in
[audit.md](audit.md).`;

const questions = `A question is one message: who wants what, why, with the exact command or change, and a deadline (\`tasks.ask_hours\`). React
with one of the emojis under it, reply \`approve\` or \`deny <why>\`, or say \`!crew approve <id>\`. Who may answer: people with the
permission \`supervise\` (or \`task\`, who asked for the task) and power level ${steeringPower} in the room, at the moment of the answer.
Agents, the bot, notices and other bridges' agents never count. The first answer counts; taking a reaction back changes
nothing, and the message then shows the outcome. Open questions survive restarts, and are asked again when a room is replaced; a
lease does not end while its agent waits for an answer. Those of an agent that is removed are withdrawn, and so is what came from
a message that is redacted, and leave for work that has ended. Each task's room pins a message with the task's state, its
budget and its open questions; HQ is told of each question of a task, and of those about leave in chats.`;

const policyWords = `Each rule of \`policy\` in the config may name an agent, a role, a tool and what it is about (the command, path, host, subtask or
receiver), with \`*\` for any characters, and says \`allow\`, \`ask\` or \`deny\`. The first that fits decides. Without one:

| tool | rule |
| --- | --- |
| everything | allowed, inside what the bridge enforces for roles, leases and the task's own folder |
| \`run_command\` where \`sandbox.mode\` is \`none\` | asked |
| \`network\`: a host that a command reaches, as \`name:port\` (nothing holds it back where \`sandbox.mode\` is \`none\`) | allowed where \`sandbox.network\` has it, else refused; only a rule that names \`network\` lets in or asks |
| \`delete_file\` on a folder with more than \`files.ask_deleted\` files | asked |
| what leads out of the task's folder | refused, whatever a rule says |

\`\`\`yaml
policy:
  - { tool: run_command, about: "npm publish*", do: deny }
  - { tool: run_command, role: reviewer, do: allow }
  - { tool: run_command, about: "node --test*", do: allow }
  - { tool: run_command, do: ask }
  - { tool: network, about: "registry.example.org:443", do: ask }
\`\`\`

A rule that allows commands by a pattern with \`*\` lets in one command: no \`*\` stands for \`;\`, \`&\`, \`|\`, \`<\`, \`>\`, \`$\`, a
bracket, a backtick or a line break. One that denies by a pattern stops mistakes, not intent, since a shell says the same in
many ways; for a wall, ask about everything else, as above. Rules about \`write_file\`, \`delete_file\` and the like do not speak of
what a command does to files: the sandbox keeps it to the task's own, and every change is recorded and can be brought back. A
command that runs goes on with the hosts that it was let reach, also after a \`!crew revoke\`; \`!crew stop\` ends it.

The question shows all of it (the command, the whole content of a file, the message) and why, in the agent's own words, where
it has said so. What cannot be seen, like marks of writing direction, is shown by its code point. Above
\`limits.long_answer_bytes\` all of it is in a file before the question. A path is the place that it leads to, however the agent
wrote it. An agent that is asked about does other work or ends its turn; your answer wakes it. ✅ lets it do exactly what you
were shown, once, for as long as a question waits; a host counts for the command that was shown with it. ♾️ lets this agent use
this tool on the same command, path, host, subtask or receiver in this room from then on, whatever a file or message then
contains: \`!crew grants\` lists what was let in, \`!crew revoke <id>\` takes it back. What is denied, by a rule or without one,
is stronger than a grant. At most ten questions of one agent about tools wait in a room, and ten about secrets; more are
refused. \`!crew audit\` shows what decided.`;

/** The text of `docs/supervision.md`. */
export function supervisionReference(tools: readonly ToolRow[]): string {
  const matterRows = Object.values(matters).map(
    ({ asked, options, silence }) => `| ${asked} | ${options} | ${silence} |`,
  );
  const levelRows = levels.map((level) => `| \`${level}\` | ${levelWords[level]} |`);
  const names = tools.map(({ name }) => `\`${name}\``).join(", ");
  return [
    "<!-- Generated by `npm run generate` from src/supervision/supervision-reference.ts and the tables that it shows. Do not edit. -->",
    "",
    "# Supervision",
    "",
    introduction,
    "",
    "## Questions and approvals",
    "",
    questions,
    "",
    "| asked when | options | no answer in time |",
    "| --- | --- | --- |",
    ...matterRows,
    "",
    "## Policy for tools",
    "",
    policyWords,
    "",
    `Tools: ${names}.`,
    "",
    "## Permissions",
    "",
    "Granted in the config to a person, to people whose ids are alike, to a homeserver (with its port, where its name has one), to",
    "all homeservers below a domain (whatever their ports), or to everybody; the most specific entry decides, and nobody else has",
    "any. People of other homeservers have a level only where one is granted to them. Who lacks it is told once, politely. Another",
    'bridge\'s ghosts look like people of their homeserver: `"@telegram_*:example.org": none` takes away what that is granted.',
    "",
    "| level | allows, beside those above it |",
    "| --- | --- |",
    ...levelRows,
    "",
    commandTable(crewCommands("")),
    "",
    "## The breaker",
    "",
    "Agents that wake each other too often (in a row, as a pair, in a room), that repeat themselves, or that cost too much per",
    "hour are stopped from waking each other, and the room and HQ are told why. Only a person lets them go on: `!crew release`.",
    "Agents of other Crewroom bridges count as those of this one. What was said meanwhile is held, and delivered then.",
    "",
  ].join("\n");
}
