/** Commands about the crew and its turns, in any room. */
import { release } from "../core/breaker.ts";
import type { Draft } from "../core/draft.ts";
import type { Message } from "../core/input.ts";
import { agentsHere } from "../core/listening.ts";
import { dismiss } from "../core/membership.ts";
import { stopTurns } from "../core/people.ts";
import type { CrewMember } from "../core/world.ts";
import { type Command, findAgent, quoted } from "./command.ts";

/** @param version The bridge's version, for `!crew version`. */
export function talkCommands(version: string): readonly Command[] {
  return [
    {
      name: "agents",
      usage: "",
      help: "Lists the crew, who of it is in this room, and what each is doing here.",
      level: "observe",
      steers: "no",
      run: (draft) => [...draft.world.crew.values()].map((member) => `- ${describe(draft, member)}`).join("\n"),
    },
    {
      name: "stop",
      usage: "[agent]",
      help: "Cancels the turn that an agent (or every agent) runs in this room. The same as 🛑 on its message.",
      level: "talk",
      steers: "no",
      run: stop,
    },
    {
      name: "dismiss",
      usage: "[agent]",
      help: "Has an agent leave this room, as if you had removed it: also where no client can, in a direct chat.",
      level: "talk",
      steers: "no",
      power: true,
      run: sendAway,
    },
    {
      name: "release",
      usage: "",
      help: "Closes the breaker of this room: agents may wake each other again, and get what was held back.",
      level: "supervise",
      steers: "always",
      run: (draft, message) => {
        if (draft.state.breaker.open === undefined)
          return "The breaker of this room is closed; there is nothing to release.";
        const held = release(draft, message);
        return `Released. ${held === 1 ? "1 message was" : `${held} messages were`} held back and ${held === 1 ? "is" : "are"} delivered now.`;
      },
    },
    {
      name: "ping",
      usage: "",
      help: "Answers, and says how long your message took to get here.",
      level: "observe",
      steers: "no",
      run: (draft, message) => `Pong. Your message took ${Math.max(0, draft.now - message.ts)} ms to reach me.`,
    },
    {
      name: "version",
      usage: "",
      help: "Says which version of Crewroom runs here.",
      level: "observe",
      steers: "no",
      run: () => `Crewroom ${version}`,
    },
  ];
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

function sendAway(draft: Draft, message: Message, words: string): string {
  const here = agentsHere(draft.world, draft.state);
  const word = words.trim();
  const [only] = here.length === 1 ? here : [];
  const user = word === "" ? only : findAgent(draft.world, message, word)?.user;
  const member = user === undefined || !here.includes(user) ? undefined : draft.world.crew.get(user);
  if (member === undefined) {
    const ids = here.map((one) => draft.world.crew.get(one)?.id);
    return `Say which agent is to leave. Agents here: ${ids.join(", ") || "none"}.`;
  }
  dismiss(draft, member, message.sender, message.event);
  // Where nobody of ours is left, the room shows that it went, and why.
  return draft.voice() === undefined ? "" : `${member.name} leaves. Invite it again when you want it back.`;
}

function stop(draft: Draft, message: Message, words: string): string {
  const word = words.trim().replaceAll(/\s+/g, " ");
  const member = word === "" ? undefined : findAgent(draft.world, message, word);
  if (word !== "" && member === undefined) {
    const ids = agentsHere(draft.world, draft.state).map((user) => draft.world.crew.get(user)?.id);
    return `I know no agent ${quoted(word)}. Agents here: ${ids.join(", ") || "none"}.`;
  }
  const stopped = stopTurns(draft, message, member);
  if (stopped.length > 0) return `Stopping ${stopped.join(", ")}.`;
  return member === undefined ? "No agent runs a turn here." : `${member.name} runs no turn here now.`;
}
