/**
 * A scene is what a rehearsal rule is matched against: who is asked, what was said last, and how far the conversation
 * is. All of it is read from the one request, so the server keeps no conversations.
 *
 * Who is asked is taken from the first of these that is there: the header `x-crewroom-agent` (the builtin runtime sends
 * it, and `x-crewroom-roles`), the field `user`, the words "agent `id`" in the system prompt.
 */
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import type { Rule, When } from "./script.ts";

const part = z.looseObject({ type: z.string(), text: z.string().optional() });

const message = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(part)]).nullish(),
  tool_calls: z.array(z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string() }) })).nullish(),
  tool_call_id: z.string().nullish(),
});

/** The part of a chat completions request that the rehearsal looks at. */
export const chatRequest = z.looseObject({
  model: z.string().optional(),
  messages: z.array(message).min(1),
  tools: z.array(z.unknown()).optional(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  user: z.string().nullish(),
});
export type ChatRequest = z.output<typeof chatRequest>;
type Message = ChatRequest["messages"][number];

export interface Scene {
  /** The agent's id, or `""` when the request does not say. */
  readonly agent: string;
  readonly roles: readonly string[];
  /** Hash of the session, as the builtin runtime sends it in `x-crewroom-session`; `""` otherwise. */
  readonly session: string;
  /** Text of the last user message. */
  readonly last: string;
  /** The tool whose result is the last message; `undefined` when the last message is something else. */
  readonly lastTool: string | undefined;
  /** What that tool gave; `""` when the last message is something else. */
  readonly result: string;
  /** Which user message this is, from 1. */
  readonly turn: number;
  /** Which model call within the turn this is, from 1. */
  readonly step: number;
}

function textOf(message: Message | undefined): string {
  if (typeof message?.content === "string") return message.content;
  return (message?.content ?? []).map((part) => part.text ?? "").join("\n");
}

function header(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

/** Reads the scene from a request. */
export function sceneOf(request: ChatRequest, headers: IncomingHttpHeaders): Scene {
  const { messages } = request;
  const system = textOf(messages.find((message) => message.role === "system"));
  const written = /agent `([a-z0-9][a-z0-9_.-]*)`(?:, with the roles? ([^\n]*?)\.(?:\n|$))?/.exec(system);
  const roles = header(headers, "x-crewroom-roles") || (written?.[2] ?? "");
  const lastUser = messages.findLastIndex((message) => message.role === "user");
  const after = messages.slice(lastUser + 1);
  const final = messages.at(-1);
  const answered = final?.role === "tool" ? final.tool_call_id : undefined;
  const called = messages.flatMap((message) => message.tool_calls ?? []).findLast((call) => call.id === answered);
  return {
    agent: header(headers, "x-crewroom-agent") || (request.user ?? "") || (written?.[1] ?? ""),
    roles: roles.split(",").flatMap((role) => role.trim() || []),
    session: header(headers, "x-crewroom-session"),
    last: textOf(messages[lastUser]),
    lastTool: called?.function.name,
    result: final?.role === "tool" ? textOf(final) : "",
    turn: messages.filter((message) => message.role === "user").length,
    step: after.filter((message) => message.role === "assistant").length + 1,
  };
}

type Names = Readonly<Record<string, string | undefined>>;

/** What a rule's regular expressions have caught. */
export interface Groups {
  /** Those of `last`, for `$1`; without a pattern, or with plain text, there are none. */
  readonly last: readonly (string | undefined)[];
  /** Those of `result` that have a name, for `{result.name}`. */
  readonly result: Names;
}

export const noGroups: Groups = { last: [], result: {} };

interface Caught {
  readonly all: readonly (string | undefined)[];
  readonly named: Names;
}

function matchText(pattern: string | undefined, text: string): Caught | undefined {
  const nothing = { all: [], named: {} };
  if (pattern === undefined) return nothing;
  const regex = /^\/(.+)\/([a-z]*)$/s.exec(pattern);
  if (regex === null) return text.toLowerCase().includes(pattern.toLowerCase()) ? nothing : undefined;
  const found = RegExp(regex[1] ?? "", regex[2]).exec(text);
  return found === null ? undefined : { all: found, named: found.groups ?? {} };
}

function listed(wanted: string | string[] | undefined, has: readonly string[]): boolean {
  return wanted === undefined || [wanted].flat().some((one) => has.includes(one));
}

/** Whether a rule fits the scene: its groups when it does, else `undefined`. */
export function match(when: When, scene: Scene, answer: Rule["answer"]): Groups | undefined {
  // A rule that calls tools would be played again on the tools' results, for ever: unless it says more, it is a first step.
  const says = when.step !== undefined || when.last_tool !== undefined || when.result !== undefined;
  const first = answer.tools !== undefined && !says ? 1 : undefined;
  const step = when.step ?? first;
  const result =
    when.result !== undefined && scene.lastTool === undefined ? undefined : matchText(when.result, scene.result);
  const last = matchText(when.last, scene.last);
  const fits =
    listed(when.agent, [scene.agent]) &&
    listed(when.role, scene.roles) &&
    (when.last_tool === undefined || listed(when.last_tool, [scene.lastTool ?? ""])) &&
    (when.turn === undefined || when.turn === scene.turn) &&
    (step === undefined || step === scene.step);
  return fits && last !== undefined && result !== undefined ? { last: last.all, result: result.named } : undefined;
}

/**
 * Fills `$1` … `$9`, `{last}`, `{result}`, `{result.name}`, `{agent}` and `{count}` (the turn's number). What was filled in is
 * not filled again.
 */
export function fill(template: string, scene: Scene, groups: Groups): string {
  const words: Record<string, string> = {
    last: scene.last,
    result: scene.result,
    agent: scene.agent,
    count: String(scene.turn),
  };
  return template.replace(
    /\$(\d)|\{(last|result|agent|count)\}|\{result\.(\w+)\}/g,
    (whole, group: string | undefined, word: string | undefined, name: string | undefined) => {
      if (group !== undefined) return groups.last[Number(group)] ?? "";
      return name === undefined ? (words[word ?? ""] ?? whole) : (groups.result[name] ?? "");
    },
  );
}

/** {@link fill} for every text inside a value. */
export function fillDeep(value: unknown, scene: Scene, groups: Groups): unknown {
  if (typeof value === "string") return fill(value, scene, groups);
  if (Array.isArray(value)) return value.map((one: unknown) => fillDeep(one, scene, groups));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]: [string, unknown]) => [key, fillDeep(one, scene, groups)]),
  );
}
