/** What the demo keeps from run to run, so that Element finds everything where it was. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { CrewError } from "../core/errors.ts";
import { lockFile } from "./file-lock.ts";
import { freePort } from "./ports.ts";

const schema = z.object({
  /** Of the person's account. */
  password: z.string(),
  /** That the bridge listens on. */
  bridgePort: z.number(),
});
export type DemoState = z.infer<typeof schema>;

const lockWithinMs = 2_000;

/** Takes the folder for this process. Rejects with `STORE_LOCKED` when another demo runs on it. */
export async function lockDemo(directory: string): Promise<Disposable> {
  const limit = AbortSignal.timeout(lockWithinMs);
  return lockFile(path.join(directory, "lock"), { signal: limit }).catch((error: unknown) => {
    throw limit.aborted ? new CrewError("STORE_LOCKED", { store: directory, holder: "" }, error) : error;
  });
}

/** The folder's state; the port is another one when the last one is taken. */
export async function openDemoState(directory: string): Promise<DemoState> {
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, "demo.json");
  const text = await readFile(file, "utf8").catch(() => undefined);
  const old = text === undefined ? undefined : schema.parse(JSON.parse(text));
  const state = {
    password: old?.password ?? randomBytes(9).toString("base64url"),
    bridgePort: await freePort(old?.bridgePort),
  };
  await writeFile(file, JSON.stringify(state), { mode: 0o600 });
  return state;
}
