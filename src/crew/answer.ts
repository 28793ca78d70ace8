/** The text of one answer while it grows, and the note below an answer that was cut short. */
import type { StopReason } from "../runtimes/port.ts";

export class Answer {
  #text = "";
  #apart = false;
  #grown = Promise.withResolvers<void>();

  add(chunk: string): void {
    if (this.#apart && this.#text.trim() !== "") {
      this.#text = `${this.#text.trimEnd()}\n\n${chunk.replace(/^\n+/, "")}`;
    } else {
      this.#text += chunk;
    }
    this.#apart = false;
    this.#grown.resolve();
    this.#grown = Promise.withResolvers();
  }

  /** What comes next is a paragraph of its own, e.g. after a tool call. */
  breakOff(): void {
    this.#apart = true;
  }

  /** All that was said, without blank lines around it. */
  get text(): string {
    return this.#text.replace(/^\s*\n/, "").trimEnd();
  }

  /** Resolves when something is added from now on. */
  get grown(): Promise<void> {
    return this.#grown.promise;
  }
}

const notes: Readonly<Record<Exclude<StopReason, "end_turn" | "cancelled">, string>> = {
  max_tokens: "The answer ends here because it reached the model's longest output. Say “go on” for the rest.",
  max_turn_requests: "I stopped here because this took too many steps. Say “go on” to let me continue.",
  refusal: "The model declined to say more.",
};

/** The answer with a note, when it did not come to its natural end. */
export function withNote(text: string, reason: Exclude<StopReason, "cancelled">): string {
  if (reason === "end_turn") return text;
  // Cut off inside a code block, the note would become code.
  const fences = text.match(/^ {0,3}```/gm) ?? [];
  const closed = fences.length % 2 === 1 ? `${text}\n\`\`\`` : text;
  return `${closed === "" ? "" : `${closed}\n\n`}_${notes[reason]}_`;
}
