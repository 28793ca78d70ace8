import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { playConversation } from "../../src/demo/conversation.ts";
import { runDemo } from "../../src/demo/demo.ts";
import { DemoPerson } from "../../src/demo/demo-person.ts";
import { runOwnDemo } from "../../src/demo/own-demo.ts";
import { RoomView } from "../../src/demo/room-view.ts";
import { uniqueName } from "../support/fresh-synapse.ts";
import { sharedSynapse } from "../support/shared-synapse.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "crewroom-demo-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("crewroom demo", { timeout: 240_000 }, () => {
  test("plays the conversation with a script to its end, and again on the same folder", async () => {
    const folder = path.join(directory, "local");
    const passwords: string[] = [];
    for (const run of [1, 2]) {
      const lines: string[] = [];
      const code = await runDemo({ once: true, directory: folder, env: {}, say: (line) => void lines.push(line) });
      const told = lines.join("\n");
      expect({ run, code, told }).toMatchObject({
        code: 0,
        told: expect.stringContaining("All answers came.") as unknown,
      });
      expect(told).toContain("no model is asked");
      expect(told).not.toContain("last crumb may choose");
      passwords.push(/password +(\S+)/.exec(told)?.[1] ?? `none in run ${run}`);
    }
    expect(passwords[1]).toBe(passwords[0]);
  });

  test("names what did not come when the agents are not there", async () => {
    const synapse = await sharedSynapse();
    const stop = new AbortController();
    const account = await synapse.registerUser(uniqueName(), "a password");
    // The third invite is the last thing that happens in a room whose agents do not exist.
    let invites = 0;
    const view = new RoomView(account.userId, ({ text }) => {
      if (text === "is invited") invites++;
      if (invites === 3) stop.abort();
    });
    const person = new DemoPerson(synapse.url, account, stop.signal);
    const first = Promise.withResolvers<void>();
    const watch = person.watch(view, () => first.resolve());
    await first.promise;
    const agent = (id: string): string => `@agent_${id}:localhost`;
    const missing = await playConversation({ person, view, agent, scripted: true, signal: stop.signal });
    expect(missing).toEqual([expect.stringMatching(/^@agent_ada:localhost to join /)]);
    await watch;
  });

  test("on one's own homeserver it says what to install, keeps it for the next run, and waits until it is known", async () => {
    const synapse = await sharedSynapse();
    const folder = path.join(directory, "own");
    const registrationFile = path.join(folder, "registration.yaml");
    const registrations: string[] = [];
    for (const _run of [1, 2]) {
      const stop = new AbortController();
      const lines: string[] = [];
      const say = (line: string): void => {
        lines.push(line);
        if (line.includes("does not know it yet")) stop.abort();
      };
      const options = {
        homeserver: synapse.url,
        person: "@me:localhost",
        directory: folder,
        env: {},
        say,
        signal: stop.signal,
      };
      await expect(runOwnDemo(options)).rejects.toMatchObject({ name: "AbortError" });
      expect(lines.join("\n")).toContain(`app_service_config_files:\n    - ${registrationFile}`);
      registrations.push(await readFile(registrationFile, "utf8"));
    }
    expect(registrations[1]).toBe(registrations[0]);
    expect((await stat(registrationFile)).mode & 0o777).toBe(0o600);
    const config = await readFile(path.join(folder, "crewroom.yaml"), "utf8");
    expect(config).toContain('"@me:localhost": admin');
    expect(config).not.toContain("@you:localhost");
  });

  test("a homeserver of one's own needs a person with a Matrix id", async () => {
    const homeserver = "http://127.0.0.1:9";
    await expect(runDemo({ once: false, homeserver })).rejects.toMatchObject({ code: "COMMAND_INVALID" });
    await expect(runDemo({ once: false, homeserver, person: "me" })).rejects.toMatchObject({ code: "COMMAND_INVALID" });
  });
});
