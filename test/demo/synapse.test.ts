import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { login } from "../../src/demo/accounts.ts";
import { callApi } from "../../src/demo/client-api.ts";
import { freePort, isPortFree } from "../../src/demo/ports.ts";
import { startSynapse } from "../../src/demo/synapse.ts";
import { ensureSynapse, synapseVersion } from "../../src/demo/venv.ts";
import { freshSynapse } from "../support/fresh-synapse.ts";
import { sharedSynapse } from "../support/shared-synapse.ts";
import type { CrewError } from "../../src/core/errors.ts";

const folders: string[] = [];
async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(tmpdir(), "crewroom-synapse-test-"));
  folders.push(made);
  return made;
}
afterAll(() => Promise.all(folders.map((one) => rm(one, { recursive: true, force: true }))));

describe("a local Synapse", { timeout: 120_000 }, () => {
  test("serves on loopback with the pinned version, and makes accounts that can log in", async () => {
    const synapse = await sharedSynapse();
    await expect(
      callApi(synapse.url, { method: "GET", path: "/_synapse/admin/v1/server_version" }),
    ).resolves.toMatchObject({
      server_version: expect.stringContaining(synapseVersion) as unknown,
    });
    const federation = callApi(synapse.url, { method: "GET", path: "/_matrix/federation/v1/version" });
    await expect(federation, "federation is not offered").rejects.toMatchObject({ details: { status: 404 } });
    const made = await synapse.registerUser("visitor", "a password", { displayName: "Visitor" });
    expect(made.userId).toBe("@visitor:localhost");
    await expect(login(synapse.url, "visitor", "a password")).resolves.toMatchObject({ userId: made.userId });
    await expect(login(synapse.url, "visitor", "wrong")).rejects.toMatchObject({ details: { errcode: "M_FORBIDDEN" } });
    await expect(synapse.registerUser("visitor", "x")).rejects.toMatchObject({ details: { errcode: "M_USER_IN_USE" } });
  });

  test("an admin account may use the admin API, another may not", async () => {
    const synapse = await sharedSynapse();
    const admin = await synapse.registerUser("root", "a password", { admin: true });
    const other = await synapse.registerUser("plain", "a password");
    const path = "/_synapse/admin/v2/users";
    await expect(callApi(synapse.url, { method: "GET", path, token: admin.accessToken })).resolves.toHaveProperty(
      "users",
    );
    await expect(callApi(synapse.url, { method: "GET", path, token: other.accessToken })).rejects.toMatchObject({
      code: "HOMESERVER_REFUSED",
      details: { status: 403 },
    });
  });

  test("keeps its data through a kill and a stop, and starts again on the same port", async () => {
    await using synapse = await freshSynapse();
    const { accessToken } = await synapse.registerUser("keeper", "a password");
    const whoami = (): Promise<unknown> =>
      callApi(synapse.url, { method: "GET", path: "/_matrix/client/v3/account/whoami", token: accessToken });
    await synapse.kill();
    expect(synapse.pid).toBeUndefined();
    await expect(whoami()).rejects.toMatchObject({ code: "HOMESERVER_UNREACHABLE" });
    await synapse.start();
    await expect(whoami()).resolves.toMatchObject({ user_id: "@keeper:localhost" });
    await synapse.stop();
    await synapse.start();
    await expect(whoami()).resolves.toMatchObject({ user_id: "@keeper:localhost" });
  });

  test("a suspended Synapse keeps a request waiting, and answers it when resumed", async () => {
    await using synapse = await freshSynapse();
    synapse.suspend();
    const impatient = AbortSignal.timeout(300);
    await expect(fetch(`${synapse.url}/health`, { signal: impatient })).rejects.toMatchObject({ name: "TimeoutError" });
    const patient = fetch(`${synapse.url}/health`);
    synapse.resume();
    expect((await patient).status).toBe(200);
  });

  test("an old folder goes on with its accounts, its port and its overrides", async () => {
    const directory = await folder();
    const first = await freshSynapse({ directory });
    const account = await first.registerUser("old", "a password");
    await first[Symbol.asyncDispose]();
    await using second = await freshSynapse({ directory, overrides: { max_upload_size: "3M" } });
    expect(second.port).toBe(first.port);
    const config = await callApi(second.url, {
      method: "GET",
      path: "/_matrix/client/v1/media/config",
      token: account.accessToken,
    });
    expect(config).toEqual({ "m.upload.size": 3 * 1024 * 1024 });
  });

  test("moves to another port when the folder's last one is taken", async () => {
    const directory = await folder();
    const first = await freshSynapse({ directory });
    await first[Symbol.asyncDispose]();
    const squatter = createServer().listen({ port: first.port, host: "127.0.0.1" });
    await once(squatter, "listening");
    await using second = await freshSynapse({ directory });
    expect(second.port).not.toBe(first.port);
    squatter.close();
  });

  test("a demanded port that is taken is an error that says so, and leaves no process", async () => {
    const port = await freePort();
    const squatter = createServer().listen({ port, host: "127.0.0.1" });
    await once(squatter, "listening");
    await expect(startSynapse({ directory: await folder(), port })).rejects.toMatchObject({
      code: "SYNAPSE_FAILED",
      message: expect.stringMatching(/port \d+ is in use already/) as unknown,
    });
    squatter.close();
    await once(squatter, "close");
    expect(await isPortFree(port)).toBe(true);
  });

  test("a config that Synapse refuses is an error with Synapse's own reason", async () => {
    await expect(
      startSynapse({ directory: await folder(), overrides: { database: { name: "oracle" } } }),
    ).rejects.toMatchObject({
      code: "SYNAPSE_FAILED",
      message: expect.stringContaining("oracle") as unknown,
    });
  });

  test("it does not outlive a parent that was killed", async () => {
    const parent = spawn(process.execPath, [path.join(import.meta.dirname, "synapse-parent.ts"), await folder()], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const port = Number(line.toString());
    expect(port).toBeGreaterThan(0);
    const connection = connect({ port, host: "127.0.0.1" });
    await once(connection, "connect");
    // Its end closes the connection, in order or with a reset.
    const closed = new Promise((resolve) => connection.once("close", resolve));
    connection.on("error", () => undefined).resume();
    parent.kill("SIGKILL");
    await closed;
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow("fetch failed");
  });

  test("its death is noticed, and it can be started again", async () => {
    const { promise, resolve } = Promise.withResolvers<CrewError>();
    await using synapse = await freshSynapse({ onCrash: resolve });
    process.kill(synapse.pid ?? 0, "SIGKILL");
    await expect(promise).resolves.toMatchObject({
      code: "SYNAPSE_ENDED",
      message: expect.stringContaining("SIGKILL") as unknown,
    });
    expect(synapse.pid).toBeUndefined();
    await synapse.start();
    expect((await fetch(`${synapse.url}/health`)).status).toBe(200);
  });
});

describe("the Python environment", () => {
  test("no Python at all is one clear error", async () => {
    await expect(ensureSynapse({ cache: await folder(), pythons: ["/nowhere/python3"] })).rejects.toMatchObject({
      code: "PYTHON_MISSING",
      message: expect.stringContaining("/nowhere/python3: not found") as unknown,
      todo: expect.stringContaining("--homeserver") as unknown,
    });
  });

  test("a Python that is too old, or without venv, is passed over and named", async () => {
    const directory = await folder();
    const old = path.join(directory, "old");
    const bare = path.join(directory, "bare");
    await writeFile(old, "#!/bin/sh\necho 3 8\n", { mode: 0o755 });
    await writeFile(
      bare,
      `#!/bin/sh\ncase "$2" in *ensurepip*) echo "No module named 'ensurepip'" >&2; exit 1;; esac\necho 3 12\n`,
      {
        mode: 0o755,
      },
    );
    const failure = ensureSynapse({ cache: directory, pythons: [old, bare] });
    await expect(failure).rejects.toMatchObject({ code: "PYTHON_MISSING" });
    await expect(failure).rejects.toThrow(/Python 3\.8.*No module named 'ensurepip'/);
  });
});
