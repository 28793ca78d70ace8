import { describe, expect, test } from "vitest";
import { openJournal } from "../../src/journal/open.ts";
import { redisMissing, startRedis } from "../support/redis.ts";
import { freePort } from "../support/server.ts";

describe("opening a store", () => {
  test("in memory needs no lock", async () => {
    await using one = await openJournal("sqlite::memory:");
    await using two = await openJournal("sqlite::memory:");
    await one.meta.set("here", 1);
    expect(await two.meta.get("here")).toBeUndefined();
  });

  test.each(["mysql://root:hunter2@localhost/crew", "nonsense", ""])(
    "refuses the unknown scheme of %j",
    async (url) => {
      const opening = openJournal(url);
      await expect(opening).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
      await expect(opening).rejects.not.toThrow("hunter2");
    },
  );

  test.each(["postgres", "redis"])("says that no %s server answers, without the password", async (scheme) => {
    const port = await freePort();
    const opening = openJournal(
      `${scheme}://ada:hunter2@127.0.0.1:${port}/crew`.replace(/crew$/, scheme === "redis" ? "0" : "crew"),
    );
    await expect(opening).rejects.toMatchObject({ code: "STORE_UNUSABLE" });
    await expect(opening).rejects.toThrow(`${scheme}://ada@127.0.0.1:${port}/`);
    await expect(opening).rejects.not.toThrow("hunter2");
  });

  const why = redisMissing === undefined ? "" : ` (not here: ${redisMissing})`;
  test.skipIf(redisMissing !== undefined)(`warns of a Redis that can lose acknowledged writes${why}`, async () => {
    await using server = await startRedis();
    const url = await server.database();
    const warnings: string[] = [];
    const open = () => openJournal(url, { onWarning: (sentence) => warnings.push(sentence) });
    await (await open())[Symbol.asyncDispose]();
    expect(warnings).toEqual([]);
    await server.command(url, "config", "set", "appendfsync", "everysec");
    await (await open())[Symbol.asyncDispose]();
    expect(warnings).toEqual([expect.stringContaining("appendonly yes and appendfsync everysec")]);
    await server.command(url, "acl", "setuser", "default", "-config");
    await (await open())[Symbol.asyncDispose]();
    expect(warnings[1]).toContain("does not say how it writes to disk");
  });
});
