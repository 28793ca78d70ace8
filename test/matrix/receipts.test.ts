import { expect, test } from "vitest";
import { createHomeserver } from "../../src/matrix/homeserver.ts";
import { Receipts } from "../../src/matrix/receipts.ts";
import { createLogger } from "../../src/observe/log.ts";
import { answering, type Answering, json } from "./answering.ts";
import { event, room, user } from "./ids.ts";

const log = createLogger({ level: "silent", format: "json" });
const here = room("!room:localhost");
const read = { kind: "receipt", as: user("@agent_ada:localhost"), event: event("$one") } as const;

interface Desk extends AsyncDisposable {
  readonly server: Answering;
  readonly receipts: Receipts;
  /** Lets the delay be over for all that wait. */
  readonly pass: () => void;
}

async function open(status = 200): Promise<Desk> {
  const server = await answering((_asked, response) => json(response, status, {}));
  const waiting: (() => void)[] = [];
  const receipts = new Receipts({
    homeserver: createHomeserver({ address: server.address, domain: "localhost", asToken: "t", timeoutMs: 5_000 }),
    after: (_ms, signal) =>
      new Promise((resolve, reject) => {
        waiting.push(resolve);
        signal.addEventListener("abort", () => reject(new Error("over")));
      }),
    log,
  });
  return {
    server,
    receipts,
    pass: () => waiting.splice(0).forEach((resolve) => resolve()),
    [Symbol.asyncDispose]: async () => {
      await receipts[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const told = (server: Answering): unknown[] =>
  server.asked.map(({ path, body }) => [/m\.read\/(.*)$/.exec(path)?.[1], JSON.parse(body) as unknown]);

test("of messages that come together only the newest gets a receipt, and a thread gets its own", async () => {
  await using desk = await open();
  desk.receipts.add(here, read);
  desk.receipts.add(here, { ...read, event: event("$two") });
  desk.receipts.add(here, { ...read, event: event("$three"), thread: event("$root") });
  expect(desk.server.asked).toEqual([]);
  desk.pass();
  await desk.receipts[Symbol.asyncDispose]();
  expect(told(desk.server)).toEqual([
    ["$two", { thread_id: "main" }],
    ["$three", { thread_id: "$root" }],
  ]);
});

test("what is due at the end is sent without its delay", async () => {
  await using desk = await open();
  desk.receipts.add(here, read);
  await desk.receipts[Symbol.asyncDispose]();
  expect(told(desk.server)).toEqual([["$one", { thread_id: "main" }]]);
});

test("a receipt that the homeserver refuses is not repeated, and the next one goes out", async () => {
  await using desk = await open(403);
  desk.receipts.add(here, read);
  await expect.poll(() => (desk.pass(), desk.server.asked.length)).toBe(1);
  await expect
    .poll(() => {
      desk.receipts.add(here, { ...read, event: event("$two") });
      desk.pass();
      return told(desk.server).at(-1);
    })
    .toEqual(["$two", { thread_id: "main" }]);
});
