import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { ChainedEntry } from "../../src/journal/journal.ts";
import { sharedStage } from "../support/shared-stage.ts";

const observers = ["olaf", "oona", "otto", "olga"];
const shared = sharedStage({
  agents: ["ada"],
  permissions: (home) => ({
    [home]: "talk",
    [`@boss:${home}`]: "admin",
    ...Object.fromEntries(observers.map((name) => [`@${name}:${home}`, "observe"])),
  }),
});

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** Runs `crewroom audit` as an operator does: in a process of its own. Rejects when it ends with another code than 0. */
async function audit(...options: string[]): Promise<string[]> {
  const args = [main, "audit", "--config", shared.stage.crew.configFile, ...options];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout.trimEnd().split("\n");
}

test("what was refused is in the audit log once, with its event, beside the running bridge and after kill -9", async () => {
  const { stage } = shared;
  const { bridge, crew } = stage;
  const ada = crew.agent("ada");
  const anna = await shared.someone("anna");
  const people = await Promise.all(observers.map((name) => stage.person(name)));
  const room = await shared.group(anna, people, ["ada"]);
  const asked: string[] = [];
  for (const person of people) {
    asked.push(await person.mention(room, ada, "do my work"));
    await anna.waitForMessage(room, (said) => said.sender === ada && said.mentions.includes(person.userId));
  }
  // The last entry may be in the room's record, in the log, or in both.
  await bridge.kill();
  await bridge.start();

  const lines = await audit("--json", "--kind", "refusal");
  const entries = lines.map((line) => (JSON.parse(line) as ChainedEntry).entry).filter((entry) => entry.room === room);
  expect(entries.map(({ by, event, seq }) => [by, event, seq])).toEqual(
    people.map((person, index) => [person.userId, asked[index], index + 1]),
  );
  const [length, head] = await audit("--verify");
  expect([length, head]).toEqual([
    expect.stringMatching(/^entries \d+$/),
    expect.stringMatching(/^head [0-9a-f]{64}$/),
  ]);

  await anna.mention(room, ada, "still there?");
  await anna.waitForMessage(room, /still there/, { from: ada });
  const counted = (await bridge.metrics()).value("crewroom_audit_entries_total", { kind: "refusal" });
  expect(counted).toBeLessThanOrEqual(1);
});
