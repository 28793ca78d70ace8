/** The last request of a bridge that was killed, done by the homeserver when newer ones were: the room shows what is so again. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { defined } from "../core/scene.ts";
import { callApi } from "../../src/demo/client-api.ts";
import { sharedStage } from "../support/shared-stage.ts";
import { diligence, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const shared = sharedStage({
  agents: taskCrew,
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  config: { tasks: { plan_approval: "never" } },
  script: [planRule([{ id: "one" }]), ...diligence],
});

test("state that an older process wrote last gives way to what is so", { timeout: 120_000 }, async () => {
  const { crew, synapse } = shared.stage;
  const anna = await shared.someone("anna");
  const task = await TaskRoom.openByBot(anna, crew, "Do one thing");
  await task.waitForAsk("final");
  const states = await task.history("one");
  const { at: _at, ...now } = defined(states.at(-1));
  const content = { ...now, state: "working", version: 1 };
  const registration = parse(await readFile(crew.registrationFile, "utf8")) as { readonly as_token: string };
  await callApi(synapse.url, {
    method: "PUT",
    path: `/_matrix/client/v3/rooms/${encodeURIComponent(task.room)}/state/dev.crewroom.subtask/one?user_id=${encodeURIComponent(crew.bot)}`,
    token: registration.as_token,
    body: content,
  });
  await task.waitForSubtask("one", "working");
  await task.waitForSubtask("one", "done");
  const after = await task.history("one");
  expect(after.slice(states.length).map(({ state }) => state)).toEqual(["working", "done"]);
});
