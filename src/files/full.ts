/** A full disk has one name, whether the system or git meets it. */
import { CrewError, reasonOf } from "../core/errors.ts";
import { codeOf } from "./folder.ts";

const fullCodes: readonly (string | undefined)[] = ["ENOSPC", "EDQUOT", "EFBIG"];

/** @throws CrewError `FILES_FULL` where the system says that there is no room; else what `work` throws. */
export async function filling<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (fullCodes.includes(codeOf(thrown))) throw new CrewError("FILES_FULL", { reason: reasonOf(thrown) }, thrown);
    throw thrown;
  }
}
