import { describe, expect, it } from "vitest";
import { createLogger, type LogLevel } from "../../src/observe/log.ts";

function logTo(level: LogLevel, format: "json" | "pretty" = "json") {
  const lines: string[] = [];
  const logger = createLogger({ level, format, destination: { write: (line) => lines.push(line) } });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown> };
}

const secret = "syt_b0t_s3cr3t";

describe("the log", () => {
  it("writes one JSON object a line, with the level's name, the time and the fields", () => {
    const { logger, last } = logTo("info");
    logger.child({ room: "!r:x" }).info({ event: "$e", count: 3 }, "handled");
    expect(last()).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      room: "!r:x",
      event: "$e",
      count: 3,
      msg: "handled",
    });
  });

  it("writes nothing below its level", () => {
    const { logger, lines } = logTo("warn");
    logger.info({}, "quiet");
    logger.warn({}, "loud");
    expect(lines).toHaveLength(1);
  });

  const holders: readonly (readonly [string, Record<string, unknown>])[] = [
    ["a field", { as_token: secret }],
    ["a nested field", { config: { appservice: { hs_token: secret } } }],
    ["an array", { models: [{ api_key: secret }, { apiKey: secret }] }],
    ["an object under a secret name", { token: { value: secret } }],
    ["a header", { headers: { Authorization: `Bearer ${secret}` } }],
    ["a text", { why: `sent Bearer ${secret}, refused` }],
    ["a query string", { url: `http://h/_matrix?user_id=x&access_token=${secret}&ts=1` }],
    ["a URL's password", { store: `postgres://crew:${secret}@db/crew` }],
    ["a URL", { url: new URL(`redis://crew:${secret}@db`) }],
    ["an error", { err: new Error(`GET http://h/?access_token=${secret} failed`) }],
    ["an error's own fields", { err: Object.assign(new Error("x"), { options: { accessToken: secret } }) }],
    ["an error's cause", { err: new Error("x", { cause: new Error(`access_token=${secret}`) }) }],
  ];
  it.each(holders)("never shows a secret in %s, in either format, also from a child", (_where, fields) => {
    for (const format of ["json", "pretty"] as const) {
      const { logger, lines } = logTo("trace", format);
      logger.error(fields, "failed");
      logger.child(fields).error({}, `failed with access_token=${secret}`);
      expect(lines).toHaveLength(2);
      expect(lines.join("")).toContain("[secret]");
      expect(lines.join("")).not.toContain(secret);
    }
  });

  it("lets through what only sounds like a secret", () => {
    const { logger, last } = logTo("info");
    logger.info({ inputTokens: 12, address: "http://127.0.0.1:8008/x" }, "turn");
    expect(last()).toMatchObject({ inputTokens: 12, address: "http://127.0.0.1:8008/x" });
  });

  it("shows what people say at debug only", () => {
    const event = { event: { event_id: "$e", content: { body: "my diary" } }, body: "my diary" };
    const info = logTo("info");
    info.logger.info(event, "received");
    expect(info.lines.join("")).toContain("$e");
    expect(info.lines.join("")).not.toContain("diary");
    const debug = logTo("debug");
    debug.logger.debug(event, "received");
    expect(debug.lines.join("")).toContain("diary");
  });

  it("survives values that JSON cannot hold", () => {
    const loop: Record<string, unknown> = { big: 1n, bytes: new Uint8Array(1_000), when: new Date(0) };
    loop["self"] = loop;
    const { logger, last } = logTo("info");
    logger.info({ loop }, "odd");
    expect(last()).toMatchObject({ loop: { big: "1", bytes: "[1000 bytes]", when: "1970-01-01T00:00:00.000Z" } });
  });

  it("reads as one line in the pretty format", () => {
    const { logger, lines } = logTo("info", "pretty");
    logger.info({ room: "!r:x" }, "handled");
    expect(lines[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: handled \{"room":"!r:x"\}\n$/);
  });
});
