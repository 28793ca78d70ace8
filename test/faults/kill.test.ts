/**
 * The promise that a crash at any instant loses nothing and repeats nothing: ten people talk with ten agents while the
 * bridge is killed again and again, and in the end every word has exactly one answer.
 */
import { randomInt } from "node:crypto";
import { setTimeout as timer } from "node:timers/promises";
import { expect, test } from "vitest";
import { BridgeProcess } from "../support/bridge-process.ts";
import { Changes } from "../support/changes.ts";
import type { Person } from "../support/person.ts";
import type { Proxy } from "../support/proxy.ts";
import type { Stage } from "../support/stage.ts";
import { Random } from "./random.ts";
import { expectWell, isSend, openBehindProxy } from "./support.ts";

const kills = 20;
const numbers = Array.from({ length: 10 }, (_, index) => index);
const names = numbers.map((number) => `a${number}`);
/** They say their answers bit by bit, so that kills find them shown in part. */
const streaming = ["a4", "a5", "a6"];
/** They call a tool before they answer, so that kills find them between the two. */
const noting = ["a7", "a8", "a9"];
const patient = { timeoutMs: 240_000 };

const script = [
  {
    when: { agent: noting, step: 1 },
    answer: { tools: [{ name: "send_message", arguments: { text: "{agent} noted: {last}" } }] },
  },
  { when: { agent: streaming }, answer: { text: "{agent} heard: {last}", chunks: 8, chunk_delay_ms: 40 } },
];

interface Question {
  readonly token: string;
  readonly room: string;
  readonly agent: string;
}

test("every message is answered exactly once while the bridge is killed at twenty random instants", async () => {
  const seed = Number(process.env["CREWROOM_SEED"] ?? randomInt(2 ** 31));
  process.stderr.write(`kill: CREWROOM_SEED=${seed} repeats these kills and these conversations\n`);
  // Short, so that even these short answers are shown while they grow.
  const limits = { stream_first_ms: 60, stream_interval_ms: 60 };
  await using behind = await openBehindProxy({ agents: names, script, limits });
  const { stage, proxy } = behind;
  await using bridge = await BridgeProcess.start(stage.crew);
  const { people, shared, direct } = await gather(stage);

  const progress = new Progress();
  const over = new AbortController();
  const talks = people.map((person, number) =>
    talk(person, `p${number}`, new Random(seed + 1 + number), {
      over: over.signal,
      progress,
      targets: names.map((name) => ({ room: shared, agent: stage.crew.agent(name) })),
      direct: { room: direct[number] ?? "", agent: stage.crew.agent(names[number] ?? "") },
    }),
  );
  const killing = kill(bridge, new Random(seed), progress, proxy).finally(() => over.abort());
  const [asked] = await Promise.all([Promise.all(talks), killing]);

  const questions = asked.flat();
  expect(questions.length).toBeGreaterThan(kills);
  const [anyone] = people;
  if (anyone === undefined) throw new Error("nobody is there");
  await expectOneAnswerEach(anyone, shared, questions);
  for (const [number, room] of direct.entries()) await expectOneAnswerEach(people[number] ?? anyone, room, questions);
  await expectWell(bridge);
}, 600_000);

/** Ten people, each in a direct chat with an agent of their own, and all together in one room. */
async function gather(stage: Stage) {
  const people = await Promise.all(numbers.map((number) => stage.person(`p${number}`)));
  const [host, ...guests] = people;
  if (host === undefined) throw new Error("nobody is there");
  const agents = names.map((name) => stage.crew.agent(name));
  const shared = await host.createRoom({ invite: [...agents, ...guests.map(({ userId }) => userId)] });
  await Promise.all(guests.map((guest) => guest.join(shared)));
  const direct = await Promise.all(people.map((person, number) => person.createDirectRoom(agents[number] ?? "")));
  await Promise.all(agents.map((agent) => host.waitForMember(shared, agent, "join", patient)));
  await Promise.all(
    people.map((person, number) => person.waitForMember(direct[number] ?? "", agents[number] ?? "", "join", patient)),
  );
  return { people, shared, direct };
}

/** How many answers have been seen. */
class Progress {
  readonly #changes = new Changes();
  #answers = 0;

  answered(): void {
    this.#answers += 1;
    this.#changes.changed();
  }

  async further(count: number): Promise<void> {
    const goal = this.#answers + count;
    const describe = (): string => `${count} more answers (there are ${this.#answers}, ${goal} are wanted)`;
    await this.#changes.until(() => (this.#answers >= goal ? true : undefined), { ...patient, describe });
  }
}

interface Places {
  readonly over: AbortSignal;
  readonly progress: Progress;
  readonly targets: readonly Omit<Question, "token">[];
  readonly direct: Omit<Question, "token">;
}

/** Asks one to three things at once, waits for their answers, and begins again, until it is over. */
async function talk(person: Person, name: string, random: Random, places: Places): Promise<readonly Question[]> {
  const asked: Question[] = [];
  while (!places.over.aborted) {
    const now = Array.from({ length: random.whole(1, 3) }, (_, index): Question => {
      const token = `${name}x${asked.length + index}`;
      return { token, ...(random.next() < 0.4 ? places.direct : random.pick(places.targets)) };
    });
    asked.push(...now);
    await Promise.all(
      now.map(async ({ token, room, agent }) => {
        await person.mention(room, agent, token);
        await person.waitForMessage(room, (said) => isAnswer(said.text) && tokensIn(said.text).includes(token), {
          from: agent,
          ...patient,
        });
        places.progress.answered();
      }),
    );
  }
  return asked;
}

/** While the bridge starts; at any time; soon after an answer, when the next turns begin; while a message is being sent. */
const instants = ["starting", "running", "answering", "sending", "sending"] as const;

async function kill(bridge: BridgeProcess, random: Random, progress: Progress, proxy: Proxy): Promise<void> {
  for (let number = 0; number < kills; number++) {
    const instant = random.pick(instants);
    if (bridge.pid === undefined) {
      if (instant === "starting") bridge.launch();
      else await bridge.start();
    }
    switch (instant) {
      case "starting":
        await timer(random.whole(200, 2_500));
        break;
      case "running":
        await timer(random.whole(0, 800));
        break;
      case "answering":
        await progress.further(random.whole(1, 6));
        await timer(random.whole(0, 60));
        break;
      case "sending":
        // Whether the homeserver has taken it by then, only the homeserver knows.
        await furtherSends(proxy, random.whole(1, 8));
        await timer(random.whole(0, 30));
        break;
    }
    await bridge.kill();
  }
  await bridge.start();
}

async function furtherSends(proxy: Proxy, count: number): Promise<void> {
  let next = proxy.exchanges.length;
  let left = count;
  const probe = (): true | undefined => {
    for (; next < proxy.exchanges.length; next++) {
      const asked = proxy.exchanges[next]?.asked;
      if (asked !== undefined && isSend(asked)) left -= 1;
    }
    return left <= 0 || undefined;
  };
  await proxy.until(`${count} sends`, probe, patient);
}

const isAnswer = (text: string): boolean => /^a\d heard: /.test(text);
const isNote = (text: string): boolean => /^a\d noted: /.test(text);
const tokensIn = (text: string): readonly string[] => text.match(/\bp\d+x\d+\b/g) ?? [];

/** By the whole scrollback of the room: nothing lost, nothing doubled, nothing said that answers nobody. */
async function expectOneAnswerEach(person: Person, room: string, all: readonly Question[]): Promise<void> {
  const questions = all.filter((question) => question.room === room);
  const said = (await person.timeline(room)).filter(({ sender }) => sender.startsWith("@agent_"));
  const pairs = (fits: (text: string) => boolean): readonly string[] =>
    said
      .filter(({ text, thread }) => fits(text) && thread === undefined)
      .flatMap(({ text, sender }) => tokensIn(text).map((token) => `${sender} ${token}`))
      .toSorted();
  const wanted = (agents: readonly string[]): readonly string[] =>
    questions
      .filter(({ agent }) => agents.some((name) => agent.startsWith(`@agent_${name}:`)))
      .map(({ agent, token }) => `${agent} ${token}`)
      .toSorted();
  expect(pairs(isAnswer)).toEqual(wanted(names));
  expect(pairs(isNote)).toEqual(wanted(noting));
  // The rest would be apologies, errors, and first words without an end.
  expect(said.filter(({ text }) => !(isAnswer(text) || isNote(text)) || tokensIn(text).length === 0)).toEqual([]);
}
