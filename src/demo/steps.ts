/** The demo's steps: waits for one thing after the other, and knows which it is waiting for. */
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

export class Steps {
  /** What is being waited for, for the report of what did not come. */
  expecting = "nothing";
  /** What came, but not as it should. */
  readonly failed: string[] = [];
  readonly #parts: ConversationParts;
  /** Messages that have served as an answer already. */
  readonly #used = new Set<string>();

  constructor(parts: ConversationParts) {
    this.#parts = parts;
  }

  /** Waits until the probe finds something. */
  see<T>(what: string, probe: () => T | undefined): Promise<T> {
    this.expecting = what;
    return this.#parts.view.until(probe, this.#parts.signal);
  }

  /** Says a command to the bot, and waits for its answer. */
  async command(room: string, command: string): Promise<Message> {
    const { person, view } = this.#parts;
    const asked = await person.say(room, command);
    return this.see(`the answer to \`${command}\``, () => view.messages(room).find(({ replyTo }) => replyTo === asked));
  }

  /** The next message of the agent that is complete and fits the script. `besides`: one that is not meant. */
  async answer(room: string, user: string, what: string, scripted: RegExp, besides?: Message): Promise<Message> {
    const { facts } = this.#parts.view;
    const fits = (message: Message): boolean => !this.#parts.scripted || scripted.test(message.text);
    const found = await this.see(what, () =>
      facts.isTyping(room, user) ? undefined : this.#new(room, user).find((one) => one !== besides && fits(one)),
    );
    this.#used.add(found.id);
    if (found.failed) this.failed.push(`${what}: an error came in its place`);
    return found;
  }

  /** The next message of the agent, as soon as there is anything of it. */
  async begun(room: string, user: string, what: string): Promise<Message> {
    const found = await this.see(what, () => this.#new(room, user)[0]);
    this.#used.add(found.id);
    return found;
  }

  #new(room: string, user: string): readonly Message[] {
    return this.#parts.view.messages(room, user).filter((message) => !this.#used.has(message.id));
  }
}
