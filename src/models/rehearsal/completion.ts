/** What the rehearsal server says on the wire: chat completions, whole and in chunks, with plausible usage figures. */
import { fill, fillDeep, type Groups, type Scene } from "./scene.ts";
import type { Answer } from "./script.ts";

/** Said in every answer, so that nobody takes a script for a model. */
export const scriptMark = { model: "rehearsal", system_fingerprint: "rehearsal-script" } as const;

/** A common rule of thumb; the figures only have to grow with the text. */
const charsPerToken = 4;
/** Of a streamed text, when the script does not say how many pieces: about the size of a model's own chunks. */
const charsPerChunk = 24;

/** One answer, filled in and ready to be sent. */
export interface Line {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly text: string;
  readonly reasoning: string;
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  readonly finish: string;
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly total_tokens: number };
}

export interface LineContext {
  readonly scene: Scene;
  readonly groups: Groups;
  /** Characters of the request's messages and tools. */
  readonly requestChars: number;
  readonly number: number;
  readonly created: number;
}

/** Fills an answer in for one request. */
export function lineOf(answer: Answer, context: LineContext): Line {
  const { scene, groups } = context;
  const text = fill(answer.text ?? "", scene, groups);
  const reasoning = fill(answer.reasoning ?? "", scene, groups);
  const calls = (answer.tools ?? []).map((tool, index) => ({
    id: `call_${scene.turn}_${scene.step}_${index + 1}`,
    name: tool.name,
    arguments:
      typeof tool.arguments === "string" ? tool.arguments : JSON.stringify(fillDeep(tool.arguments, scene, groups)),
  }));
  const said =
    text.length + reasoning.length + calls.reduce((sum, call) => sum + call.name.length + call.arguments.length, 0);
  const prompt_tokens = Math.ceil(context.requestChars / charsPerToken);
  const completion_tokens = Math.ceil(said / charsPerToken);
  return {
    id: `chatcmpl-rehearsal-${context.number}`,
    created: context.created,
    text,
    reasoning,
    calls,
    finish: answer.finish_reason ?? (calls.length > 0 ? "tool_calls" : "stop"),
    usage: { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens },
  };
}

/** Cuts a text into pieces that together are the text: `count` of them if given, else at words, as a model would. */
export function pieces(text: string, count?: number): string[] {
  if (text === "") return [];
  if (count !== undefined) {
    const letters = Array.from(text);
    const size = Math.ceil(letters.length / count);
    return Array.from({ length: Math.ceil(letters.length / size) }, (_, at) =>
      letters.slice(at * size, (at + 1) * size).join(""),
    );
  }
  const cut: string[] = [];
  for (const word of text.match(/\S+\s*|\s+/g) ?? []) {
    const open = cut.at(-1);
    if (open !== undefined && open.length + word.length <= charsPerChunk) cut[cut.length - 1] = open + word;
    else cut.push(word);
  }
  return cut;
}

/** The body of an answer that is not streamed. */
export function wholeOf(line: Line): object {
  const toolCalls = line.calls.map((call) => ({
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: call.arguments },
  }));
  return {
    id: line.id,
    object: "chat.completion",
    created: line.created,
    ...scriptMark,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: line.text === "" && toolCalls.length > 0 ? null : line.text,
          ...(line.reasoning === "" ? {} : { reasoning_content: line.reasoning }),
          ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
        },
        finish_reason: line.finish,
      },
    ],
    usage: line.usage,
  };
}

function chunk(line: Line, delta: object, finish: string | null = null): object {
  return {
    id: line.id,
    object: "chat.completion.chunk",
    created: line.created,
    ...scriptMark,
    choices: [{ index: 0, delta, finish_reason: finish }],
  };
}

/** The chunks that say something, in order: reasoning, text, then each tool call with its arguments in pieces. */
export function* chunksOf(line: Line, count?: number): Generator<object> {
  yield chunk(line, { role: "assistant", content: "" });
  for (const piece of pieces(line.reasoning)) yield chunk(line, { reasoning_content: piece });
  for (const piece of pieces(line.text, count)) yield chunk(line, { content: piece });
  for (const [index, call] of line.calls.entries()) {
    yield chunk(line, {
      tool_calls: [{ index, id: call.id, type: "function", function: { name: call.name, arguments: "" } }],
    });
    for (const piece of pieces(call.arguments))
      yield chunk(line, { tool_calls: [{ index, function: { arguments: piece } }] });
  }
}

/** The chunks that end an answer: why it ended and, when asked for, what it cost. */
export function* endOf(line: Line, withUsage: boolean): Generator<object> {
  yield chunk(line, {}, line.finish);
  if (withUsage) yield { ...chunk(line, {}), choices: [], usage: line.usage };
}
