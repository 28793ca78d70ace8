/** `docs/moderation.md`: what people do in their client, and what follows. The table is the core's own. */
import { moderationTable } from "../core/moderation.ts";

const introduction = `Moderation needs no command: what a person does with any Matrix client binds the agents in code. The bridge decides from the
room's state, never from an error of the homeserver. An agent's turn is stopped with the event: the request to its model is
given up, and the processes of its commands are ended. A message on its way is not sent any more.

Each act is an entry of kind \`moderation\` in the audit log, with the Matrix event that it came from (\`!crew audit moderation\`).`;

const lists = `## Policy lists and ignored people

\`\`\`yaml
moderation:
  policy_rooms: ["#bans:example.org"] # rooms by address or id
  ignored: ["@spam*:example.org", "@*:evil.example"]
\`\`\`

- The bot joins each room of \`policy_rooms\` and keeps its rules for people and servers: \`m.policy.rule.user\` and
  \`m.policy.rule.server\`, and the older names \`m.room.rule.*\` and \`org.matrix.mjolnir.rule.*\`, where the recommendation is
  \`m.ban\` (or \`org.matrix.mjolnir.ban\`, or a takedown). Entities are globs: \`*\` for any characters, \`?\` for one. Hashed entities
  and rules about rooms are passed over.
- Changes count with the transaction that brings them, before anything else in it. The rules are read anew at each start.
- A private list: have its moderators invite the bot. It accepts that invite from anybody, because the operator named the room.
- A list that cannot be read any more (the bot was removed, the room was replaced or cannot be reached) is told in HQ. Its last
  rules stay in force, also after a restart, until the room can be read again or is taken out of the config. One that cannot be
  joined is tried again every 10 minutes.
- Ids of rooms of version 12 name no server: give a list on another homeserver by its address.
- A list silences neither the crew nor a person whom \`permissions\` names as \`admin\` by their full id: somebody must be left who can
  take it out of the config. \`ignored\` is the operator's own word, and fits everybody.
- Names of servers are compared without regard to case, with and without their port.`;

const readOnly = `## When the bridge can only read along

| what happened | where it counts | who is told |
| --- | --- | --- |
| the server ACL denies our own homeserver | any room | HQ |
| the bot may not speak, or may not write the task's state (\`dev.crewroom.*\`) | rooms of tasks that are open | HQ, and the room by whoever of the crew may speak |
| the bot was removed | rooms of tasks that are open | HQ, and the room by an agent |

Then no turn begins, running ones are taken back and wait, no time runs out, and what is to be said waits instead of failing: there
are no dead letters. What people decide meanwhile counts. When the cause is gone all goes on by itself: leases last longer by
the time that was lost, what waited is sent, and the task's state is shown once more. From room version 12 on the bot is above
all power levels in the rooms that it makes, and cannot be locked out.

## Ignoring an agent in your own client

Your homeserver then hides the agent's messages from you, and tells nobody: the agent still hears you. To have it leave, remove it
from the room.`;

export function moderationReference(): string {
  const rows = moderationTable.map(({ act, inChats, inTasks }) => `| ${act} | ${inChats} | ${inTasks} |`);
  const table = ["| a person does | in a chat | in a task's room |", "| --- | --- | --- |", ...rows].join("\n");
  return ["# Moderation", introduction, "## What people do", table, lists, readOnly, ""].join("\n\n").trimEnd() + "\n";
}
