/**
 * Turns whatever a model call throws into one of Crewroom's errors, with a one-sentence reason that a room may read: no
 * stack, no URL's password, no key, even when the provider echoes it.
 */
import { CrewError, type ErrorCode } from "../core/errors.ts";
import type { ModelSettings } from "./port.ts";

export interface Failure {
  readonly error: CrewError;
  /** Whether the same request may succeed a little later. */
  readonly retryable: boolean;
  /** The provider's wish, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;
}

/** What errors of `ai`, of fetch and of a provider's error chunk have in common. */
interface Facts {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
}

const longestReason = 240;

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (Reflect.get(value, key) as unknown) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

/** A failed fetch wraps the reason that helps, and on hosts with two addresses that one has an empty message. */
function innermost(thrown: unknown): { readonly message: string; readonly code: string } {
  let message = "";
  let code = "";
  for (let error = thrown, depth = 0; error !== undefined && depth < 8; error = fieldOf(error, "cause"), depth += 1) {
    message = textOf(fieldOf(error, "message")) || message;
    code = textOf(fieldOf(error, "code")) || code;
  }
  return { message: message || code, code };
}

function factsOf(thrown: unknown): Facts {
  const data = fieldOf(fieldOf(thrown, "data"), "error");
  const status = fieldOf(thrown, "statusCode");
  const headers = fieldOf(thrown, "responseHeaders");
  return {
    name: textOf(fieldOf(thrown, "name")),
    message: typeof thrown === "string" ? thrown : textOf(fieldOf(thrown, "message")),
    status: typeof status === "number" ? status : undefined,
    code: [fieldOf(data, "code"), fieldOf(data, "type"), fieldOf(thrown, "code"), fieldOf(thrown, "type")]
      .map(textOf)
      .join(" ")
      .trim(),
    headers: typeof headers === "object" && headers !== null ? (headers as Record<string, string>) : {},
  };
}

function secretsOf(settings: ModelSettings): string[] {
  const url = URL.canParse(settings.baseUrl) ? new URL(settings.baseUrl) : undefined;
  const values = [
    settings.apiKey,
    url?.password,
    ...(url?.searchParams.values() ?? []),
    ...Object.values(settings.headers ?? {}),
  ];
  return values.flatMap((value) => (value !== undefined && value.length >= 4 ? [value] : []));
}

function oneSentence(text: string, settings: ModelSettings): string {
  let told = text;
  for (const secret of secretsOf(settings)) told = told.replaceAll(secret, "•••");
  told = told
    .replace(/\/\/[^/@\s]+@/g, "//•••@")
    .replace(/\b(sk|pk|rk|key)-[\w-]{8,}|\bBearer\s+\S+/gi, "•••")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/\.$/, "");
  return told.length > longestReason ? `${told.slice(0, longestReason)}…` : told;
}

const tooLong =
  /context[ _-]?(length|window|size)|maximum context|too many (input )?tokens|prompt is too long|input is too long|reduce the length|token limit/i;
const overloaded = /rate[ _-]?limit|overloaded|too many requests|insufficient_quota/i;
/** Quota does not come back within seconds. */
const exhausted = /insufficient_quota|billing|quota exceeded/i;
const nonsense =
  /AI_(JSONParseError|TypeValidationError|InvalidResponseDataError|EmptyResponseBodyError|NoOutputGeneratedError|NoContentGeneratedError)/;

/** Codes of undici and of the system for a connection that ended too early. */
const brokenOff = /^(UND_ERR_|ECONN|EPIPE|ETIMEDOUT)/;

/** Milliseconds of a `Retry-After` (seconds or a date) or `retry-after-ms` header. */
export function retryAfterOf(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const ms = Number(headers["retry-after-ms"] ?? Number.NaN);
  if (ms >= 0) return ms;
  const text = headers["retry-after"];
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (seconds >= 0) return seconds * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/**
 * @param name key of `models` in the config
 * @param now milliseconds since 1970, against which a Retry-After date is read
 */
export function failureOf(thrown: unknown, name: string, settings: ModelSettings, now: number): Failure {
  if (thrown instanceof CrewError) return { error: thrown, retryable: false, retryAfterMs: undefined };
  const facts = factsOf(thrown);
  const { status } = facts;
  const failure = (code: ErrorCode, reason: string, retryable: boolean): Failure => ({
    // The cause is left out on purpose: it holds the request's headers and body, and a log would print them.
    error: new CrewError(code, {
      model: settings.model,
      name,
      reason: oneSentence(reason, settings),
      context: settings.context,
    }),
    retryable,
    retryAfterMs: retryAfterOf(facts.headers, now),
  });

  const told = `${facts.code} ${facts.message}`;
  const http = status === undefined ? facts.message : `HTTP ${status}, ${facts.message}`;
  if ((status === undefined || status === 400 || status === 413 || status === 422) && tooLong.test(told)) {
    return failure("CONTEXT_EXCEEDED", facts.message, false);
  }
  if (nonsense.test(facts.name)) return failure("MODEL_NONSENSE", facts.message, false);
  const inner = innermost(thrown);
  if (status !== undefined && status < 300) {
    // A 200 whose body breaks off is a lost connection; one that cannot be read is not what we asked for.
    return failure(brokenOff.test(inner.code) ? "MODEL_UNREACHABLE" : "MODEL_NONSENSE", inner.message, false);
  }
  if (status === 429 || status === 503 || status === 529 || (status === undefined && overloaded.test(told))) {
    return failure("MODEL_OVERLOADED", http, !exhausted.test(told));
  }
  if (status !== undefined && status >= 400 && status < 500 && status !== 408)
    return failure("MODEL_REFUSED", http, false);
  if (status !== undefined) return failure("MODEL_UNREACHABLE", http, true);
  if (/^AI_(?!APICallError|StreamProviderError)/.test(facts.name))
    return failure("MODEL_REFUSED", facts.message, false);
  return failure("MODEL_UNREACHABLE", inner.message || "no reason was given", true);
}
