/** The short conversation that the demo plays: a room, a mention, a reply, a direct chat, a file, a long turn stopped. */
import type { DemoPerson } from "./demo-person.ts";
import type { Message, RoomView } from "./room-view.ts";

export interface ConversationParts {
  readonly person: DemoPerson;
  readonly view: RoomView;
  /** The Matrix user of an agent of the demo's crew. */
  readonly agent: (id: "ada" | "bo" | "cleo") => string;
  /** Whether the answers are those of `config/rehearsal/demo.yaml`; otherwise any answer will do. */
  readonly scripted: boolean;
  /** Ends the wait for what has not come. */
  readonly signal: AbortSignal;
}

const shoppingFile = "bread, two loaves\ncheese, 400 g\ncherries, 1 kg\n";

/** Resolves to what was expected and did not come, in words: nothing when all went well. */
export async function playConversation(parts: ConversationParts): Promise<readonly string[]> {
  const steps = new Steps(parts);
  try {
    return await play(parts, steps);
  } catch (error) {
    if (parts.signal.aborted) return [steps.expecting];
    throw error;
  }
}

async function play(parts: ConversationParts, steps: Steps): Promise<readonly string[]> {
  const { person, view } = parts;
  const [ada, bo, cleo] = [parts.agent("ada"), parts.agent("bo"), parts.agent("cleo")];
  const room = await person.createRoom("Picnic", [ada, bo, cleo]);
  for (const user of [ada, bo, cleo]) await steps.joined(room, user);

  await person.mention(room, ada, "Ada", "please plan a picnic for Saturday.");
  const plan = await steps.answer(room, ada, "Ada's plan", /first plan/);
  await person.reply(room, plan, "We are 6 people.");
  await steps.answer(room, ada, "Ada's answer to the reply", /plan for \*?\*?6/);
  await person.mention(room, cleo, "Cleo", "will you look at the plan?");
  await steps.answer(room, cleo, "Cleo's answer", /I am \*?\*?Cleo/);

  const direct = await person.openDirectChat(bo, "Hello Bo, can you do the shopping?");
  await steps.answer(
    direct,
    bo,
    "Bo's answer in the direct chat, whose first message came before Bo had joined",
    /list/,
  );
  await person.attach(direct, "shopping.txt", shoppingFile);
  await steps.answer(direct, bo, "Bo's answer to the file", /shopping\.txt[\s\S]*bread, two loaves/);

  await person.mention(room, ada, "Ada", "now tell me everything about picnics, a long story.");
  const story = await steps.begun(room, ada, "the beginning of Ada's long answer");
  await person.react(room, story.id, "🛑");
  // Turns of one agent in one room do not overlap: an answer to this says that the long turn has ended.
  await person.mention(room, ada, "Ada", "thank you, that is enough.");
  await steps.answer(room, ada, "Ada's answer after the stop", /You are welcome/, story);
  const text = view.messages(room, ada).find((message) => message.id === story.id)?.text ?? "";
  const stopped = !parts.scripted || !text.includes("last crumb may choose");
  return stopped ? steps.failed : [...steps.failed, "the end of Ada's long turn by 🛑: she told it all"];
}

/** Waits for one thing after the other, and knows which it is waiting for. */
class Steps {
  /** What is being waited for, for the report of what did not come. */
  expecting = "nothing";
  /** What came, but as an error. */
  readonly failed: string[] = [];
  readonly #parts: ConversationParts;
  /** Messages that have served as an answer already. */
  readonly #used = new Set<string>();

  constructor(parts: ConversationParts) {
    this.#parts = parts;
  }

  async joined(room: string, user: string): Promise<void> {
    const { view, signal } = this.#parts;
    this.expecting = `${user} to join ${view.nameOf(room)}`;
    await view.until(() => (view.isJoined(room, user) ? true : undefined), signal);
  }

  /** The next message of the agent that is complete and fits the script. `besides`: one that is not meant. */
  async answer(room: string, user: string, what: string, scripted: RegExp, besides?: Message): Promise<Message> {
    const { view, signal } = this.#parts;
    this.expecting = what;
    const fits = (message: Message): boolean => !this.#parts.scripted || scripted.test(message.text);
    const found = await view.until(
      () => (view.isTyping(room, user) ? undefined : this.#new(room, user).find((one) => one !== besides && fits(one))),
      signal,
    );
    this.#used.add(found.id);
    if (found.failed) this.failed.push(`${what}: an error came in its place`);
    return found;
  }

  /** The next message of the agent, as soon as there is anything of it. */
  async begun(room: string, user: string, what: string): Promise<Message> {
    const { view, signal } = this.#parts;
    this.expecting = what;
    const found = await view.until(() => this.#new(room, user)[0], signal);
    this.#used.add(found.id);
    return found;
  }

  #new(room: string, user: string): readonly Message[] {
    return this.#parts.view.messages(room, user).filter((message) => !this.#used.has(message.id));
  }
}
