/** `crewroom start` as a service manager sees it, with a real Synapse: its lines, its exit code, its health. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { freePort } from "../../src/demo/ports.ts";
import { startRehearsal } from "../../src/models/rehearsal/server.ts";
import { BridgeProcess } from "../support/bridge-process.ts";
import { type Crew, writeCrew } from "../support/crew.ts";
import { freshSynapse } from "../support/fresh-synapse.ts";
import { openStage } from "../support/stage.ts";
import { Person } from "../support/person.ts";

interface Place extends AsyncDisposable {
  readonly crew: Crew;
  readonly port: number;
}

/** A crew for a homeserver that does not run yet, with a model that repeats what it hears. */
async function prepare(): Promise<Place> {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-start-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const model = opened.use(await startRehearsal({ scripts: [{ rules: [{ answer: { text: "heard: {last}" } }] }] }));
  const port = await freePort();
  const crew = await writeCrew({
    directory,
    homeserver: { url: `http://127.0.0.1:${port}`, serverName: "localhost" },
    modelUrl: model.url,
    config: { limits: { retry_max_seconds: 1 } },
  });
  const resources = opened.move();
  return { crew, port, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

test("it prints one line, ready, when it serves, and SIGTERM ends it in order within 10 s", async () => {
  await using stage = await openStage();
  const { bridge } = stage;
  expect(await bridge.health("/live")).toBe(200);
  // Rejects unless it ends with 0 in time.
  await bridge.stop();
  expect(bridge.stdout).toEqual(["ready"]);
  expect(bridge.stderr.at(-1)).toContain('"msg":"stopped"');
});

test("a homeserver that does not know the registration ends it with TOKEN_UNKNOWN and what to do", async () => {
  await using place = await prepare();
  await using _synapse = await freshSynapse({ port: place.port });
  const failure = await BridgeProcess.start(place.crew).then(
    () => "it started",
    (thrown: unknown) => String(thrown),
  );
  expect(failure).toContain("ended with 1");
  expect(failure).toContain("error TOKEN_UNKNOWN: The homeserver does not know this bridge's token.");
  expect(failure).toContain("→ Add the registration to app_service_config_files");
});

test("a homeserver that is down keeps it from nothing: it is ready, and works as soon as there is one", async () => {
  await using place = await prepare();
  const { crew, port } = place;
  await using bridge = await BridgeProcess.start(crew);
  expect(await bridge.health("/live")).toBe(200);
  expect(await bridge.health("/ready")).toBe(503);
  expect(bridge.stderr.join("\n")).not.toContain("check appservice.address");

  await using synapse = await freshSynapse({ port, registrations: [crew.registrationFile] });
  await bridge.waitForLine(/the homeserver is back/, { stream: "stderr" });
  await using anna = await Person.login(synapse, "anna");
  const room = await anna.createDirectRoom(crew.agent("ada"), "good morning");
  await anna.waitForMessage(room, "heard: good morning", { from: crew.agent("ada") });
  expect(await bridge.health("/ready")).toBe(200);
});
