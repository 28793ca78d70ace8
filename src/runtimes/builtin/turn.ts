/**
 * One turn of the builtin runtime: ask the model, run the tools it calls, ask again with their results, until it calls
 * none. The running turn is written down before each tool call and after each result, so that it can go on after a crash.
 *
 * ```
 * [open calls] ─run each, save─▶ [no open calls] ─ask─▶ said something ─┬─ calls tools: save ─▶ [open calls]
 *                                      ▲                                └─ calls none ───────▶ stop
 *                                      └── refused as too long: trim harder, ask once more
 * ```
 */
import { CrewError, reasonOf } from "../../core/errors.ts";
import type { AssistantModelMessage, ModelEvent, Models, ToolRequest } from "../../models/port.ts";
import { until } from "../../until.ts";
import type { SessionOpening, SessionUpdate, StopReason, Tool, ToolKind } from "../port.ts";
import { addResult, callCount, callIdOf, openCalls, stepCount, type History, type RunningTurn } from "./history.ts";
import { cutResult, fit } from "./window.ts";

/** Model calls in one turn; a turn that wants more goes in circles. */
export const stepLimit = 50;

export interface TurnParts {
  readonly models: Models;
  readonly opening: SessionOpening;
  readonly system: string;
  readonly history: History;
  readonly running: RunningTurn;
  readonly signal: AbortSignal;
  /** Makes the running turn durable. */
  save(): Promise<void>;
  /** What was said to the room in the step that runs now, which is not yet part of the running turn. */
  partial: string;
}

const toolKinds: Readonly<Record<string, ToolKind>> = {
  read_file: "read",
  list_files: "read",
  file_history: "read",
  get_task: "read",
  read_room: "read",
  write_file: "edit",
  edit_file: "edit",
  restore_file: "edit",
  delete_file: "delete",
  run_command: "execute",
};

/** Waits for the tool, but no longer than the signal allows: a tool that ignores it must not hold up the stop. */
async function callTool(tool: Tool, input: unknown, callId: string, parts: TurnParts): Promise<string> {
  const { signal, running } = parts;
  signal.throwIfAborted();
  return until(tool.call(input, { turn: running.id, callId, signal }), signal);
}

async function* runOpenCalls(parts: TurnParts): AsyncGenerator<SessionUpdate> {
  const { models, opening, running, signal } = parts;
  const { context } = models.settings(opening.agent.model);
  for (const call of openCalls(running)) {
    const { toolName, toolCallId: callId } = call;
    const tool = opening.tools.find(({ name }) => name === toolName);
    yield { kind: "tool_call", callId, title: toolName, toolKind: toolKinds[toolName] ?? "other" };
    if (tool === undefined) {
      const offered = opening.tools.map(({ name }) => name).join(", ") || "none";
      addResult(running, call, `There is no tool ${toolName}. Tools: ${offered}.`, true);
      yield { kind: "tool_call_update", callId, status: "failed" };
    } else {
      yield { kind: "tool_call_update", callId, status: "in_progress" };
      let text: string;
      try {
        text = await callTool(tool, call.input, callId, parts);
      } catch (thrown) {
        if (!signal.aborted) yield { kind: "tool_call_update", callId, status: "failed" };
        if (signal.aborted || thrown instanceof CrewError) throw thrown;
        throw new CrewError(
          "RUNTIME_FAILED",
          { runtime: "builtin", reason: `${toolName}: ${reasonOf(thrown)}` },
          thrown,
        );
      }
      addResult(running, call, cutResult(text, context), false);
      yield { kind: "tool_call_update", callId, status: "completed" };
    }
    await parts.save();
  }
}

/** One request. A conversation that the model finds too long is trimmed harder and sent once more. */
async function* ask(parts: TurnParts): AsyncGenerator<ModelEvent> {
  const { models, opening, system, history, running, signal } = parts;
  const { agent, session, tools } = opening;
  const offered = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
  const window = { models, model: agent.model, fixed: [system, offered] };
  const base = { agent: agent.id, roles: agent.roles, session, model: agent.model, system, tools: offered, signal };
  const messages = fit(window, history, running);
  let said = false;
  try {
    for await (const event of models.stream({ ...base, messages })) {
      said = true;
      yield event;
    }
  } catch (thrown) {
    if (!(thrown instanceof CrewError && thrown.code === "CONTEXT_EXCEEDED") || said) throw thrown;
    const fewer = fit(window, history, running, true);
    if (models.estimate(agent.model, fewer) >= models.estimate(agent.model, messages)) throw thrown;
    yield* models.stream({ ...base, messages: fewer });
  }
}

/** Adds what a step said and called to the running turn; calls that cannot be run get their result at once. */
function* record(parts: TurnParts, thought: string, requests: readonly ToolRequest[]): Generator<SessionUpdate> {
  const { running } = parts;
  const first = callCount(running);
  const calls = requests.map(({ name, input, providerOptions }, index) => ({
    type: "tool-call" as const,
    toolCallId: callIdOf(running.id, first + index),
    toolName: name,
    input,
    ...(providerOptions === undefined ? {} : { providerOptions }),
  }));
  const content: Exclude<AssistantModelMessage["content"], string> = [
    ...(thought === "" || calls.length === 0 ? [] : [{ type: "reasoning" as const, text: thought }]),
    ...(parts.partial === "" ? [] : [{ type: "text" as const, text: parts.partial.trimStart() }]),
    ...calls,
  ];
  if (content.length > 0) running.messages.push({ role: "assistant", content });
  running.text += parts.partial;
  parts.partial = "";
  for (const [index, call] of calls.entries()) {
    const problem = requests[index]?.problem;
    if (problem === undefined) continue;
    addResult(running, call, problem, true);
    yield { kind: "tool_call", callId: call.toolCallId, title: call.toolName, toolKind: "other" };
    yield { kind: "tool_call_update", callId: call.toolCallId, status: "failed" };
  }
}

/** Runs the turn to its end and returns why it ended. Throws CrewErrors, and the signal's reason when it aborts. */
export async function* runTurn(parts: TurnParts): AsyncGenerator<SessionUpdate, StopReason> {
  const { running } = parts;
  for (;;) {
    yield* runOpenCalls(parts);
    if (stepCount(running) >= stepLimit) return "max_turn_requests";

    const calls: ToolRequest[] = [];
    let thought = "";
    let finish: Extract<ModelEvent, { kind: "end" }>["finish"] = "other";
    for await (const event of ask(parts)) {
      switch (event.kind) {
        case "text": {
          // What was said before a tool call and what is said after it are two paragraphs.
          const apart = parts.partial === "" && running.text !== "" && !running.text.endsWith("\n") ? "\n\n" : "";
          parts.partial += apart + event.text;
          yield { kind: "agent_message_chunk", text: apart + event.text };
          break;
        }
        case "thought":
          thought += event.text;
          yield { kind: "agent_thought_chunk", text: event.text };
          break;
        case "tool_call":
          calls.push(event.call);
          break;
        case "end":
          ({ finish } = event);
          yield { kind: "usage", usage: event.usage };
          break;
      }
    }
    const silent = calls.length === 0 && parts.partial === "";
    if (silent && stepCount(running) === 0 && finish !== "content-filter") {
      const { model } = parts.models.settings(parts.opening.agent.model);
      throw new CrewError("MODEL_NONSENSE", { model, name: parts.opening.agent.model, reason: "the answer is empty" });
    }
    yield* record(parts, thought, calls);
    if (calls.length > 0) {
      await parts.save();
      continue;
    }
    if (finish === "length") return "max_tokens";
    return finish === "content-filter" ? "refusal" : "end_turn";
  }
}
