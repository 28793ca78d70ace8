/** One Synapse per test file, for the tests that leave it running. */
import { afterAll } from "vitest";
import type { Synapse } from "../../src/demo/synapse.ts";
import { freshSynapse } from "./fresh-synapse.ts";

let shared: Promise<Synapse> | undefined;

/**
 * The Synapse of this test file: started by the first call, stopped after the last test. Tests share it, so names come
 * from `uniqueName`; a test that stops or kills Synapse takes a {@link freshSynapse}. Call it in `beforeAll` or at
 * the top of the file.
 */
export function sharedSynapse(): Promise<Synapse> {
  shared ??= freshSynapse();
  return shared;
}

afterAll(async () => {
  const synapse = await shared;
  shared = undefined;
  await synapse?.[Symbol.asyncDispose]();
});
