/**
 * The room shows something else than what was written last: a request of a process that was killed was done after those of the
 * next one. What stands there is compared with what should, and written again where it is older.
 */
import { isDeepStrictEqual } from "node:util";
import type { Draft } from "../draft.ts";
import type { OwnInput } from "../input.ts";
import { subtaskContent, taskContent } from "./mirror.ts";
import { roomName, roomTopic } from "./show.ts";
import type { Task } from "./task.ts";

type Content = Readonly<Record<string, unknown>>;

export function overwritten(draft: Draft, { type, key, content }: Extract<OwnInput, { kind: "overwritten" }>): void {
  const { task } = draft.state;
  // What waits to be written comes after it.
  const waits = draft.outbox.some((effect) => effect.kind === "state" && effect.type === type && effect.key === key);
  const should = task === undefined || waits ? undefined : contentOf(draft, task, type, key);
  if (task === undefined || should === undefined || isDeepStrictEqual(lasting(content), lasting(should.content)))
    return;
  const { [should.shown]: _stale, ...shown } = task.shown;
  draft.set({ task: { ...task, shown } });
}

/** What the room should show there, and under which name the task remembers it. */
function contentOf(
  draft: Draft,
  task: Task,
  type: string,
  key: string,
): { readonly shown: string; readonly content: Content } | undefined {
  switch (type) {
    case "dev.crewroom.task":
      return { shown: "task", content: taskContent(draft, task) };
    case "dev.crewroom.subtask": {
      const subtask = task.subtasks[key];
      return subtask === undefined ? undefined : { shown: `subtask/${key}`, content: subtaskContent(draft, subtask) };
    }
    case "m.room.name":
      return { shown: "name", content: { name: roomName(task) } };
    case "m.room.topic":
      return { shown: "topic", content: { topic: roomTopic(task) } };
    default:
      return undefined;
  }
}

/** Without what changes all the time and is shown now and then, and without what a homeserver adds to a topic. */
function lasting(content: Content): Content {
  const { version: _version, spent: _spent, lease: _lease, "m.topic": _topic, ...rest } = content;
  const { review } = content;
  return typeof review === "object" ? { ...rest, review: { ...review, expires_ts: 0 } } : rest;
}
