/** `docs/tasks.md`: how a task goes, for a person who gives a crew a job. The tables are those that the code works by. */
import { patrolTable } from "../core/tasks/patrol.ts";
import { scoreTable, type ScoreRule } from "../core/tasks/scores.ts";
import { subtaskMoves } from "../core/tasks/subtask-states.ts";
import type { TaskState } from "../core/tasks/task.ts";
import { answerCommands } from "./answer-commands.ts";
import { budgetCommands } from "./budget-commands.ts";
import { commandTable } from "./commands.ts";
import { taskCommands } from "./task-commands.ts";

/** A tool as the reference shows it. */
export interface ToolRow {
  readonly name: string;
  /** Empty: all agents have it. */
  readonly roles: readonly string[];
  /** Only agents of this runtime have it. */
  readonly runtime?: string;
  readonly arguments: string;
  readonly help: string;
}

interface StateRow {
  readonly when: string;
  readonly acts: string;
  readonly out: string;
}

/** A task's state is derived from its parts (`derive.ts`), so it cannot disagree with them. */
const taskStates: Readonly<Record<TaskState, StateRow>> = {
  planning: {
    when: "No plan is in force yet.",
    acts: "the planner; then a person, where the plan needs approval",
    out: "A plan is put in force. After three plans that cannot be carried out a person is asked.",
  },
  active: {
    when: "A subtask is still open.",
    acts: "executors and reviewers; people where they are asked",
    out: "Every subtask is done or cancelled. What comes to no end by itself, the patrol brings to a person.",
  },
  approval: {
    when: "Every subtask is done or cancelled.",
    acts: "a person (`tasks.final_approval: person`), else nobody",
    out: "✅ finishes it. ❌ with a reason goes to the planner, who adds what is missing: then it is active again.",
  },
  paused: {
    when: "A person said so, the budget is used up, or a question was not answered in time.",
    acts: "a person",
    out: "`!crew resume`: it is again what its parts say. Leases were given back; finished work stays.",
  },
  done: { when: "It was approved, or a person said `!crew done`.", acts: "nobody", out: "None; it is the end." },
  cancelled: { when: "A person said so.", acts: "nobody", out: "None; it is the end." },
};

const introduction = `Say \`!crew new Build a CSV parser — with tests\` to the bot, in HQ or in any room where one of the crew is. What
follows the dash tells more than the title can. The bot opens a room for the task and invites you there.

1. **Plan.** The planner splits the job into subtasks. Each says what is there when it is done, by which criteria that
   is judged, and which others it waits for. A long plan (\`tasks.plan_approval\`) waits for your ✅.
2. **Work.** Each subtask has a thread; its first message always shows how it stands. The bridge gives it to the best
   free agent, on a lease: the right to work on it until a time, which goes on as long as the agent shows life.
3. **Review.** Somebody else than the worker judges what was handed in. Rejected work goes back with a list of issues.
4. **Approval.** When every subtask is done, you are shown what was delivered. Your ✅ finishes the task,
   unless the operator leaves that to the last review (\`tasks.final_approval\`).

You need to do nothing in between. When you are needed, a question says so, and HQ is told as well.

## Questions

A question is a message of the bot with reactions under it. Answer in the way that you like best:

- react with one of the emojis that are there already, usually ✅ or ❌;
- reply to it: \`approve\`, \`yes\`, \`ok\`, \`deny <why>\`, \`no <why>\`, or the word or number of an option. An agent's own
  question takes any words. Other words in reply to a plan are no answer: the planner hears them and may revise it;
- \`!crew approve a1\`, \`!crew deny a1 <why>\`. The id is only needed when several questions are open.

The first answer counts, and the message then shows what it was. Taking a reaction back changes nothing, because others
have gone on from there. Every question has a deadline (\`tasks.ask_hours\`); it says what silence means.

## Steering

In the task's room the planner hears what you say to nobody in particular: a wish in the middle of the work becomes a
change of the plan. In a subtask's thread, whoever works on it hears you. Mention an agent to reach it anywhere. 🛑 on its
message stops it. Kicking an agent gives its work to somebody else; muting one makes it wait.

**Who may.** To answer questions and to steer you need power level 50 in the room and the permission \`supervise\`; who
asked for the task needs only \`task\`. An agent never may, and it never reviews its own work or scores itself. An agent's
question in a chat that is no task is answered by whoever may \`talk\` with it.`;

const budgetsText = `Every call of a model is counted by the model's own figures, call by call, also in a turn that fails or is stopped. Where a
model gives none they are estimated, and shown as that. Money is counted for models that have a \`price\` in the config; what
others used is told beside it. \`!crew budget\` shows it all.

A turn that runs when a limit is reached ends as usual, and no other begins: a limit can be passed by what runs at that
moment. A turn that goes on until half as much again is used is stopped, as by 🛑, and says why. What is said to an agent
meanwhile waits and is not lost. Days are those of UTC. A turn that runs again after a crash may use tokens again, and
both count; calls of the last two seconds before a crash are not counted.

A room whose turns cost more than \`budgets.rate_usd_per_hour\`, measured over \`limits.breaker_window_seconds\`, trips its
breaker: agents no longer wake each other there until a person says \`!crew release\`.`;

const budgetRows: readonly (readonly string[])[] = [
  [
    "a task",
    "`budgets.task`, or what `!crew budget` set",
    "a note in its room",
    "No turn begins; the task pauses when those that run are over, and a person is asked there.",
    "✅ adds the same amount again (so often that something is left, where one turn passed it by far). ❌ or silence leaves it paused; `!crew resume` asks again.",
  ],
  [
    "an agent, a day",
    "`budgets.agent_day`",
    "a note in the room where it happened",
    "Its turns wait in all rooms; each room is told once, and HQ is asked.",
    "✅ in HQ adds the same amount for that day. ❌ or silence: it goes on by itself at 00:00 UTC.",
  ],
  ["the crew, a day", "`budgets.day`", "likewise", "All turns wait, likewise.", "likewise"],
];

/** @param tools The tools of agents, from the part that makes them. */
export function tasksReference(tools: readonly ToolRow[]): string {
  const states = Object.entries(taskStates).map(([state, { when, acts, out }]) => [`**${state}**`, when, acts, out]);
  const moves = subtaskMoves.map(({ on, from, to, by, note }) => [`\`${on}\``, from.join(", "), to, by, note]);
  const rules = patrolTable.map(({ kind, when, does }) => [`\`${kind}\``, sentence(when), sentence(does)]);
  const scores = Object.entries<ScoreRule>(scoreTable).map(([reason, { points, when }]) => [
    `\`${reason}\``,
    signed(points),
    when,
  ]);
  const offered = tools.map(({ name, roles, runtime, arguments: takes, help }) => [
    `\`${name}\``,
    `${roles.length === 0 ? "all" : roles.join(", ")}${runtime === undefined ? "" : `, with \`runtime: ${runtime}\``}`,
    takes,
    help,
  ]);
  return `<!-- Generated by \`npm run generate\` from src/supervision/task-reference.ts and the tables that it shows. Do not edit. -->

# Tasks

${introduction}

## Commands

${commandTable([...taskCommands, ...budgetCommands, ...answerCommands])}

[commands.md](commands.md) lists the others.

## States of a task

A task's state follows from its subtasks and from what people said; nobody sets it.

${table(["State", "When", "Who acts", "Way out"], states)}

## Life of a subtask

\`\`\`mermaid
${diagram()}
\`\`\`

${table(["Move", "From", "To", "By", "Meaning"], moves)}

Every change gives a subtask a new version, and every lease a new epoch. An action on an older version or under an older
epoch is refused with the reason; what was handed in too late is kept as a note.

## Patrol

The bridge watches over tasks when a time has come, and calls no model for it.

${table(["Rule", "When", "What it does"], rules)}

## Budgets

${budgetsText}

${table(["Limit", "Key", "At 80 %", "At 100 %", "What goes on"], budgetRows)}

## Scores

They choose between agents who could take the same work, and \`!crew scores\` shows them. Only the bridge writes them.

${table(["Reason", "Points", "When"], scores)}

An agent's standing is its points divided by the number of its entries plus three, so that a newcomer stands between good
and bad. What an agent is busy with counts against it.

## Tools of agents

People use commands and answers; agents ask for the same things with these tools. Every call is checked again by the bridge,
and a refusal says what would be allowed.

${table(["Tool", "Role", "Takes", "What it does"], offered)}

## Policy

The keys \`tasks\` and \`patrol\` of the config, with their defaults, are in [config.md](config.md#tasks).
`;
}

function diagram(): string {
  const arrows = subtaskMoves.flatMap(({ on, from, to }) => from.map((state) => `  ${state} --> ${to}: ${on}`));
  return ["stateDiagram-v2", "  [*] --> waiting", ...arrows, "  done --> [*]", "  cancelled --> [*]"].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("\n", " ");
}

function sentence(text: string): string {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}

function signed(points: number): string {
  return points > 0 ? `+${points}` : `${points}`.replace("-", "−");
}
