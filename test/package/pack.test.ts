import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packagePath, version } from "../../src/package.ts";

const run = promisify(execFile);

/**
 * The machine's own tools, as a person has them: without the checkout's `node_modules/.bin`, which npm and vitest put
 * first, so that `node` may well be an old one; and without what npm tells its scripts.
 */
const env = Object.fromEntries(
  Object.entries({
    ...process.env,
    PATH: (process.env["PATH"] ?? "")
      .split(delimiter)
      .filter((folder) => !folder.includes("node_modules"))
      .join(delimiter),
  }).filter(([name]) => !/^npm_/i.test(name)),
);

let folder = "";
let packed: readonly string[] = [];
const installMs = 300_000;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "crewroom-pack-"));
  const packing = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: packagePath("."), env });
  // The build's own lines may stand before the JSON.
  const result = JSON.parse(packing.stdout.slice(packing.stdout.search(/^[[{]/m))) as unknown;
  const { filename, files } = onlyPack(result);
  packed = files;
  await writeFile(join(folder, "package.json"), '{ "private": true }');
  const options = ["--no-audit", "--no-fund", "--prefer-offline"];
  await run("npm", ["install", ...options, join(folder, filename)], { cwd: folder, env });
}, installMs);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** npm 11 prints a list, npm 12 a map by name. */
function onlyPack(result: unknown): { filename: string; files: string[] } {
  const [pack] = Object.values(result as Record<string, { filename: string; files: { path: string }[] }>);
  if (pack === undefined) throw new Error("npm pack told nothing");
  return { filename: pack.filename, files: pack.files.map((file) => file.path) };
}

async function crewroom(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await run(join(folder, "node_modules/.bin/crewroom"), args, { cwd: folder, env });
    return { code: 0, stdout, stderr };
  } catch (thrown) {
    return thrown as { code: number; stdout: string; stderr: string };
  }
}

describe("the packed package, in an empty folder, on the machine's own Node", () => {
  it("holds what runs and what is read, and nothing of the workshop", () => {
    for (const path of [
      "bin/crewroom.js",
      "dist/main.js",
      "config/crewroom.yaml",
      "config/demo.yaml",
      "registration.yaml",
      "LICENSE",
    ]) {
      expect(packed).toContain(path);
    }
    const folders = new Set(packed.filter((path) => path.includes("/")).map((path) => path.split("/", 1)[0]));
    expect(folders).toEqual(new Set(["bin", "config", "dist", "docs"]));
    expect(packed.filter((path) => /\.test\.|\.ts$|\.map$|\.db|tsbuildinfo/.test(path))).toEqual([]);
  });

  it("tells its version", async () => {
    expect(await crewroom("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });

  it("registers and checks with a config of one's own", async () => {
    const config = {
      homeserver: { address: "http://127.0.0.1:9", domain: "crew.test" },
      appservice: { address: "http://127.0.0.1:29331" },
      permissions: { "@sam:crew.test": "admin" },
      models: { default: { base_url: "http://127.0.0.1:9/v1", model: "m" } },
      agents: [{ id: "ada" }],
    };
    await writeFile(join(folder, "mine.yaml"), JSON.stringify(config));
    const registered = await crewroom("register", "--config", "mine.yaml");
    expect(registered).toMatchObject({ code: 0, stderr: "" });
    expect(await readFile(join(folder, "registration.yaml"), "utf8")).toMatch(/^as_token: [0-9a-f]{64}$/m);

    const { code, stdout } = await crewroom("check", "--config", "mine.yaml");
    expect(code).toBe(1);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(":", 1)[0]),
    ).toEqual([
      "ok     config",
      "ok     permissions",
      "ok     registration",
      "ok     store",
      "ok     git",
      // Without bubblewrap it is a warning.
      expect.stringMatching(/^\w+ +sandbox$/),
      "error  homeserver",
    ]);
    expect(existsSync(join(folder, "crewroom.db"))).toBe(true);
  });

  it("ends with code 2 for wrong usage, also through the older Node", async () => {
    expect(await crewroom("strat")).toMatchObject({ code: 2, stdout: "" });
  });

  it("loads both Matrix SDKs without the overrides of the checkout, and without their native crypto", async () => {
    const script = join(folder, "node_modules/load.mjs");
    await writeFile(
      script,
      `import { loadAppServiceBridge, MatrixClient } from "./crewroom/dist/matrix/sdk.js";
       const client = new MatrixClient("http://127.0.0.1:9", "t");
       console.log(typeof client.getWhoAmI, typeof loadAppServiceBridge().AppServiceRegistration);`,
    );
    expect((await run(process.execPath, [script], { cwd: folder, env })).stdout).toBe("function function\n");
  });
});
