import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import { redisMissing, startRedis } from "../support/redis.ts";
import { openStage } from "../support/stage.ts";

const servers = [
  { name: "PostgreSQL", start: startPostgres, missing: postgresMissing },
  { name: "Redis", start: startRedis, missing: redisMissing },
];

describe.each(servers)("a bridge whose store is $name", { timeout: 120_000 }, ({ start, missing }) => {
  test.skipIf(missing !== undefined)(
    `answers, and goes on after kill -9 with what it knows${missing === undefined ? "" : ` (skipped: ${missing})`}`,
    async () => {
      await using server = await start();
      await using stage = await openStage({ agents: ["ada"], config: { store: await server.database() } });
      const ada = stage.crew.agent("ada");
      const anna = await stage.person("anna");
      const room = await anna.createDirectRoom(ada, "first");
      await anna.waitForMessage(room, "ada heard: first", { from: ada });
      await stage.bridge.kill();
      const said = anna.say(room, "second");
      await stage.bridge.start();
      await said;
      await anna.waitForMessage(room, "ada heard: second", { from: ada });
      const lastRequest = JSON.stringify(stage.rehearsal.requests.at(-1)?.body);
      expect(lastRequest).toContain("ada heard: first");
      expect(existsSync(path.join(stage.crew.directory, "crewroom.db"))).toBe(false);
    },
  );
});
