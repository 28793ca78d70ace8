/** What people do with a task's files: hand them in, look at them, bring them back, take them back. */
import { expect, test } from "vitest";
import {
  answerTo,
  ask,
  bytesOf,
  commitsIn,
  gitOf,
  handIn,
  pathsOn,
  quiet,
  uses,
  waitForCommit,
  waitForHead,
  waitForQuestion,
  touches,
  write,
} from "../support/files.ts";
import { attachmentContent } from "../support/compose.ts";
import { saidBy, sharedStage } from "../support/shared-stage.ts";
import { diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";

const odd = "notes/it's `odd` @home ü.md";

const shared = sharedStage({
  agents: taskCrew,
  permissions: (home) => ({
    [home]: "task",
    [`@tom:${home}`]: "talk",
    [`@olga:${home}`]: "observe",
    [`@boss:${home}`]: "admin",
  }),
  config: { tasks: { plan_approval: "never" } },
  script: [
    planRule([{ id: "report" }]),
    ...uses("executor", "/Your subtask `report`/", [
      write("report.md", "first\n"),
      write(odd, "odd\n"),
      ["delete_file", { path: odd }],
      ["edit_file", { path: "report.md", old: "first", new: "second" }],
      ["ask_human", { question: "Is the data there?" }],
    ]),
    ...uses("executor", "/it is there/", [["list_files", {}], ["read_file", { path: "data.csv" }], handIn("report")]),
    ...diligence,
    quiet,
  ],
});

test(
  "people hand in files, see them, bring back what was deleted or changed, and take back what they handed in",
  { timeout: 240_000 },
  async () => {
    const { crew, rehearsal } = shared.stage;
    const anna = await shared.someone("anna");
    const task = await TaskRoom.openByBot(anna, crew, "Report on the tides");
    const question = await waitForQuestion(task, /Is the data there/);
    const { thread = "" } = question;
    const user = anna.userId;
    const bytes = (text: string): Buffer => Buffer.from(text);

    // Into the room: on main, by its sender, with the caption as message, and said to be so.
    const tides = { name: "tides.csv", mimeType: "text/csv", bytes: bytes("day,high\nTue,5.1\n") };
    const upload = await anna.sendFile(task.room, { ...tides, caption: "The tides of May" });
    const added = await waitForCommit(task, "the upload", touches("tides.csv"));
    expect(added).toMatchObject({ by: user, why: "upload", branch: "main", subject: "The tides of May", files: 1 });
    expect(added.said).toMatchObject({ thread: undefined, mentions: [] });
    expect(added.said.text).toContain("The tides of May");
    expect(await gitOf(task, crew, "log", "-1", "--format=%an <%ae>", "main")).toContain(`<${user}>`);
    const picture = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(40)]);
    await anna.sendImage(task.room, { name: "../../boat.png", mimeType: "image/png", bytes: picture });
    const boat = await waitForCommit(task, "the image", ({ changes }) => (changes[0]?.path ?? "").endsWith("boat.png"));
    expect(boat.changes[0]?.size).toBe(picture.length);
    const boatPath = boat.changes[0]?.path ?? "";
    expect(boatPath).not.toContain("/");
    // The same name again: replaced, and both versions stay.
    await anna.sendFile(task.room, { ...tides, bytes: bytes("day,high\nTue,5.2\n") });
    const replaced = await waitForCommit(task, "the second version", ({ changes }) => changes[0]?.kind === "modified");
    expect(replaced.changes[0]).toMatchObject({ path: "tides.csv", added: 1, removed: 1 });

    // Into a thread: on that subtask's branch, and its worker finds it there.
    await anna.sendFile(task.room, { name: "data.csv", mimeType: "text/csv", bytes: bytes("42\n") }, { thread });
    const data = await waitForCommit(task, "the file in the thread", touches("data.csv"));
    expect(data).toMatchObject({ branch: "subtask/report", subtask: "report", by: user, said: { thread } });
    expect(await pathsOn(task, crew)).toEqual([boatPath, "tides.csv"]);

    // What cannot be taken is refused in words.
    const encrypted = await anna.send(task.room, "m.room.message", {
      ...attachmentContent("m.file", "mxc://x/y", { ...tides, name: "sealed.bin" }),
      url: undefined,
      file: { url: "mxc://localhost/abc", key: {}, iv: "", hashes: {}, v: "v2" },
    });
    expect((await answerTo(task, crew, encrypted)).text).toMatch(/encrypted.*cannot read it/);
    for (const name of ["olga", "tom"]) {
      const person = await shared.stage.person(name);
      await anna.invite(task.room, person.userId);
      await person.waitForInvite(user);
      await person.join(task.room);
    }
    const [olga, tom] = [await shared.stage.person("olga"), await shared.stage.person("tom")];
    await olga.sendFile(task.room, { ...tides, name: "olga.csv" });
    const refusal = await olga.waitForMessage(task.room, /need the permission `talk`/, { ...patient, from: crew.bot });
    expect(refusal.mentions).toEqual([olga.userId]);
    await tom.sendFile(task.room, { ...tides, name: "tom.csv" });
    const toms = await waitForCommit(task, "Tom's file", touches("tom.csv"));
    expect(toms.by).toBe(tom.userId);

    // Commands, in the room about main, in the thread about the subtask.
    const list = await ask(task, crew, "files");
    expect(list.text).toMatch(/3 files.*on main/);
    expect(list.text).not.toContain("report.md");
    expect((await ask(task, crew, "files", thread)).text).toMatch(/data\.csv[\s\S]*report\.md/);
    expect((await ask(task, crew, "show report.md")).text).toMatch(/no file `report\.md`/);
    const shown = await ask(task, crew, "show `tides.csv`");
    expect(shown).toMatchObject({ msgtype: "m.file", mentions: [user] });
    expect((await bytesOf(anna, shown)).toString()).toContain("5.2");
    const before = await ask(task, crew, `show tides.csv@${added.commit.slice(0, 7)}`);
    expect((await bytesOf(anna, before)).toString()).toContain("5.1");
    const log = (await ask(task, crew, "log tides.csv")).text;
    expect(log).toMatch(new RegExp(`${replaced.commit.slice(0, 10)}[^]*${added.commit.slice(0, 10)}.*added it`));
    expect((await ask(task, crew, "log nothing.txt")).text).toMatch(/No commit has changed `nothing\.txt`/);
    expect((await ask(task, crew, "show tides.csv@abcdef0")).text).toMatch(/no commit `abcdef0`/);
    expect((await ask(task, crew, "restore tides.csv")).text).toMatch(/Usage: .*restore/);
    expect((await ask(task, crew, "files ../..")).text).toMatch(/no files|cannot be used/);
    expect((await ask(task.as(olga), crew, `show tides.csv`)).msgtype).toBe("m.file");
    await tom.say(task.room, `!crew restore tides.csv@${added.commit}`);
    await tom.waitForMessage(
      task.room,
      (said) => /need|permission/.test(said.text) && said.mentions.includes(tom.userId),
      {
        ...patient,
        from: crew.bot,
      },
    );

    // A file that its agent deleted comes back, to the subtask, and one that was changed as it was.
    await waitForCommit(task, "the deletion", ({ changes }) =>
      changes.some(({ path, kind }) => path === odd && kind === "deleted"),
    );
    const gone = (await ask(task, crew, `log \`${odd}\``, thread)).text;
    const [, commit = ""] = /`([0-9a-f]{10})`[^\n]*added it/.exec(gone) ?? [];
    expect(gone).toMatch(/deleted it/);
    expect((await ask(task, crew, `restore ${odd}@${commit}`, thread)).text).toMatch(/♻️.*on subtask\/report again/);
    const back = await waitForCommit(task, "what came back", touches(odd, { why: "restore" }));
    expect(back).toMatchObject({ by: user, branch: "subtask/report", said: { thread } });
    expect((await ask(task, crew, `restore tides.csv@${added.commit}`)).text).toContain("on main again");
    expect(await gitOf(task, crew, "show", "main:tides.csv")).toContain("5.1");
    expect((await ask(task, crew, `restore tides.csv@${added.commit}`)).text).toContain("just like that already");

    // Taken back: gone from main, kept by history, and said. Tom's file stays, although it has the same content.
    await anna.redact(task.room, upload, "the wrong month");
    const withdrawn = await waitForCommit(task, "the withdrawal", touches("tides.csv", { why: "withdraw" }));
    expect(withdrawn).toMatchObject({ by: user, branch: "main" });
    await anna.waitForMessage(task.room, /Withdrawn: `tides\.csv`\. History keeps it/, { ...patient, from: crew.bot });
    expect(await pathsOn(task, crew)).toEqual([boatPath, "tom.csv"]);
    expect((await bytesOf(anna, await ask(task, crew, `show tides.csv@${added.commit}`))).toString()).toContain("5.1");

    // The worker goes on with what people put there.
    await anna.reply(task.room, question, "it is there", { thread });
    await task.waitForSubtask("report", "done");
    const heard = rehearsal.requests.findLast(({ scene }) => scene.last.includes("it is there"))?.body.messages ?? [];
    const results = JSON.stringify(heard.filter(({ role }) => role === "tool").slice(-3));
    expect(results).toContain("data.csv");
    expect(results).toContain("42");
    await waitForHead(task, crew);
    expect(await pathsOn(task, crew)).toEqual([boatPath, "data.csv", odd, "report.md", "tom.csv"]);
    expect(await gitOf(task, crew, "show", "main:report.md")).toBe("second");
    const zip = await bytesOf(anna, await ask(task, crew, "archive"));
    expect(zip.subarray(0, 2).toString()).toBe("PK");
    expect(zip.includes(Buffer.from(odd))).toBe(true);

    // Closed: nothing is added any more, and all can still be seen.
    await task.answer("final");
    await task.waitForTask("done");
    const late = await anna.sendFile(task.room, { ...tides, name: "late.csv" });
    expect((await answerTo(task, crew, late)).text).toMatch(/task is closed/);
    expect((await ask(task, crew, "files")).text).toMatch(/5 files/);
    expect((await commitsIn(task)).some(touches("late.csv"))).toBe(false);
    expect((await commitsIn(task)).some(touches("olga.csv"))).toBe(false);
    const troubles = (await saidBy(anna, task.room, crew.bot)).filter(({ text }) => text.startsWith("⚠️"));
    expect(troubles.map(({ text }) => text)).toEqual([]);
  },
);
