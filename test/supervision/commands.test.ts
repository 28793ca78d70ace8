import { describe, expect, test } from "vitest";
import type { OpenTask } from "../../src/core/effect.ts";
import type { UserId } from "../../src/core/ids.ts";
import { atLeast, type Level, levels } from "../../src/core/permissions.ts";
import { commandTable, crewCommands } from "../../src/supervision/commands.ts";
import { ada, anna, boss, bot, Scene, user } from "../core/scene.ts";
import { bo, planner, rae, spec, TaskScene } from "../core/tasks/task-scene.ts";

/** Gives a command, and reads the answer. */
function told(scene: Scene, text: string, sender: UserId = boss): string {
  const asked = scene.message(`!crew ${text}`, { sender });
  scene.put(asked);
  return scene.says.find(({ id }) => id.startsWith(asked.event))?.text ?? "";
}

function task(): TaskScene {
  const scene = new TaskScene({ crew: [planner, bo, rae] });
  scene.plan(spec("one"), spec("two", { depends_on: ["one"] }));
  return scene;
}

describe("!crew new", () => {
  function opened(words: string): readonly OpenTask[] {
    const crew = new Map([planner, bo, rae].map((agent) => [agent.user, agent]));
    const scene = new Scene({}, { crew });
    scene.enter([boss], [bot]);
    told(scene, `new ${words}`);
    return scene.due("openTask");
  }

  test.each([
    ["Build a CSV parser — with tests", "Build a CSV parser", "with tests"],
    ["Build a CSV parser -- with tests — and docs", "Build a CSV parser", "with tests — and docs"],
    ["Build a CSV parser\n\nwith tests\nand docs", "Build a CSV parser", "with tests\nand docs"],
    ["Build a well-known parser", "Build a well-known parser", ""],
  ])("reads title and brief of %j", (words, title, brief) => {
    expect(opened(words)).toMatchObject([{ title, brief, asker: boss }]);
  });

  test("without a title, or with an endless one, says how it is used", () => {
    const scene = task();
    expect(told(scene, "new")).toContain("`!crew new <title> [— brief]`");
    expect(told(scene, `new ${"long ".repeat(50)}`)).toContain("at most 200 characters");
    expect(scene.due("openTask")).toEqual([]);
  });

  test("needs the permission `task`, and no power in the room", () => {
    const scene = task();
    expect(told(scene, "new Something", anna)).toContain("needs the permission `task`");
    expect(scene.due("openTask")).toEqual([]);
  });
});

describe("a command that steers a task", () => {
  test("is for who asked and for supervisors, with power in the room", () => {
    const asker = user("asker");
    const crew = new Map([planner, bo, rae].map((agent) => [agent.user, agent]));
    const permissions = { "*": "task", [boss]: "supervise" } as const;
    const scene = new Scene({}, { permissions, crew });
    const power = { users: { [asker]: 100, [anna]: 100 } };
    scene.enter([asker, anna, boss], [bot, ...crew.keys()], { power });
    scene.put({ kind: "taskOpened", seed: { number: 1, title: "T", brief: "", asker } });
    expect(told(scene, "pause", anna)).toBe(
      "`!crew pause` is for who asked for this task, and for people with the permission `supervise`.",
    );
    expect(told(scene, "pause")).toBe("`!crew pause` needs power level 50 in this room.");
    expect(scene.record.state.task?.paused).toBeUndefined();
    expect(told(scene, "rules", anna)).toBe("The task has no rules of its own.");
    expect(told(scene, "rules Be brief.", anna)).toContain("is for who asked for this task");
    told(scene, "pause not today", asker);
    expect(scene.record.state.task?.paused).toContain("not today");
  });

  test("has nothing to steer outside of a task room", () => {
    const scene = new Scene();
    scene.enter([boss], [bot, ada.user]);
    for (const text of ["pause", "resume", "cancel", "done", "retry one", "rules", "overturn one approve"])
      expect(told(scene, text)).toBe("This is no task room. `!crew tasks` lists the tasks with their rooms.");
  });

  test("says what there is when its subtask or agent is missing or unknown", () => {
    const scene = task();
    expect(told(scene, "retry")).toBe("Which subtask? Subtasks: `one`, `two`. Usage: `!crew retry <subtask>`");
    expect(told(scene, "block nine because")).toMatch(/^There is no subtask “nine”\. Subtasks: `one`, `two`\./);
    expect(told(scene, "assign one")).toBe("To whom? Agents: pia, bo, rae. Usage: `!crew assign <subtask> <agent>`");
    expect(told(scene, "assign one zoe")).toContain("I know no agent “zoe”. Agents: pia, bo, rae.");
    expect(told(scene, "overturn one maybe")).toContain("Usage: `!crew overturn <subtask> approve|reject [why]`");
    expect(scene.subtask("one").state).toBe("working");
  });

  test("takes the subtask by its id, however it is written, and all words after it as the reason", () => {
    const scene = task();
    told(scene, "block `ONE`  wait for\nthe customer");
    expect(scene.subtask("one")).toMatchObject({ state: "blocked", reason: "wait for\nthe customer" });
    told(scene, "unblock one");
    expect(scene.subtask("one").state).not.toBe("blocked");
    told(scene, "assign two Bo");
    expect(scene.subtask("two").assigned).toBe("bo");
  });

  test("overturns a review, with the reason", () => {
    const scene = task();
    scene.submit(bo, "one");
    told(scene, "overturn one approve good enough");
    expect(scene.subtask("one").state).toBe("done");
    expect(scene.subtask("one").reviews.at(-1)).toMatchObject({ reviewer: boss, verdict: "approve" });
  });

  test("ends the task, or lets it rest and go on", () => {
    const scene = task();
    told(scene, "pause");
    expect(scene.taskState).toBe("paused");
    told(scene, "resume");
    expect(scene.taskState).toBe("active");
    told(scene, "cancel no longer needed");
    expect(scene.taskState).toBe("cancelled");
    const other = task();
    told(other, "done");
    expect(other.taskState).toBe("done");
  });
});

describe("a command that only tells", () => {
  test("answers everybody who may read along, and changes nothing in the task", () => {
    const scene = task();
    const before = scene.task.subtasks;
    expect(told(scene, "plan", anna)).toContain("The two");
    expect(told(scene, "status", anna)).toMatch(/one[^]*two/);
    expect(told(scene, "tasks", anna)).toContain("There are no tasks.");
    expect(told(scene, "scores", anna)).toContain("Nobody has a score yet.");
    expect(scene.task.subtasks).toEqual(before);
  });

  test("lists every command, each with a sentence", () => {
    const help = told(task(), "help", anna).split("\n");
    for (const name of ["new", "tasks", "approve", "deny", "overturn", "rules", "agents", "stop", "release", "version"])
      expect(help.filter((line) => line.startsWith(`- \`!crew ${name}`))).toHaveLength(1);
    for (const line of help) expect(line).toMatch(/^- `!crew [^`]+` — .*\.$/);
  });
});

describe("the table of commands is what is enforced:", () => {
  const rows = commandTable(crewCommands(""))
    .split("\n")
    .slice(2)
    .map((line) => line.split(/(?<!\\) \| /))
    .map(([usage = "", , needs = ""]) => [/!crew (\w+)/.exec(usage)?.[1] ?? "", needs.replace(/ \|$/, "")] as const);

  /** What the words of the table ask of a person. */
  function isMet(needs: string, level: Level | undefined, power: number, asked: boolean): boolean {
    const [, steering = needs] = needs.split("; to set them ");
    const has = (wanted: Level): boolean => atLeast(level, wanted);
    switch (steering) {
      case "`supervise` (`task` for who asked), power level 50":
        return power >= 50 && (has("supervise") || (asked && has("task")));
      case "`supervise` and power level 50":
        return power >= 50 && has("supervise");
      case "`talk` and power level 50":
        return power >= 50 && has("talk");
      // Further on the question itself decides.
      case "whoever may answer the question":
        return has("talk");
      default:
        return has(/^`(\w+)`$/.exec(steering)?.[1] as Level);
    }
  }

  test.each(rows)("!crew %s needs %s", (name, needs) => {
    for (const level of [undefined, ...levels])
      for (const power of [49, 50])
        for (const asked of [true, false]) {
          const asker = asked ? anna : boss;
          const crew = new Map([planner, bo, rae].map((agent) => [agent.user, agent]));
          const permissions = { [boss]: "admin" as const, ...(level === undefined ? {} : { [anna]: level }) };
          const scene = new Scene({}, { permissions, crew });
          scene.enter([anna, boss], [bot, ...crew.keys()], { power: { users: { [bot]: 100, [anna]: power } } });
          scene.put({ kind: "taskOpened", seed: { number: 1, title: "T", brief: "", asker } });
          const { notes } = scene.say(`!crew ${name} one`, { sender: anna });
          const isRefused = notes.some(({ kind }) => kind === "refused");
          expect({ level, power, asked, isRefused }).toEqual({
            level,
            power,
            asked,
            isRefused: !isMet(needs, level, power, asked),
          });
        }
  });

  test("has a row for each command", () => {
    expect(rows.map(([name]) => name)).toEqual(crewCommands("").map(({ name }) => name));
  });
});
