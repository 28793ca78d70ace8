/** What a runtime needs of the models: to ask one, and to know how much fits. Types only. */
import type { AssistantModelMessage, ModelMessage, ToolModelMessage } from "ai";
import type { AgentId, SessionId } from "../core/ids.ts";

export type { AssistantModelMessage, ModelMessage, ToolModelMessage };

/** One entry of `models` in the config. */
export interface ModelSettings {
  /** Base URL of an OpenAI-compatible API, usually ending in `/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  /** The model's name at the provider. */
  readonly model: string;
  /** Tokens that the model takes, question and answer together. */
  readonly context: number;
  /** Default: the provider's. */
  readonly maxOutputTokens?: number | undefined;
  /** Default: the provider's. */
  readonly temperature?: number | undefined;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface TokenCount {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of the input, what the provider had in its cache. */
  readonly cachedTokens?: number;
}

/** One call of a model, for the meters. */
export interface ModelUse {
  readonly agent: AgentId;
  readonly session: SessionId;
  /** Key of `models` in the config. */
  readonly model: string;
  readonly usage: TokenCount;
  /** `true` when the provider gave no figures (or the call was cut short) and they were made from the texts' lengths. */
  readonly estimated: boolean;
}

export interface ModelTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the arguments. */
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

export interface ModelCall {
  readonly agent: AgentId;
  readonly roles: readonly string[];
  readonly session: SessionId;
  /** Key of `models` in the config. */
  readonly model: string;
  readonly system: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ModelTool[];
  readonly signal: AbortSignal;
}

export interface ToolRequest {
  readonly name: string;
  /** The arguments; `{}` when they could not be read. */
  readonly input: unknown;
  /** Why the call cannot be run as it came: an unknown tool, or arguments that are no JSON. For the model to read. */
  readonly problem?: string | undefined;
  /** What the provider wants back beside the call in later requests. */
  readonly providerOptions?: Extract<
    Exclude<AssistantModelMessage["content"], string>[number],
    { type: "tool-call" }
  >["providerOptions"];
}

/** What a model says, as it says it. `end` is the last event, and the only one that always comes. */
export type ModelEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "thought"; readonly text: string }
  | { readonly kind: "tool_call"; readonly call: ToolRequest }
  | {
      readonly kind: "end";
      readonly finish: "stop" | "length" | "content-filter" | "tool-calls" | "other";
      readonly usage: TokenCount;
    };

export interface Models {
  /** Throws `MODEL_REFUSED` for a name that the config does not have. */
  settings(model: string): ModelSettings;
  /**
   * Asks a model once. Connection errors, 429 and 5xx are retried while nothing has been said. Throws `MODEL_*` and
   * `CONTEXT_EXCEEDED`; when the call's signal aborts, it throws the signal's reason. Leaving the loop ends the request.
   */
  stream(call: ModelCall): AsyncIterable<ModelEvent>;
  /** About how many tokens the model will count for a value of a request, corrected by what it counted before. */
  estimate(model: string, value: unknown): number;
}
