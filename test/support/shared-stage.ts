/** One stage per test file: opened before its first test, closed after its last. */
import { afterAll, beforeAll } from "vitest";
import { uniqueName } from "./fresh-synapse.ts";
import type { NewRoom, Person, PersonOptions } from "./person.ts";
import { openStage, type Stage, type StageOptions } from "./stage.ts";
import type { Said } from "./transcript.ts";

export interface SharedStage {
  /** Throws before the first test. */
  readonly stage: Stage;
  /** Somebody whom no other test knows. */
  someone(start?: string, options?: PersonOptions): Promise<Person>;
  /** A room with these people and agents in it; people named first are asked first. */
  group(owner: Person, people: readonly Person[], agents: readonly string[], room?: NewRoom): Promise<string>;
  /** A direct chat with an agent that has joined; nothing was said in it yet. */
  direct(person: Person, agent: string): Promise<string>;
}

/** Call it at the top of the file. Its tests share the stage, so they take people and rooms of their own. */
export function sharedStage(options: StageOptions = {}): SharedStage {
  let opened: Stage | undefined;
  beforeAll(async () => {
    opened = await openStage(options);
  }, 180_000);
  afterAll(async () => {
    await opened?.[Symbol.asyncDispose]();
  }, 60_000);
  const stage = (): Stage => {
    if (opened === undefined) throw new Error("The stage opens before the first test, not earlier");
    return opened;
  };
  return {
    get stage() {
      return stage();
    },
    someone: (start, person) => stage().person(uniqueName(start), person),
    async group(owner, people, agents, room) {
      const users = agents.map((id) => stage().crew.agent(id));
      const id = await owner.createRoom({ ...room, invite: [...people.map((one) => one.userId), ...users] });
      for (const person of people) {
        await person.waitForInvite(owner.userId);
        await person.join(id);
      }
      for (const user of [...people.map((one) => one.userId), ...users]) await owner.waitForMember(id, user, "join");
      return id;
    },
    async direct(person, agent) {
      const user = stage().crew.agent(agent);
      const room = await person.createDirectRoom(user);
      await person.waitForMember(room, user, "join");
      return room;
    },
  };
}

/** All that somebody said in the room, as the homeserver has it, oldest first. */
export async function saidBy(person: Person, room: string, user: string): Promise<readonly Said[]> {
  return (await person.timeline(room)).filter((said) => said.sender === user);
}
