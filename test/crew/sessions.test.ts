import { expect, test } from "vitest";
import { SessionPool } from "../../src/crew/sessions.ts";
import { sessionId } from "../runtimes/support.ts";
import { LinesLog } from "./support.ts";

function sessions() {
  const events: string[] = [];
  const open = (name: string) => async () => {
    events.push(`open ${name}`);
    return {
      prompt: () => {
        throw new TypeError("not asked here");
      },
      forget: async () => undefined,
      close: async () => void events.push(`close ${name}`),
    };
  };
  return { events, open };
}

test("the session that was idle the longest is closed when too many are open, never one in use", async () => {
  const { events, open } = sessions();
  await using pool = new SessionPool(new LinesLog(), 2);
  const use = async (name: string, work: () => Promise<void> = async () => undefined) =>
    pool.use(sessionId(name), open(name), work);
  await use("a", async () => {
    await use("b");
    await use("c");
    await use("d");
    expect(events).toEqual(["open a", "open b", "open c", "close b", "open d", "close c"]);
  });
  await use("a");
  expect(events.length).toBe(6);
  expect(pool.size).toBe(2);
});

test("a session that could not be opened is tried anew", async () => {
  const { events, open } = sessions();
  await using pool = new SessionPool(new LinesLog());
  const refuse = async () => Promise.reject(new TypeError("no"));
  await expect(pool.use(sessionId("a"), refuse, async () => undefined)).rejects.toThrow("no");
  await pool.use(sessionId("a"), open("a"), async () => undefined);
  expect(events).toEqual(["open a"]);
});
