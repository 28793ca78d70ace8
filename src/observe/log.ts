/**
 * The bridge's log. Lines name events, rooms and turns by their ids; they never hold a secret, and what people and agents
 * say only at `debug` and below.
 */
import pino from "pino";
import { prettyFactory } from "pino-pretty";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "silent";

/** Facts of one line, by name. An error goes under `err`. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What the parts of the bridge need of a log. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger whose lines all carry these fields as well. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** One JSON object a line, or coloured text for a person. */
  readonly format: "json" | "pretty";
  /** Where lines go. Default: stderr, so that stdout stays for what a command prints. */
  readonly destination?: { write(line: string): unknown };
}

export function createLogger({ level, format, destination = process.stderr }: LoggerOptions): Logger {
  const censor = createCensor(level === "trace" || level === "debug");
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: (fields) => censor(fields) },
    // The censor has made the error plain already.
    serializers: { err: (err: unknown) => err },
  };
  const stream =
    format === "pretty" ? prettyStream(destination) : { write: (line: string) => void destination.write(line) };
  return loggerOver(pino(options, stream), censor);
}

type Censor = (fields: object) => Record<string, unknown>;

/** pino formats the fields of a line, but neither those of a child logger nor the message. */
function loggerOver(inner: pino.Logger, censor: Censor): Logger {
  return {
    debug: (fields, message) => inner.debug(fields, withoutSecrets(message)),
    info: (fields, message) => inner.info(fields, withoutSecrets(message)),
    warn: (fields, message) => inner.warn(fields, withoutSecrets(message)),
    error: (fields, message) => inner.error(fields, withoutSecrets(message)),
    child: (fields) => loggerOver(inner.child(censor(fields)), censor),
  };
}

/** In this thread: pino-pretty as a transport would cost a worker of its own, about 10 MB. */
function prettyStream(destination: { write(line: string): unknown }): pino.DestinationStream {
  const colorize = destination === process.stderr && process.stderr.isTTY;
  const pretty = prettyFactory({ colorize, translateTime: "SYS:HH:MM:ss.l", singleLine: true });
  return { write: (line) => void destination.write(pretty(line)) };
}

const secretName = /token|secret|password|passphrase|authorization|api[_-]?key|private[_-]?key|cookie|credential/i;
const wordsName = /^(?:body|formatted_body|content|m\.new_content|prompt)$/;
/** Secrets inside a longer text: in a query string, after `Bearer`, or as the password of a URL. */
const secretsInText = [
  /((?:access_token|as_token|hs_token|api_key|password)=|Bearer\s{1,9})[^\s&"']{1,4096}/gi,
  /(:\/\/[^\s:/@]{0,255}:)[^\s/@]{1,1024}(?=@)/g,
];

/** Deeper and wider values are left out: a log line is no dump. */
const maxDepth = 6;
const maxItems = 100;

/**
 * Replaces secrets, wherever they stand. pino's own `redact` knows paths of a fixed depth only, and a token may sit in
 * any field of what an SDK threw. Numbers pass: `inputTokens: 12` is no secret.
 */
function createCensor(withWords: boolean): Censor {
  const censorField = (name: string, value: unknown, depth: number, secret: boolean): unknown => {
    if (!withWords && wordsName.test(name) && value !== undefined) return "[not logged]";
    return censorValue(value, depth, secret || secretName.test(name));
  };
  const censorValue = (value: unknown, depth: number, secret: boolean): unknown => {
    if (typeof value === "string") return secret ? "[secret]" : withoutSecrets(value);
    if (typeof value === "bigint" || value instanceof URL) return withoutSecrets(String(value));
    if (typeof value !== "object" || value === null) return value;
    if (depth >= maxDepth) return "[deeper]";
    if (value instanceof Error) return censorObject(pino.stdSerializers.err(value), depth, secret);
    if (value instanceof Date) return value.toJSON();
    if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value)) return value.slice(0, maxItems).map((item) => censorValue(item, depth + 1, secret));
    return censorObject(value, depth, secret);
  };
  const censorObject = (value: object, depth: number, secret: boolean): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(value)
        .slice(0, maxItems)
        .map(([name, inner]) => [name, censorField(name, inner, depth + 1, secret)]),
    );
  return (fields) => censorObject(fields, 0, false);
}

function withoutSecrets(text: string): string {
  return secretsInText.reduce((rest, pattern) => rest.replaceAll(pattern, "$1[secret]"), text);
}
