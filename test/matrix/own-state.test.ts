import { expect, test } from "vitest";
import type { EventId, UserId } from "../../src/core/ids.ts";
import { OwnState } from "../../src/matrix/own-state.ts";

const bot = "@crewroom:example.org" as UserId;
const room = "!r:example.org";

/** A clock that a test turns. */
function stage() {
  const strange: unknown[] = [];
  const due: (() => void)[] = [];
  const state = new OwnState({
    bot,
    after: (_ms, signal) =>
      new Promise((resolve, reject) => {
        due.push(resolve);
        signal.addEventListener("abort", () => reject(new Error("ended")));
      }),
    onStrange: (...told) => strange.push(told),
  });
  const later = async (): Promise<void> => {
    for (const done of due.splice(0)) done();
    // Disposing waits for what is looked at.
    await state[Symbol.asyncDispose]();
  };
  return { state, strange, later };
}

function event(id: string, more: object = {}) {
  return {
    room_id: room,
    event_id: id,
    sender: bot,
    type: "dev.crewroom.subtask",
    state_key: "one",
    content: { id },
    ...more,
  };
}

test("what an earlier process wrote after this one is told; what this one wrote, or writes over it, is not", async () => {
  const { state, strange, later } = stage();
  state.wrote("$new" as EventId);
  state.take([event("$new"), event("$old")]);
  // The answer to a request may come after its event.
  state.take([event("$mine", { state_key: "two" })]);
  state.wrote("$mine" as EventId);
  state.take([event("$older", { state_key: "three" }), event("$newer", { state_key: "three" })]);
  state.wrote("$newer" as EventId);
  expect(strange).toEqual([]);
  await later();
  expect(strange).toEqual([[room, "dev.crewroom.subtask", "one", { id: "$old" }]]);
});

test("others' state, messages, and state that nothing is kept of are passed over", async () => {
  const { state, strange, later } = stage();
  state.take([
    event("$a", { sender: "@anna:example.org" }),
    event("$b", { state_key: undefined }),
    event("$c", { type: "m.room.power_levels", state_key: "" }),
    null,
    "text",
  ]);
  await later();
  expect(strange).toEqual([]);
});

test("its end waits for nothing", async () => {
  const { state, strange } = stage();
  state.take([event("$old")]);
  await state[Symbol.asyncDispose]();
  expect(strange).toEqual([]);
});
