import { describe, expect, it } from "vitest";
import { asUserId, type UserId } from "../../src/core/ids.ts";
import { atLeast, levelOf, type Permissions } from "../../src/core/permissions.ts";

function user(text: string): UserId {
  const id = asUserId(text);
  if (id === undefined) throw new Error(text);
  return id;
}

const permissions: Permissions = {
  "*": "observe",
  "*.crew.test": "talk",
  "*.lab.crew.test": "task",
  "*.lab.crew.test:9000": "supervise",
  "matrix.crew.test": "supervise",
  "crew.test:8448": "task",
  "@sam:crew.test:8448": "admin",
  "@troll:matrix.crew.test": "observe",
  "@telegram_*:matrix.crew.test": "none",
  "@telegram_sam*:matrix.crew.test": "talk",
  "@telegram_sam_99:matrix.crew.test": "admin",
};

describe("levelOf", () => {
  it.each([
    ["@sam:crew.test:8448", "admin"],
    ["@ann:crew.test:8448", "task"],
    ["@ann:crew.test", "observe"],
    ["@ann:matrix.crew.test", "supervise"],
    ["@troll:matrix.crew.test", "observe"],
    ["@ann:chat.crew.test", "talk"],
    ["@ann:a.lab.crew.test", "task"],
    ["@ann:chat.crew.test:8448", "talk"],
    ["@ann:a.lab.crew.test:443", "task"],
    ["@ann:a.lab.crew.test:9000", "supervise"],
    ["@ann:evilcrew.test", "observe"],
    ["@ann:[::1]:8448", "observe"],
  ] as const)("gives %s the most specific level, %s", (id, level) => {
    expect(levelOf(permissions, user(id))).toBe(level);
  });

  it("takes a level away from those whose ids are alike, as a bridge's ghosts, before their homeserver's counts", () => {
    const level = (id: string) => levelOf(permissions, user(id));
    expect(level("@telegram_1:matrix.crew.test")).toBeUndefined();
    expect(level("@telegram_sammy:matrix.crew.test")).toBe("talk");
    expect(level("@telegram_sam_99:matrix.crew.test")).toBe("admin");
    expect(level("@telegramsam:matrix.crew.test")).toBe("supervise");
    expect(level("@telegram_1:other.test")).toBe("observe");
  });

  it("gives nobody a level that nothing grants, nor one from the object's prototype", () => {
    expect(levelOf({}, user("@a:constructor"))).toBeUndefined();
    expect(levelOf({ "crew.test": "admin" }, user("@a:b.c"))).toBeUndefined();
  });
});

describe("atLeast", () => {
  it("knows that every level includes those before it", () => {
    expect(atLeast("supervise", "talk")).toBe(true);
    expect(atLeast("talk", "talk")).toBe(true);
    expect(atLeast("observe", "talk")).toBe(false);
    expect(atLeast(undefined, "observe")).toBe(false);
  });
});
