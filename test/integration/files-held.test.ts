/** What is not recorded, and what must not get out: secrets, large files, links, foreign repositories, commands. */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import {
  approval,
  commitsIn,
  folderOf,
  git,
  gitOf,
  handIn,
  napping,
  pathsOn,
  pull,
  quiet,
  run,
  toolResults,
  touches,
  uses,
  waitForCommit,
  waitForHead,
  write,
} from "../support/files.ts";
import { sharedStage } from "../support/shared-stage.ts";
import { diligence, patient, planRule, taskCrew, TaskRoom } from "../support/tasks.ts";
import type { Said } from "../support/transcript.ts";

const token = (length: number): string => `a1B2c3D4e5${randomBytes(length).toString("hex")}`.slice(0, length);
/** Made here, so that nothing in this file looks like a secret. */
const [denied, allowed] = [`ghp_${token(36)}`, `ghp_${token(36)}`];
/** Outside of every sandbox: whatever makes it has got out. */
const canary = path.join(tmpdir(), `crewroom-canary-${randomBytes(6).toString("hex")}`);
const spring = (what: string): string => `touch ${canary}-${what}`;

/** A repository that would run something at every turn, if anybody asked git to obey it. */
const trap = (folder: string): string =>
  [
    `mkdir -p ${folder}/hooks ${folder}/info ${folder}/objects ${folder}/refs/heads`,
    `echo 'ref: refs/heads/main' > ${folder}/HEAD`,
    `printf '[include]\\n\\tpath = evil.conf\\n[core]\\n\\trepositoryformatversion = 0\\n\\thooksPath = hooks\\n\\tfsmonitor = "${spring("fsmonitor")}"\\n\\tsshCommand = "${spring("ssh")}"\\n[filter "evil"]\\n\\tclean = "${spring("clean")}"\\n\\tsmudge = "${spring("smudge")}"\\n\\trequired = true\\n[diff "evil"]\\n\\tcommand = "${spring("diff")}"\\n\\ttextconv = "${spring("textconv")}"\\n[merge "evil"]\\n\\tdriver = "${spring("merge")}"\\n' > ${folder}/config`,
    `printf '[alias]\\n\\tstatus = "!${spring("alias")}"\\n[core]\\n\\tpager = "${spring("pager")}"\\n' > ${folder}/evil.conf`,
    ...["pre-commit", "post-commit", "post-checkout", "post-merge", "reference-transaction", "post-index-change"].map(
      (hook) => `printf '#!/bin/sh\\n${spring(hook)}\\n' > ${folder}/hooks/${hook} && chmod +x ${folder}/hooks/${hook}`,
    ),
  ].join("\n");

/** Told from other commands on the machine by its number of seconds. */
const nap = `${50_000 + Math.floor(Math.random() * 10_000)}`;

const attributes = "* filter=evil diff=evil merge=evil text eol=crlf\n";

const shared = sharedStage({
  agents: taskCrew,
  permissions: (home) => ({ [home]: "task", [`@boss:${home}`]: "admin" }),
  config: {
    tasks: { plan_approval: "never" },
    files: { quiet_ms: 300, file_bytes: 20_000, ignore: ["cache/"], withdrawn: "purge" },
    sandbox: { output_bytes: 4_000 },
  },
  script: [
    planRule([{ id: "walls" }], "walls"),
    ...uses("executor", "/look at (\\S+) and (\\S+)[\\s\\S]*Your subtask `walls`/", [
      write("../out.txt", "out"),
      write("/etc/crewroom-out.txt", "out"),
      write(".git/hooks/post-commit", "out"),
      ["read_file", { path: "../../repo.git/config" }],
      ["delete_file", { path: ".git" }],
      run("ln -s /etc/passwd passwd; ln -s /etc up; ln -s .. above; cat passwd; ls /root; true"),
      ["read_file", { path: "passwd" }],
      write("passwd", "mine"),
      write("up/crewroom-out.txt", "mine"),
      ["list_files", { path: "above" }],
      run(
        "cat $1/crewroom.yaml $1/registration.yaml $1/crewroom.db; ls $1 $1/data $1/data/tasks; touch $1/out; ls ~; true",
      ),
      run(`node -e "fetch('$2').then(() => console.log('reached'), () => console.log('no way out'))"`),
      run("seq 1 100000; echo the end"),
      run(`(sleep ${nap} &) ; setsid sleep ${nap} & echo begun`),
      run("env; id -u; true"),
      run("rm passwd up above; echo done > done.txt"),
      handIn("walls"),
    ]),
    planRule([{ id: "keys" }], "keys"),
    ...uses("executor", "/Your subtask `keys`/", [
      write("denied.env", `GITHUB_TOKEN=${denied}\n`),
      write("allowed.env", `GITHUB_TOKEN=${allowed}\n`),
      write(".gitignore", "*.log\n"),
      run(
        [
          "mkdir -p cache sub && echo x > cache/x && echo x > debug.log && echo x > sub/plain.txt",
          "head -c 30000 /dev/zero > large.bin && ln -s /etc/passwd sub/passwd && mkfifo pipe",
        ].join(" && "),
      ),
      handIn("keys"),
      run("rm large.bin pipe sub/passwd"),
      handIn("keys"),
    ]),
    ...uses("executor", "/lets `allowed.env` in/", [handIn("keys")]),
    ...uses("executor", "/`denied.env` looks like a secret/", [
      ["delete_file", { path: "denied.env" }],
      handIn("keys"),
    ]),
    planRule([{ id: "trap" }, { id: "after", after: ["trap"] }], "trap"),
    ...uses("executor", "/Your subtask `trap`/", [
      run(trap("nested/.git")),
      write("nested/file.txt", "a nested file\r\n"),
      write(".gitattributes", attributes),
      write(".gitmodules", `[submodule "x"]\n\tpath = nested\n\turl = ext::${spring("submodule")}\n`),
      run(`rm -rf .git; ${trap(".git")}\n printf '${attributes.trim()}\\n' > .git/info/attributes`),
      write("crlf.txt", "one\r\ntwo\n"),
      ["list_files", {}],
      handIn("trap"),
    ]),
    ...uses("reviewer", "/Review `trap`/", [run("cat nested/file.txt; git status; ls -a"), approval("trap")]),
    ...uses("executor", "/Your subtask `after`/", [write("nested/file.txt", "changed\r\n"), handIn("after")]),
    ...diligence,
    quiet,
  ],
});

const opened = async (words: string): Promise<TaskRoom> =>
  TaskRoom.openByBot(await shared.someone("anna"), shared.stage.crew, words);

test("no path, link or command leads out of the worktree", { timeout: 180_000 }, async () => {
  const { bridge, crew, rehearsal, synapse } = shared.stage;
  const task = await opened(`walls — look at ${crew.directory} and ${synapse.url}`);
  await task.waitForSubtask("walls", "done");
  const results = toolResults(rehearsal, /Your subtask `walls`/);
  const [up, absolute, git, above, gone, links, read, replaced, through, listed, machine, net, long, nap1, env] =
    results;
  for (const refused of [up, absolute, git]) expect(refused).toMatch(/^Not written: /);
  expect(above).toMatch(/^Not read: /);
  expect(gone).toMatch(/^Not deleted: /);
  // The sandbox has users of its own, and no homes of others.
  const users = await readFile("/etc/passwd", "utf8");
  expect(links).not.toContain(users.split("\n")[1]);
  expect(links).toMatch(/\/root.*No such file|cannot access.*\/root/);
  expect(read).toMatch(/^Not read: /);
  expect(replaced).toMatch(/^Not written: /);
  expect(through).toMatch(/^Not written: /);
  expect(listed).toMatch(/^Not read: /);
  expect(existsSync("/etc/crewroom-out.txt")).toBe(false);
  // Neither config, registration, store nor other tasks.
  for (const secret of [/as_token/, /hs_token/, /homeserver:/, /SQLite format/, /repo\.git/])
    expect(machine).not.toMatch(secret);
  expect(machine?.match(/No such file|cannot access|Permission denied/g)?.length).toBeGreaterThanOrEqual(3);
  expect(await readdir(crew.directory)).not.toContain("out");
  expect(net).toContain("no way out");
  expect(long?.length).toBeLessThan(6_000);
  expect(long).toMatch(/1\n2\n3\n[^]*the end/);
  expect(nap1).toContain("begun");
  expect(await napping(nap)).toEqual([]);
  expect(env).not.toMatch(/CREWROOM|TOKEN|VITEST|npm_/);
  expect(env).not.toContain(process.env["HOME"] ?? "?");
  expect(await pathsOn(task, crew)).toEqual(["done.txt"]);
  expect(bridge.stderr.join("\n")).not.toContain("INTERNAL");
});

test(
  "what looks like a secret is held back until a person has decided; other files are refused by name",
  { timeout: 240_000 },
  async () => {
    const { bridge, crew, rehearsal } = shared.stage;
    const task = await opened("keys");
    const { person: anna } = task;
    const asked = (name: string): Promise<Said> =>
      anna.waitFor(task.room, `the question about ${name}`, patient, () =>
        anna.seen(task.room).find(({ text, reactions }) => text.includes(`\`${name}\` of`) && reactions.length >= 2),
      );
    const [deny, allow] = [await asked("denied.env"), await asked("allowed.env")];
    const { thread } = await task.waitForSubtask("keys", "working");
    for (const question of [deny, allow]) {
      expect(question).toMatchObject({ thread, mentions: [anna.userId] });
      expect(question.text).toContain("a GitHub token");
    }

    const [, , , , first, , second] = toolResults(rehearsal, /Your subtask `keys`/);
    for (const name of ["large.bin", "pipe", "sub/passwd", "denied.env", "allowed.env"])
      expect(first).toMatch(new RegExp(`^Not done: .*\`${name}\``));
    expect(second).toMatch(/^Not done: .*A person is asked/);
    expect(second).not.toContain("large.bin");
    const held = await anna.waitForMessage(task.room, /Not recorded in `keys`/, { ...patient, from: crew.bot });
    expect(held.thread).toBe(thread);
    for (const name of ["large.bin", "pipe", "sub/passwd"]) expect(held.text).toContain(`\`${name}\``);

    await anna.react(task.room, allow.id, "✅");
    await waitForCommit(task, "what was let in", touches("allowed.env"));
    await anna.react(task.room, deny.id, "❌");
    await task.waitForSubtask("keys", "done");
    await waitForHead(task, crew);
    expect(await pathsOn(task, crew)).toEqual([".gitignore", "allowed.env", "sub/plain.txt"]);
    expect(await gitOf(task, crew, "show", "main:allowed.env")).toContain(allowed);

    // Nobody ever saw the other one: not in any event, log line or commit.
    const events = JSON.stringify(await anna.events(task.room));
    for (const place of [events, ...bridge.stdout, ...bridge.stderr, await gitOf(task, crew, "log", "--all", "-p")])
      expect(place).not.toContain(denied);

    await withdraw(task);
  },
);

/** With `withdrawn: purge`, what is taken back is really gone, here and for whoever fetches the files later. */
async function withdraw(task: TaskRoom): Promise<void> {
  const { crew } = shared.stage;
  const { person: anna } = task;
  const secret = `between us: ${randomBytes(8).toString("hex")}`;
  const file = { name: "contract.txt", mimeType: "text/plain", bytes: Buffer.from(`${secret}\n`) };
  const folder = await mkdtemp(path.join(tmpdir(), "crewroom-purged-"));
  try {
    const upload = await anna.sendFile(task.room, file);
    const told = await waitForCommit(task, "the contract", touches("contract.txt"));
    await anna.sendFile(task.room, { ...file, name: "other.txt", bytes: Buffer.from("other\n") });
    await waitForCommit(task, "the other file", touches("other.txt"));
    await waitForHead(task, crew);
    const before = path.join(folder, "before");
    expect(await pull(task.room, before, anna)).toMatchObject({ code: 0 });
    expect(await readFile(path.join(before, "contract.txt"), "utf8")).toContain(secret);
    const blob = await gitOf(task, crew, "rev-parse", `${told.commit}:contract.txt`);

    await anna.redact(task.room, upload, "not for everybody");
    await anna.waitForMessage(task.room, /gone from history as well/, { ...patient, from: crew.bot });
    await waitForHead(task, crew);
    expect(await pathsOn(task, crew)).toEqual([".gitignore", "allowed.env", "other.txt", "sub/plain.txt"]);
    await expect(gitOf(task, crew, "cat-file", "-e", blob)).rejects.toThrow("cat-file");
    await expect(gitOf(task, crew, "cat-file", "-e", told.commit)).rejects.toThrow("cat-file");
    await gitOf(task, crew, "fsck", "--strict");
    await anna.waitForMessage(task.room, (said) => said.id === told.said.id && said.redacted, patient);
    expect(JSON.stringify(await anna.events(task.room))).not.toContain(secret);

    const after = path.join(folder, "after");
    expect(await pull(task.room, after, anna)).toMatchObject({ code: 0 });
    expect((await readdir(after)).toSorted()).toEqual([".git", ".gitignore", "allowed.env", "other.txt", "sub"]);
    expect(await gitOf(task, crew, "rev-parse", "main")).toBe(await headIn(after));
    // Who had fetched it before gets the new history as well.
    expect(await pull(task.room, before, anna)).toMatchObject({ code: 0 });
    expect(await readdir(before)).not.toContain("contract.txt");
    expect(await headIn(before)).toBe(await headIn(after));

    // Nor does the bridge bring it back when it puts the files together from the room.
    await task.answer("final");
    await task.waitForTask("done");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const headIn = (folder: string): Promise<string> => git(path.join(folder, ".git"), "rev-parse", "main");

test(
  "a repository with hooks, filters and an include in its config runs nothing, and is recorded as ordinary files",
  { timeout: 180_000 },
  async () => {
    const { crew, rehearsal } = shared.stage;
    const task = await opened("trap");
    await task.waitForAsk("final");
    await waitForHead(task, crew);
    expect(await pathsOn(task, crew)).toEqual([".gitattributes", ".gitmodules", "crlf.txt", "nested/file.txt"]);
    const show = async (name: string): Promise<string> => gitOf(task, crew, "cat-file", "blob", `main:${name}`);
    expect(await show("crlf.txt")).toBe("one\r\ntwo");
    expect(await show("nested/file.txt")).toBe("changed\r");
    const [seen] = toolResults(rehearsal, /Review `trap`/);
    expect(seen).toContain("a nested file");
    expect(toolResults(rehearsal, /Your subtask `trap`/)[6]).not.toContain("hooks");
    // A person looks at it, and gets it elsewhere: nothing of it runs there either.
    const folder = await mkdtemp(path.join(tmpdir(), "crewroom-trap-"));
    try {
      expect(await pull(task.room, folder, task.person)).toMatchObject({ code: 0 });
      expect(await readFile(path.join(folder, "crlf.txt"), "utf8")).toBe("one\r\ntwo\n");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    expect(await task.command("show nested/file.txt")).toContain("file.txt");
    const sprung = (await readdir(tmpdir())).filter((name) => path.join(tmpdir(), name).startsWith(canary));
    expect(sprung).toEqual([]);
    expect(await readdir(await folderOf(task, crew))).toContain("repo.git");
    expect((await commitsIn(task)).every(({ changes }) => changes.every((one) => !one.path.includes(".git/")))).toBe(
      true,
    );
    await task.answer("final");
    await task.waitForTask("done");
  },
);
