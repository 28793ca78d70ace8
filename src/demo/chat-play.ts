/** A direct chat with one agent: a question, and a long answer that the person stops. */
import type { ConversationParts, Steps } from "./steps.ts";

export async function playChat({ person, view, agent, scripted }: ConversationParts, steps: Steps): Promise<void> {
  const bo = agent("bo");
  const direct = await person.openDirectChat(bo, "Hello Bo, what can you do?");
  await steps.answer(
    direct,
    bo,
    "Bo's answer in the direct chat, whose first message came before Bo had joined",
    /I am \*?\*?Bo/,
  );
  await person.say(direct, "Tell me everything about CSV, a long story.");
  const story = await steps.begun(direct, bo, "the beginning of Bo's long answer");
  await person.react(direct, story.id, "🛑");
  // Turns of one agent in one room do not overlap: an answer to this says that the long turn has ended.
  await person.say(direct, "Thank you, that is enough.");
  await steps.answer(direct, bo, "Bo's answer after the stop", /Any time/, story);
  const text = view.messages(direct, bo).find((message) => message.id === story.id)?.text ?? "";
  if (scripted && text.includes("this is where the story ends"))
    steps.failed.push("the end of Bo's long turn by 🛑: he told it all");
}
