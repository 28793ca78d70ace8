/** Tells a failure of the disk from one of the homeserver, where both can happen in one request. */
import { CrewError, reasonOf } from "../core/errors.ts";

/** Does it. @throws CrewError `FILES_FULL`, or `INTERNAL` for any other failure that is none of ours: never retried. */
export async function onDisk<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CrewError) throw thrown;
    const isFull =
      thrown instanceof Error && "code" in thrown && (thrown.code === "ENOSPC" || thrown.code === "EDQUOT");
    throw new CrewError(isFull ? "FILES_FULL" : "INTERNAL", { reason: reasonOf(thrown) }, thrown);
  }
}
