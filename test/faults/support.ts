/** What the tests of faults share: after every fault the bridge is well, and nothing is lost or doubled. */
import { expect } from "vitest";
import { poll } from "../../src/demo/poll.ts";
import type { BridgeProcess } from "../support/bridge-process.ts";
import { patienceMs } from "../support/changes.ts";
import type { Person } from "../support/person.ts";
import { type Asked, Proxy } from "../support/proxy.ts";
import { openStage, type StageOptions } from "../support/stage.ts";
import type { Said } from "../support/transcript.ts";

/** A stage whose bridge reaches Synapse through a proxy only. The bridge is not started. */
export async function openBehindProxy(
  options: Omit<StageOptions, "config" | "start"> & { readonly limits?: Readonly<Record<string, number>> },
) {
  await using opened = new AsyncDisposableStack();
  const proxy = opened.use(await Proxy.start());
  const { limits, ...others } = options;
  const config = { homeserver: { address: proxy.url }, limits: { retry_max_seconds: 1, ...limits } };
  const stage = opened.use(await openStage({ ...others, config, start: false }));
  proxy.passTo(stage.synapse.url);
  const resources = opened.move();
  return { stage, proxy, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** A message on its way to the homeserver. */
export const isSend = ({ method, path }: Asked): boolean => method === "PUT" && path.includes("/send/m.room.message/");

/** The process lives, and comes to be ready: after an outage its ping to itself takes a moment. */
export async function expectWell(bridge: BridgeProcess): Promise<void> {
  await expect(bridge.health("/live")).resolves.toBe(200);
  await untilReady(bridge);
  expect((await bridge.metrics()).value("crewroom_dead_letters_total")).toBe(0);
}

async function untilReady(bridge: BridgeProcess): Promise<void> {
  const limit = AbortSignal.timeout(patienceMs);
  let last = "";
  const ready = async (): Promise<true | undefined> => {
    const answer = await fetch(`${bridge.crew.address}/ready`);
    last = await answer.text();
    return answer.ok || undefined;
  };
  await poll(ready, { everyMs: 50, signal: limit }).catch((thrown: unknown) => {
    const log = bridge.stderr.slice(-20).join("\n");
    throw new Error(`The bridge does not get ready: ${last}\n${log}`, { cause: thrown });
  });
}

/** What one user said in a room, of its whole history, oldest first. */
export async function saidBy(person: Person, room: string, user: string): Promise<readonly Said[]> {
  return (await person.timeline(room)).filter((said) => said.sender === user);
}

/** Until so many messages of these users have been seen in a room. */
export async function waitForCount(
  person: Person,
  room: string,
  count: number,
  users: readonly string[],
  timeoutMs = 90_000,
): Promise<void> {
  await person.waitFor(room, `${count} messages`, { timeoutMs }, () =>
    person.seen(room).filter((said) => users.includes(said.sender)).length >= count ? true : undefined,
  );
}

/** A room with these agents in it. */
export async function roomWith(person: Person, agents: readonly string[]): Promise<string> {
  const room = await person.createRoom({ invite: agents });
  await Promise.all(agents.map((agent) => person.waitForMember(room, agent, "join", { timeoutMs: 90_000 })));
  return room;
}

/** The rules of agents that say five things in one turn: four with the tool, and their answer. */
export const fiveMessages = [
  {
    when: { last: "five, please", step: 1 },
    answer: {
      tools: [1, 2, 3, 4].map((number) => ({ name: "send_message", arguments: { text: `{agent} says ${number}` } })),
    },
  },
  { when: { last: "five, please", step: 2 }, answer: { text: "{agent} says 5" } },
];

/** Each of them said its five things, in order, and nothing else. */
export async function expectFiveEach(person: Person, room: string, agents: readonly string[]): Promise<void> {
  const timeline = await person.timeline(room);
  const said = agents.map((agent) => timeline.filter(({ sender }) => sender === agent).map(({ text }) => text));
  const names = agents.map((agent) => agent.replace(/^@agent_|:.*$/g, ""));
  expect(said).toEqual(names.map((name) => [1, 2, 3, 4, 5].map((number) => `${name} says ${number}`)));
}
