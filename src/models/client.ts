/**
 * The way to the models: OpenAI-compatible APIs through `ai` and `@ai-sdk/openai-compatible`, with metering, few retries
 * and Crewroom's errors. Both libraries (about 30 MB of memory) are loaded at the first call.
 *
 * One call is one request: tools are offered but never run here, so that the runtime can make each step durable.
 *
 * Every request names its agent in `x-crewroom-agent`, its roles in `x-crewroom-roles` and a hash of its session in
 * `x-crewroom-session` (a hash, because a session's id holds a room's id, which is no business of a provider).
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { JSONSchema7, LanguageModelUsage, TextStreamPart, ToolSet } from "ai";
import { CrewError } from "../core/errors.ts";
import { failureOf, type Failure } from "./failure.ts";
import type { ModelCall, ModelEvent, ModelSettings, ModelTool, ModelUse, Models, TokenCount } from "./port.ts";
import { defaultRetries, pauseBefore } from "./retry.ts";
import { roughTokens, TokenGauge } from "./tokens.ts";

export type { ModelCall, ModelEvent, Models, ModelSettings, ModelUse } from "./port.ts";

export interface ModelsOptions {
  /** By key of `models` in the config. */
  readonly models: Readonly<Record<string, ModelSettings>>;
  /** Told once for each request that cost something. */
  readonly onUsage?: (use: ModelUse) => void;
  /** Waits before a retry, in milliseconds; rejects when the signal aborts. Default: a timer. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 ≤ x < 1, for the jitter of retries. Default `Math.random`. */
  readonly random?: () => number;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly clock?: () => number;
  /** Default 2. */
  readonly maxRetries?: number;
}

/** Loads what is big, once, and turns off what it would print. */
async function loadSdk() {
  Reflect.set(globalThis, "AI_SDK_LOG_WARNINGS", false);
  const [{ streamText, jsonSchema, tool }, { createOpenAICompatible }] = await Promise.all([
    import("ai"),
    import("@ai-sdk/openai-compatible"),
  ]);
  return { streamText, jsonSchema, tool, createOpenAICompatible };
}
let loading: ReturnType<typeof loadSdk> | undefined;

type Sdk = Awaited<ReturnType<typeof loadSdk>>;

function toolSet({ tool, jsonSchema }: Sdk, tools: readonly ModelTool[]): ToolSet {
  return Object.fromEntries(
    tools.map(({ name, description, inputSchema }) => [
      name,
      tool({ description, inputSchema: jsonSchema(inputSchema as JSONSchema7) }),
    ]),
  );
}

/** Carries a failure out of a stream to the place that decides whether to try again. */
class Fault extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.error.message);
    this.failure = failure;
  }
}

/** The event for a part of the SDK's stream; `undefined` for what nobody needs. */
function eventOf(part: TextStreamPart<ToolSet>): Exclude<ModelEvent, { kind: "end" }> | undefined {
  switch (part.type) {
    case "text-delta":
      return part.text === "" ? undefined : { kind: "text", text: part.text };
    case "reasoning-delta":
      return part.text === "" ? undefined : { kind: "thought", text: part.text };
    case "tool-call": {
      const { toolName: name, providerMetadata: providerOptions } = part;
      const invalid = part.dynamic === true && part.invalid === true;
      if (!invalid) return { kind: "tool_call", call: { name, input: part.input as unknown, providerOptions } };
      const problem = part.error instanceof Error ? part.error.message : "The call could not be read.";
      return { kind: "tool_call", call: { name, input: {}, problem, providerOptions } };
    }
    default:
      return undefined;
  }
}

/** The model's own figures, or `undefined` where they are none that can be: budgets are counted with them. */
function countOf(usage: LanguageModelUsage): TokenCount | undefined {
  const { inputTokens, outputTokens } = usage;
  const { cacheReadTokens: cached } = usage.inputTokenDetails;
  // Something was asked: who says that it was nothing does not count.
  if (!isCount(inputTokens) || !isCount(outputTokens) || inputTokens === 0) return undefined;
  return { inputTokens, outputTokens, ...(isCount(cached) && cached > 0 ? { cachedTokens: cached } : {}) };
}

/** No model takes or gives more in one call; a larger number is a mistake that would use up every budget. */
const mostTokens = 1e9;

function isCount(number: number | undefined): number is number {
  return number !== undefined && Number.isInteger(number) && number >= 0 && number <= mostTokens;
}

function headersOf(call: ModelCall): Record<string, string> {
  return {
    "x-crewroom-agent": call.agent,
    "x-crewroom-roles": call.roles.join(",").replace(/[^\x20-\x7e]/g, "?"),
    "x-crewroom-session": createHash("sha256").update(call.session).digest("hex").slice(0, 16),
  };
}

type Chat = ReturnType<typeof newChat>;

function newChat(sdk: Sdk, settings: ModelSettings) {
  const provider = sdk.createOpenAICompatible({
    name: "crewroom",
    baseURL: settings.baseUrl,
    includeUsage: true,
    ...(settings.apiKey === undefined ? {} : { apiKey: settings.apiKey }),
    ...(settings.headers === undefined ? {} : { headers: settings.headers }),
  });
  return provider.chatModel(settings.model);
}

/** Makes the models of the config ready to be asked. Nothing is loaded or contacted before the first call. */
export function createModels(options: ModelsOptions): Models {
  const { clock = Date.now, random = Math.random, maxRetries = defaultRetries } = options;
  const wait = options.wait ?? (async (ms, signal) => sleep(ms, undefined, { signal }));
  const gauges = new Map<string, TokenGauge>();
  const chats = new Map<string, Chat>();

  function settings(model: string): ModelSettings {
    const found = Object.hasOwn(options.models, model) ? options.models[model] : undefined;
    if (found !== undefined) return found;
    throw new CrewError("MODEL_REFUSED", { model, name: model, reason: "the config has no model of this name" });
  }

  function gaugeOf(model: string): TokenGauge {
    const found = gauges.get(model) ?? new TokenGauge();
    gauges.set(model, found);
    return found;
  }

  /** Kept, because the SDK compiles its schemas anew for each one that it makes. */
  function chatOf(sdk: Sdk, model: string, chosen: ModelSettings): Chat {
    const found = chats.get(model) ?? newChat(sdk, chosen);
    chats.set(model, found);
    return found;
  }

  /** One request: its events, or a thrown {@link Fault}. */
  async function* once(call: ModelCall): AsyncGenerator<ModelEvent> {
    const chosen = settings(call.model);
    const faultOf = (thrown: unknown): Fault => new Fault(failureOf(thrown, call.model, chosen, clock()));
    const sdk = await (loading ??= loadSdk());
    const gauge = gaugeOf(call.model);
    const left = new AbortController();
    const asked = roughTokens([call.system, call.tools, call.messages]);
    let said = "";
    /** Tool calls whose arguments came piece by piece. */
    const pieced = new Set<string>();
    let measured = false;
    const meter = (usage: TokenCount, estimated: boolean): void => {
      measured = true;
      options.onUsage?.({ agent: call.agent, session: call.session, model: call.model, usage, estimated });
    };
    const estimated = (): TokenCount => ({
      inputTokens: gauge.scale(asked),
      outputTokens: said === "" ? 0 : gauge.estimate(said),
    });

    try {
      const result = sdk.streamText({
        model: chatOf(sdk, call.model, chosen),
        instructions: call.system,
        messages: [...call.messages],
        ...(call.tools.length === 0 ? {} : { tools: toolSet(sdk, call.tools) }),
        ...(chosen.maxOutputTokens === undefined ? {} : { maxOutputTokens: chosen.maxOutputTokens }),
        ...(chosen.temperature === undefined ? {} : { temperature: chosen.temperature }),
        headers: headersOf(call),
        abortSignal: AbortSignal.any([call.signal, left.signal]),
        maxRetries: 0,
        telemetry: { isEnabled: false },
        onError: () => undefined, // the default prints to stderr; the error comes as a part of the stream too
      });
      for await (const part of result.stream) {
        if (part.type === "abort") call.signal.throwIfAborted();
        if (part.type === "error") throw faultOf(part.error);
        if (part.type === "finish-step") {
          const counted = countOf(part.usage);
          if (counted !== undefined) gauge.observe(asked, counted.inputTokens);
          const usage = counted ?? estimated();
          meter(usage, counted === undefined);
          const { finishReason } = part;
          yield {
            kind: "end",
            finish: finishReason === "error" || finishReason === "interrupted" ? "other" : finishReason,
            usage,
          };
          return;
        }
        if (part.type === "tool-input-delta") {
          // They are shown only as a whole, but a stream that breaks in the middle of them is billed like any other.
          said += part.delta;
          pieced.add(part.id);
        }
        const event = eventOf(part);
        if (event === undefined) continue;
        if (event.kind !== "tool_call") said += event.text;
        else if (part.type === "tool-call" && !pieced.has(part.toolCallId)) said += JSON.stringify(event.call.input);
        yield event;
      }
      throw faultOf(
        new CrewError("MODEL_NONSENSE", { model: chosen.model, name: call.model, reason: "the answer has no end" }),
      );
    } catch (thrown) {
      if (call.signal.aborted || thrown instanceof Fault) throw thrown;
      throw faultOf(thrown);
    } finally {
      // What was asked and begun is billed, although its figures never came.
      if (!measured && (said !== "" || call.signal.aborted)) meter(estimated(), true);
      left.abort();
    }
  }

  async function* stream(call: ModelCall): AsyncGenerator<ModelEvent> {
    for (let attempt = 0; ; attempt += 1) {
      let said = false;
      call.signal.throwIfAborted();
      try {
        for await (const event of once(call)) {
          said = true;
          yield event;
        }
        return;
      } catch (thrown) {
        call.signal.throwIfAborted();
        if (!(thrown instanceof Fault)) throw thrown;
        const { error, retryable, retryAfterMs } = thrown.failure;
        const pause =
          said || !retryable || attempt >= maxRetries ? undefined : pauseBefore(attempt, retryAfterMs, random);
        if (pause === undefined) throw error;
        await wait(pause, call.signal);
      }
    }
  }

  return { settings, stream, estimate: (model, value) => gaugeOf(model).estimate(value) };
}
