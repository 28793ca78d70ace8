/** One line of `crewroom check`. */
import { asCrewError } from "../core/errors.ts";

export interface Finding {
  readonly level: "ok" | "warn" | "error";
  readonly topic:
    "config" | "permissions" | "registration" | "store" | "git" | "sandbox" | "homeserver" | "token" | "ping";
  /** What is so, and for what is wrong also what to do. One line. */
  readonly sentence: string;
}

export function ok(topic: Finding["topic"], sentence: string): Finding {
  return { level: "ok", topic, sentence };
}

export function warn(topic: Finding["topic"], sentence: string): Finding {
  return { level: "warn", topic, sentence };
}

/** Anything thrown, with what to do about it. */
export function failure(topic: Finding["topic"], thrown: unknown): Finding {
  const error = asCrewError(thrown);
  return { level: "error", topic, sentence: `${error.message} → ${error.todo}` };
}

/** `ok     config: …` */
export function findingLine({ level, topic, sentence }: Finding): string {
  return `${level.padEnd(6)} ${topic}: ${sentence.replaceAll("\n", " ")}`;
}
