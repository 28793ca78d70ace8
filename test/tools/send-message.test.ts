import { expect, test } from "vitest";
import { sessionOf } from "./support.ts";

function sending() {
  const { said, use, tools } = sessionOf([]);
  const [tool] = tools;
  if (tool === undefined) throw new Error("no tool");
  return { said, send: async (input: unknown) => use("send_message", input), tool };
}

test.each([
  [undefined, undefined],
  [null, undefined],
  ["", undefined],
  ["bob", "@agent_bob:example.org"],
  ["@Bob", "@agent_bob:example.org"],
  ["agent_bob", "@agent_bob:example.org"],
  ["@agent_bob:example.org", "@agent_bob:example.org"],
  ["@alice:other.org:8448", "@alice:other.org:8448"],
])("to %j is for %j", async (to, user) => {
  const { said, send } = sending();
  expect(await send({ to, text: "hi" })).toBe("Sent.");
  expect(said).toEqual([["t1", "t1:c1", user, "hi"]]);
});

test.each([
  [{}, "text: "],
  [{ text: " " }, "text: is empty"],
  [{ text: 5 }, "text: "],
  ["hi", "the arguments: "],
  [{ text: "hi", loud: true }, "loud"],
  [{ text: "hi", to: "carol" }, 'there is no agent "carol" in this room'],
])("%j is refused with what is allowed and who is there", async (input, why) => {
  const { said, send } = sending();
  const answer = await send(input);
  expect(answer).toContain(why);
  expect(answer).toContain("send_message takes text");
  expect(answer).toContain("Agents in this room: ada, bob.");
  expect(said).toEqual([]);
});

test("what a model gets of the tool is the same bytes for every session", () => {
  const bytes = ({ name, description, inputSchema }: ReturnType<typeof sending>["tool"]): string =>
    JSON.stringify([name, description, inputSchema]);
  expect(bytes(sending().tool)).toBe(bytes(sending().tool));
  expect(sending().tool.inputSchema).toMatchObject({
    type: "object",
    properties: { to: { type: "string" }, text: { type: "string" } },
    required: ["text"],
    additionalProperties: false,
  });
});
