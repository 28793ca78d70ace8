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
import type { JSONSchema7, TextStreamPart, ToolSet } from "ai";
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
          const { inputTokens, outputTokens } = part.usage;
          const given = inputTokens !== undefined && outputTokens !== undefined;
          if (given) gauge.observe(asked, inputTokens);
          const cached = part.usage.inputTokenDetails.cacheReadTokens ?? 0;
          const told = cached === 0 ? {} : { cachedTokens: cached };
          const usage = given ? { inputTokens, outputTokens, ...told } : estimated();
          meter(usage, !given);
          const { finishReason } = part;
          yield {
            kind: "end",
            finish: finishReason === "error" || finishReason === "interrupted" ? "other" : finishReason,
            usage,
          };
          return;
        }
        const event = eventOf(part);
        if (event === undefined) continue;
        said += event.kind === "tool_call" ? JSON.stringify(event.call.input) : event.text;
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
