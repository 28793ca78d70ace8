/** What the demo tells a person about how to come in. */

export interface GuideFacts {
  /** Port of the homeserver on loopback. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly agents: readonly string[];
  readonly directory: string;
}

export function localGuide(facts: GuideFacts): readonly string[] {
  const homeserver = `http://localhost:${facts.port}`;
  return [
    "",
    "Come in with Element:",
    `  homeserver  ${homeserver}`,
    `  user        ${facts.user}`,
    `  password    ${facts.password}`,
    "  1. Open Element Desktop, or an Element Web on this machine. (An Element Web from an https:// address may reach",
    "     a homeserver on localhost only if your browser lets it: Chrome and Firefox do, Safari does not.)",
    `  2. Choose "Sign in", edit the homeserver, enter ${homeserver}, then the user and the password.`,
    "  3. Open Crewroom HQ and say `!crew new` with a task of your own, or the task's room to see what you missed;",
    "     `!crew files` lists there what was made, `!crew show <path>` sends it, `!crew archive` all of it.",
    `     Or start a chat with one of ${facts.agents.join(", ")}.`,
    `Everything is kept in ${facts.directory}; delete that folder to begin anew.`,
    "",
  ];
}
