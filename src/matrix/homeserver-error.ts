/** A request to the homeserver that failed, with what is needed to decide whether it is worth another try. */
import { CrewError, type ErrorCode, type ErrorDetails, reasonOf } from "../core/errors.ts";

/** What the homeserver (or a proxy before it) answered. */
export interface FailedAnswer {
  readonly status: number;
  /** The body as it came; only its beginning is ever told. */
  readonly text: string;
  /** The `Retry-After` header. */
  readonly retryAfter?: string | undefined;
}

export interface FailureFacts {
  /** HTTP status; `undefined` when there was no answer. */
  readonly status?: number | undefined;
  /** `M_…` */
  readonly errcode?: string | undefined;
  /** How long the homeserver wants us to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** Another try may succeed: no answer, a proxy's answer, 5xx or 429. */
  readonly retryable: boolean;
  /** The homeserver itself did not speak: it or the way to it is down. */
  readonly outage: boolean;
}

/** `HOMESERVER_UNREACHABLE`, `HOMESERVER_REFUSED` or `TOKEN_UNKNOWN`. */
export class HomeserverError extends CrewError {
  readonly status: number | undefined;
  readonly errcode: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly retryable: boolean;
  readonly outage: boolean;

  constructor(
    code: Extract<ErrorCode, "HOMESERVER_UNREACHABLE" | "HOMESERVER_REFUSED" | "TOKEN_UNKNOWN">,
    details: ErrorDetails,
    facts: FailureFacts,
    cause?: unknown,
  ) {
    super(code, details, cause);
    this.status = facts.status;
    this.errcode = facts.errcode;
    this.retryAfterMs = facts.retryAfterMs;
    this.retryable = facts.retryable;
    this.outage = facts.outage;
  }
}

/**
 * There was no answer at all. `outage: false` when the homeserver may only have waited for somebody else, as with a join
 * over federation.
 */
export function unreachable(address: string, thrown: unknown, outage = true): HomeserverError {
  const details = { address, reason: reasonOf(thrown) };
  return new HomeserverError("HOMESERVER_UNREACHABLE", details, { retryable: true, outage }, thrown);
}

/** The same refusal, when another try may well succeed all the same. */
export function laterPerhaps(error: HomeserverError): HomeserverError {
  const { status, errcode, retryAfterMs } = error;
  const facts = { status, errcode, retryAfterMs, retryable: true, outage: false };
  return new HomeserverError("HOMESERVER_REFUSED", error.details, facts, error);
}

/** These come from proxies too, in HTML, and a repetition would get the same. */
const hopeless: ReadonlySet<number> = new Set([413, 414, 431]);

/** An answer that is no success. `what` ends the sentence "The homeserver refused …". */
export function failureOf(address: string, what: string, answer: FailedAnswer): HomeserverError {
  const { status } = answer;
  const { errcode, error, retry_after_ms: after } = objectOf(answer.text);
  if (typeof errcode !== "string") return proxyFailure(address, what, answer);
  const reason = typeof error === "string" ? error.slice(0, maxReasonChars) : "";
  const retryAfterMs = retryAfterHeader(answer.retryAfter) ?? milliseconds(after);
  const facts = { status, errcode, retryAfterMs, retryable: status >= 500 || status === 429, outage: false };
  // Synapse says M_FORBIDDEN when only the user is unknown, other homeservers M_UNKNOWN_TOKEN: then our token is not meant.
  if (/^M_(UNKNOWN|MISSING)_TOKEN$/.test(errcode) && !/not registered/i.test(reason)) {
    return new HomeserverError("TOKEN_UNKNOWN", {}, facts);
  }
  if (status >= 500) {
    const details = { address, reason: `${what} failed with ${status} ${errcode} ${reason}`.trim() };
    return new HomeserverError("HOMESERVER_UNREACHABLE", details, facts);
  }
  return new HomeserverError("HOMESERVER_REFUSED", { what, status, errcode, reason }, facts);
}

/** A homeserver always answers in JSON with an `errcode`; whatever else comes is from something between us. */
function proxyFailure(address: string, what: string, { status, retryAfter }: FailedAnswer): HomeserverError {
  const facts = { status, retryAfterMs: retryAfterHeader(retryAfter) };
  if (hopeless.has(status)) {
    const details = { what, status, errcode: "", reason: "the request is too large for a proxy before the homeserver" };
    return new HomeserverError("HOMESERVER_REFUSED", details, { ...facts, retryable: false, outage: false });
  }
  const details = { address, reason: `something before it answered ${status} to ${what}` };
  return new HomeserverError("HOMESERVER_UNREACHABLE", details, { ...facts, retryable: true, outage: status !== 429 });
}

const maxReasonChars = 500;

function retryAfterHeader(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === "") return undefined;
  const seconds = Number(header);
  return milliseconds(Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000);
}

function milliseconds(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? Math.max(0, Math.ceil(value)) : undefined;
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}
