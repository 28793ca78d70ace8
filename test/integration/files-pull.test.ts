/** A task's files on another host: from its room alone, by people of both homeservers and by the bot. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeEach, expect, test } from "vitest";
import { poll } from "../../src/demo/poll.ts";
import type { Synapse } from "../../src/demo/synapse.ts";
import {
  bytesOf,
  git,
  gitOf,
  handIn,
  pull,
  quiet,
  run,
  touches,
  uses,
  waitForCommit,
  waitForHead,
  write,
} from "../support/files.ts";
import { readRegistration } from "../../src/matrix/registration-file.ts";
import type { Crew } from "../support/crew.ts";
import { uniqueName } from "../support/fresh-synapse.ts";
import { sharedStage } from "../support/shared-stage.ts";
import { diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const shared = sharedStage({
  agents: taskCrew,
  federated: true,
  permissions: (home, away = "") => ({ [home]: "task", [away]: "task" }),
  config: { tasks: { plan_approval: "never" }, limits: { retry_max_seconds: 2 } },
  script: [
    planRule([{ id: "one" }, { id: "two", after: ["one"] }]),
    ...uses("executor", "/Your subtask `one`/", [
      write("a.txt", "one\n"),
      write('odd/ü "b".txt', "odd\n"),
      run("head -c 300000 /dev/urandom > data.bin; ln -s a.txt link; echo x > run.sh; chmod +x run.sh"),
      handIn("one"),
    ]),
    ...uses("executor", "/Your subtask `two`/", [
      ["edit_file", { path: "a.txt", old: "one", new: "two" }],
      run("mv run.sh tool.sh"),
      handIn("two"),
    ]),
    ...diligence,
    quiet,
  ],
});

function away(): Synapse {
  const { away } = shared.stage;
  if (away === undefined) throw new Error("The stage is not federated");
  return away;
}

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "crewroom-pulled-"));
  return () => rm(folder, { recursive: true, force: true });
});

const isDone = /^main ([0-9a-f]{40})$/m;

test(
  "the same files come to a person here, a person of another homeserver, and the bot; also after the room was replaced",
  { timeout: 240_000 },
  async () => {
    const { crew, synapse } = shared.stage;
    const zoe = await shared.stage.person(uniqueName("zoe"), { on: away() });
    const anna = await shared.someone("anna");
    const chat = await zoe.createDirectRoom(crew.bot);
    await zoe.waitForMember(chat, crew.bot, "join", patient);
    const task = await TaskRoom.open(zoe, crew, chat, "Count", synapse.serverName);
    await zoe.invite(task.room, anna.userId);
    await anna.waitForInvite(zoe.userId, patient);
    // Her own homeserver may hear of the invite a moment after she does.
    const joined = async (): Promise<true | undefined> =>
      anna.join(task.room).then(
        () => true as const,
        () => undefined,
      );
    await poll(joined, { everyMs: 200, signal: AbortSignal.timeout(30_000) });
    const file = { name: "from zoe.txt", mimeType: "text/plain", bytes: Buffer.from("across\n") };
    // Media of the other homeserver becomes a commit here.
    await zoe.sendFile(task.room, { ...file, caption: "From the other side" });
    await waitForCommit(task, "the file from the other side", touches("from zoe.txt"));
    await task.waitForAsk("final");
    const main = await waitForHead(task, crew);

    for (const [name, as] of [["zoe", zoe] as const, ["anna", anna] as const, ["bot", crew] as const]) {
      const into = path.join(folder, name);
      const pulled = await pull(task.room, into, as);
      expect(pulled).toMatchObject({ code: 0, err: "" });
      expect(isDone.exec(pulled.out)?.[1]).toBe(main);
      const paths = (await git(path.join(into, ".git"), "ls-tree", "-r", "-z", "--name-only", "main")).split("\0");
      expect(paths.slice(0, -1)).toEqual(["a.txt", "data.bin", "from zoe.txt", "link", 'odd/ü "b".txt', "tool.sh"]);
      expect(await readFile(path.join(into, "link"), "utf8")).toBe("two\n");
      expect(await readFile(path.join(into, 'odd/ü "b".txt'), "utf8")).toBe("odd\n");
      expect(await git(path.join(into, ".git"), "--work-tree", into, "status", "--porcelain")).toBe("");
      for (const branch of ["main", "subtask/one", "subtask/two"])
        expect(await git(path.join(into, ".git"), "rev-parse", branch)).toBe(
          await gitOf(task, crew, "rev-parse", branch),
        );
    }
    const data = path.join("data.bin");
    const sides = await Promise.all(["zoe", "bot"].map((name) => readFile(path.join(folder, name, data))));
    expect(sides[0]?.length).toBe(300_000);
    expect(sides[0]?.equals(sides[1] ?? Buffer.alloc(0))).toBe(true);
    // Files in the room come across as well.
    const archive = await zoe.waitForMessage(task.room, (said) => said.msgtype === "m.file", {
      ...patient,
      from: crew.bot,
    });
    expect((await bytesOf(zoe, archive)).subarray(0, 2).toString()).toBe("PK");

    // The room is replaced: the new one alone tells all. Only its creator, the bot, can do that.
    const asBot = await botOf(crew, synapse);
    const { replacement_room: next } = await asBot(`/rooms/${encodeURIComponent(task.room)}/upgrade`, {
      new_version: "12",
    });
    if (next === undefined) throw new Error("The room was not replaced");
    // As clients do it: everybody who was in the old one is invited.
    for (const user of [anna.userId, ...taskCrew.map(({ id }) => crew.agent(id))])
      await asBot(`/rooms/${encodeURIComponent(next)}/invite`, { user_id: user }).catch((thrown: unknown) => {
        // Some of them have come by themselves.
        if (!String(thrown).includes("already in the room")) throw thrown;
      });
    await anna.waitForInvite(crew.bot, patient);
    await anna.join(next);
    await anna.waitForMessage(next, /The task goes on in this room/, { ...patient, from: crew.bot });
    const moved = task.as(anna).at(next);
    await anna.waitFor(next, "its state", patient, () => moved.state("dev.crewroom.room"));
    expect(await waitForHead(moved, crew)).toBe(main);
    const fresh = path.join(folder, "fresh");
    const again = await pull(next, fresh, anna);
    expect(again).toMatchObject({ code: 0 });
    expect(isDone.exec(again.out)?.[1]).toBe(main);
    expect((await readdir(fresh)).toSorted()).toEqual(
      [".git", "a.txt", "data.bin", "from zoe.txt", "link", "odd", "tool.sh"].toSorted(),
    );
    // It goes on there.
    await anna.sendFile(next, { ...file, name: "later.txt" });
    await waitForCommit(moved, "the file in the new room", touches("later.txt"));
    await waitForHead(moved, crew);
    expect(await pull(next, fresh, anna)).toMatchObject({ code: 0 });
    expect(await readdir(fresh)).toContain("later.txt");
  },
);

type AsBot = (at: string, body: object) => Promise<{ readonly replacement_room?: string }>;

/** What an operator can do as the bridge's own user. */
async function botOf(crew: Crew, { url }: Synapse): Promise<AsBot> {
  const { as_token: token } = await readRegistration(crew.registrationFile);
  return async (at, body) => {
    const answer = await fetch(`${url}/_matrix/client/v3${at}?user_id=${encodeURIComponent(crew.bot)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${at}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Awaited<ReturnType<AsBot>>;
  };
}

test("who is not in the room gets nothing", async () => {
  const { crew } = shared.stage;
  const anna = await shared.someone("anna");
  const stranger = await shared.someone("stranger");
  const task = await TaskRoom.openByBot(anna, crew, "Alone");
  const into = path.join(folder, "nothing");
  const refused = await pull(task.room, into, stranger);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain("M_FORBIDDEN");
  expect(refused.err).not.toContain(stranger.client.getAccessToken() ?? "?");
  await expect(readdir(into)).rejects.toMatchObject({ code: "ENOENT" });
});
