import { expect, test } from "vitest";
import { contest } from "../../bench/contested-room.ts";

test("four clients that claim and review everything at once get each claim and each review exactly once", async () => {
  const { claims, reviews, task } = await contest({ claims: 40, reviews: 10, clients: 4 });
  expect(claims).toMatchObject({ doubles: 0, missed: 0, calls: 160 });
  expect(reviews).toMatchObject({ doubles: 0, missed: 0, calls: 40 });

  const of = (kind: string) => Object.values(task.subtasks).filter(({ id }) => id.startsWith(kind));
  // One lease each: a second one would have a higher epoch.
  expect(of("claim").map(({ state, epoch }) => [state, epoch])).toEqual(of("claim").map(() => ["working", 2]));
  expect(of("review").map(({ state, reviews: judged }) => [state, judged.length])).toEqual(
    of("review").map(() => ["done", 1]),
  );
});
