/** What the model reads: the system prompt, and the person's message. */
import type { ModelMessage } from "../../models/port.ts";
import type { AgentProfile, ContentBlock } from "../port.ts";

/**
 * The system prompt: who the agent is and where, what good work in its roles is, the crew's rules, its own instructions.
 * Byte-stable for one agent, so that prompt caches hit; it has no date and no rule that code enforces.
 */
export function systemPrompt(agent: AgentProfile): string {
  const roles =
    agent.roles.length === 0 ? "" : `, with the role${agent.roles.length > 1 ? "s" : ""} ${agent.roles.join(", ")}`;
  const place =
    "You take part in Matrix rooms, where people and agents write to each other in Markdown. " +
    "They are named by their Matrix ids, like @name:server.";
  const rules = agent.rules.trim();
  return [
    `You are ${agent.name}, agent \`${agent.id}\`${roles}.\n${place}`,
    ...agent.rolePrompts,
    rules === "" ? "" : `Rules of the crew:\n${rules}`,
    agent.instructions,
  ]
    .flatMap((part) => part.trim() || [])
    .join("\n\n");
}

/** The kinds of image that OpenAI-compatible models take. */
const seenImages: ReadonlySet<string> = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** A fence longer than any in the text, so that a file cannot end it. */
function fenceFor(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  return "`".repeat(longest + 1);
}

/** On one line, so that a file's name cannot pose as something else. */
function nameOf(name: string): string {
  return name.replace(/\s+/g, " ").trim() || "without a name";
}

type UserPart = Exclude<Extract<ModelMessage, { role: "user" }>["content"], string>[number];

function partOf(block: ContentBlock): UserPart {
  if (block.type === "text") return { type: "text", text: block.text };
  const name = nameOf(block.name);
  const kind = block.mimeType;
  if (block.type === "resource") {
    const fence = fenceFor(block.text);
    const end = block.text.endsWith("\n") ? "" : "\n";
    return { type: "text", text: `File ${name} (${kind}):\n${fence}\n${block.text}${end}${fence}` };
  }
  if (block.type === "resource_link") {
    return { type: "text", text: `[file ${name} (${kind}, ${block.size} bytes): not included, ${block.why}]` };
  }
  return seenImages.has(kind)
    ? { type: "file", data: { type: "data", data: block.data }, mediaType: kind, filename: name }
    : { type: "text", text: `[image ${name} (${kind}): not included, images of this kind cannot be shown]` };
}

/** The user message of a turn. Texts that follow each other become one part: not every server takes a list of parts. */
export function userMessage(content: readonly ContentBlock[]): ModelMessage {
  const parts: UserPart[] = [];
  for (const part of content.map(partOf)) {
    const before = parts.at(-1);
    if (part.type === "text" && before?.type === "text")
      parts[parts.length - 1] = { type: "text", text: `${before.text}\n\n${part.text}` };
    else parts.push(part);
  }
  return { role: "user", content: parts };
}
