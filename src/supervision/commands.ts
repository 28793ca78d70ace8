/** The `!crew` commands: one table that runs them, answers `!crew help` and generates `docs/commands.md`. */
import { release } from "../core/breaker.ts";
import type { Draft } from "../core/draft.ts";
import type { Message } from "../core/input.ts";
import { agentsHere } from "../core/listening.ts";
import { may, refuse, stopTurns } from "../core/people.ts";
import type { Level } from "../core/permissions.ts";
import { powerOf, steeringPower } from "../core/power.ts";
import type { CrewMember, World } from "../core/world.ts";

export interface Command {
  readonly name: string;
  /** After the name, as a person types it. */
  readonly usage: string;
  /** One sentence for `!crew help` and the docs. */
  readonly help: string;
  /** Permission that it needs. */
  readonly level: Level;
  /** Whether it steers agents: then the room must also give its sender that power. */
  readonly steers: boolean;
  /** Returns the answer, in markdown. */
  run(draft: Draft, message: Message, args: readonly string[]): string;
}

/** @param version The bridge's version, for `!crew version`. */
export function crewCommands(version: string): readonly Command[] {
  const table: readonly Command[] = [
    {
      name: "help",
      usage: "",
      help: "Lists the commands.",
      level: "observe",
      steers: false,
      run: () => table.map((command) => `- ${usageOf(command)} — ${command.help}`).join("\n"),
    },
    {
      name: "agents",
      usage: "",
      help: "Lists the crew, who of it is in this room, and what each is doing here.",
      level: "observe",
      steers: false,
      run: (draft) => [...draft.world.crew.values()].map((member) => `- ${describe(draft, member)}`).join("\n"),
    },
    {
      name: "stop",
      usage: "[agent]",
      help: "Cancels the turn that an agent (or every agent) runs in this room. The same as 🛑 on its message.",
      level: "talk",
      steers: false,
      run: stop,
    },
    {
      name: "release",
      usage: "",
      help: "Closes the breaker of this room: agents may wake each other again, and get what was held back.",
      level: "supervise",
      steers: true,
      run: (draft) => {
        if (draft.state.breaker.open === undefined)
          return "The breaker of this room is closed; there is nothing to release.";
        const held = release(draft);
        return `Released. ${held === 1 ? "1 message was" : `${held} messages were`} held back and ${held === 1 ? "is" : "are"} delivered now.`;
      },
    },
    {
      name: "ping",
      usage: "",
      help: "Answers, and says how long your message took to get here.",
      level: "observe",
      steers: false,
      run: (draft, message) => `Pong. Your message took ${Math.max(0, draft.now - message.ts)} ms to reach me.`,
    },
    {
      name: "version",
      usage: "",
      help: "Says which version of Crewroom runs here.",
      level: "observe",
      steers: false,
      run: () => `Crewroom ${version}`,
    },
  ];
  return table;
}

function usageOf(command: Command): string {
  return `\`!crew ${[command.name, command.usage].filter(Boolean).join(" ")}\``;
}

function describe(draft: Draft, member: CrewMember): string {
  const { name, user, roles, runtime, model } = member;
  const sessions = Object.values(draft.state.sessions).filter((session) => session.agent === member.id);
  const waiting = sessions.reduce((sum, session) => sum + session.queue.length, 0);
  const doing = sessions.some((session) => session.running !== undefined) ? "works" : "is free";
  const here = draft.isJoined(user)
    ? `is here and ${doing}${waiting > 0 ? `, ${waiting} waiting` : ""}`
    : "is not in this room";
  return `**${name}** (${user}), ${roles.join(", ")}, on ${runtime} with model ${model}: ${here}`;
}

/** Finds an agent by its id, its Matrix user, its name, or the mention in the message. */
function findAgent(world: World, message: Message, word: string): CrewMember | undefined {
  const wanted = word.replace(/^@/, "").toLowerCase();
  const members = [...world.crew.values()];
  return (
    members.find((member) => member.id === wanted || member.user === word || member.user.startsWith(`@${wanted}:`)) ??
    members.find((member) => member.name.toLowerCase() === wanted) ??
    members.find((member) => message.mentions.includes(member.user))
  );
}

function stop(draft: Draft, message: Message, args: readonly string[]): string {
  const word = args.join(" ");
  const member = word === "" ? undefined : findAgent(draft.world, message, word);
  if (word !== "" && member === undefined) {
    const ids = agentsHere(draft.world, draft.state).map((user) => draft.world.crew.get(user)?.id);
    return `I know no agent “${word}”. Agents here: ${ids.join(", ") || "none"}.`;
  }
  const stopped = stopTurns(draft, message.sender, member);
  if (stopped.length > 0) return `Stopping ${stopped.join(", ")}.`;
  return member === undefined ? "No agent runs a turn here." : `${member.name} runs no turn here now.`;
}

/** The port that the core runs commands through. */
export function commandRunner(commands: readonly Command[]): World["command"] {
  return (draft, message) => {
    const [, name = "help", ...args] = message.text.trim().split(/\s+/);
    const command = commands.find((other) => other.name === name.toLowerCase());
    if (command === undefined) {
      answer(draft, message, `I know no command “${name}”. \`!crew help\` lists them.`);
      return;
    }
    if (!may(draft, message.sender, command.level)) {
      refuse(
        draft,
        message,
        undefined,
        `\`!crew ${command.name}\` needs the permission \`${command.level}\`, which the operator gives.`,
      );
      return;
    }
    if (command.steers && powerOf(draft.state, message.sender) < steeringPower) {
      answer(draft, message, `\`!crew ${command.name}\` needs power level ${steeringPower} in this room.`);
      return;
    }
    answer(draft, message, command.run(draft, message, args));
  };
}

function answer(draft: Draft, message: Message, text: string): void {
  const thread = message.thread === undefined ? {} : { thread: message.thread };
  draft.notice(`${message.event}:command`, text, { replyTo: message.event, mentions: [message.sender], ...thread });
}

/** The text of `docs/commands.md`. */
export function commandsReference(): string {
  const rows = crewCommands("").map(
    ({ name, usage, help, level, steers }) =>
      `| \`!crew ${[name, usage].filter(Boolean).join(" ").replaceAll("|", "\\|")}\` | ${help} | \`${level}\`${steers ? ` and power level ${steeringPower}` : ""} |`,
  );
  return [
    "<!-- Generated by `npm run generate` from src/supervision/commands.ts. Do not edit. -->",
    "",
    "# Commands",
    "",
    "Say them in any room where the bot or an agent is, also in a direct chat with an agent.",
    "",
    "| command | what it does | needs |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
