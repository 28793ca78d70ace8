import { describe, expect, it } from "vitest";
import type { FilesJobEffect, FilesResult } from "../../../src/core/files.ts";
import { asMxcUri, type EventId } from "../../../src/core/ids.ts";
import type { HeldFile } from "../../../src/core/files.ts";
import { workplaceOf } from "../../../src/core/tasks/files.ts";
import { rebuiltTask } from "../../../src/core/tasks/rebuild.ts";
import { anna, boss, defined } from "../scene.ts";
import { bo, cy, hash, planner, rae, spec, TaskScene } from "./task-scene.ts";

const small = [planner, bo, rae];

function jobs(scene: TaskScene): readonly FilesJobEffect[] {
  return scene.record.outbox.filter((effect) => effect.kind === "files");
}

function drop(scene: TaskScene, thread?: EventId, text = ""): EventId {
  const event = scene.fresh("file");
  scene.put({
    kind: "message",
    event,
    sender: boss,
    ts: scene.now,
    text,
    mentions: [],
    notice: false,
    ...(thread === undefined ? {} : { thread }),
    attachment: { mxc: "mxc://example.org/data", name: "data.csv", mimeType: "text/csv", size: 12, encrypted: false },
  });
  return event;
}

describe("commits", () => {
  it("are recorded once, and only after their first parent", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    const first = scene.commit("subtask/one", bo.id);
    expect(first.reply).toBe("taken");
    expect(scene.commit("subtask/one", bo.id, { hash: first.hash, parents: [] }).reply).toBe("not taken");
    expect(scene.commit("subtask/one", bo.id, { hash: hash(90), parents: [hash(80)] }).reply).toBe("not taken");
    expect(scene.commit("subtask/one", bo.id, { hash: hash(91), parents: [first.hash] }).reply).toBe("taken");
    expect(scene.task.files?.heads).toEqual({ "subtask/one": hash(91) });
    const told = scene.record.outbox.filter((effect) => effect.kind === "publish");
    expect(told.map(({ commit }) => commit.hash)).toEqual([first.hash, hash(91)]);
    expect(told[0]?.thread).toBe(scene.subtask("one").thread);
  });

  it("of main become the head that the room shows, once they are in it", () => {
    const scene = new TaskScene({ crew: small });
    const { hash: commit } = scene.commit("main", bo.id);
    expect(scene.task.files?.head).toBeUndefined();
    const message = scene.fresh("told");
    const part = { mxc: defined(asMxcUri("mxc://example.org/b")), sha256: "ab", size: 3 };
    const bundle = { parts: [part], sha256: "ab", size: 3, needs: [] };
    scene.put({ kind: "published", commit, branch: "main", message, bundle });
    const state = scene.due("state").find(({ type }) => type === "dev.crewroom.head");
    expect(state).toMatchObject({ key: "", content: { commit, bundle, message, branches: { main: commit } } });
  });
});

describe("approved work", () => {
  it("is done only after its files are merged", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"), spec("two", { depends_on: ["one"] }));
    const commit = scene.submitFiles(bo, "one");
    expect(scene.subtask("one").submission?.commit).toBe(commit);
    scene.act(rae, { kind: "review", subtask: "one", verdict: "approve", score: 4, issues: [], comment: "" });
    expect(scene.subtask("one").state).toBe("review");
    expect(jobs(scene).map(({ job }) => job)).toEqual([{ kind: "merge", subtask: "one", commit }]);
    expect(
      scene.act(rae, { kind: "review", subtask: "one", verdict: "reject", score: 1, issues: ["a"], comment: "" }),
    ).toContain("approved already");
    expect(scene.subtask("two").state).toBe("waiting");
    scene.deliver();
    expect(scene.subtask("one").state).toBe("done");
    expect(scene.subtask("one").scores.map(({ reason }) => reason)).toContain("first_pass");
    expect(scene.subtask("two").state).toBe("working");
  });

  it("without files is done at once", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    scene.submit(bo, "one");
    scene.act(rae, { kind: "review", subtask: "one", verdict: "approve", score: 4, issues: [], comment: "" });
    expect(scene.subtask("one").state).toBe("done");
  });

  it("goes back with both sides named when it does not go together with main, and costs its worker no points", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    const theirs = scene.submitFiles(bo, "one");
    const collision: FilesResult = {
      kind: "conflict",
      main: hash(500),
      conflicts: [
        {
          path: "src/a.ts",
          kind: "content",
          ours: { commit: hash(500), by: "Cy", subtask: "two" },
          theirs: { commit: theirs, by: "Bo", subtask: "one" },
        },
      ],
    };
    scene.filesAnswer = () => collision;
    scene.review(rae, "one", "approve");
    const subtask = scene.subtask("one");
    expect(subtask).toMatchObject({
      state: "working",
      rework: 1,
      lease: { agent: bo.id },
      conflict: { main: hash(500) },
    });
    expect(subtask.scores.map(({ reason }) => reason)).not.toContain("rework");
    const told = scene.turnOf(bo).messages.at(-1)?.text ?? "";
    expect(told).toContain("src/a.ts");
    expect(told).toContain("Cy (`two`)");
    expect(told).toContain("<<<<<<<");
    scene.filesAnswer = ({ job }) =>
      job.kind === "merge" ? { kind: "merged", commit: job.commit } : { kind: "told", text: "" };
    scene.submitFiles(bo, "one");
    expect(scene.subtask("one").conflict).toBeUndefined();
    scene.review(rae, "one", "approve");
    expect(scene.subtask("one").state).toBe("done");
  });

  it("that collides again and again is a person's to decide", () => {
    const scene = new TaskScene({ crew: small, policy: { max_rework: 2 } });
    scene.plan(spec("one"));
    scene.filesAnswer = ({ job }) =>
      job.kind === "merge"
        ? { kind: "conflict", main: hash(500), conflicts: [{ path: "a", kind: "content" }] }
        : { kind: "told", text: "" };
    for (let round = 0; round < 2; round++) {
      scene.submitFiles(bo, "one");
      scene.review(rae, "one", "approve");
    }
    expect(scene.record.state.asks?.map(({ matter }) => matter.kind)).toEqual(["subtask"]);
  });

  it("whose merge fails is asked about, and merged when a person says so", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    scene.submitFiles(bo, "one");
    scene.act(rae, { kind: "review", subtask: "one", verdict: "approve", score: 4, issues: [], comment: "" });
    const merge = defined(jobs(scene)[0]);
    scene.put({ kind: "failed", effect: merge.id, code: "FILES_FULL", sentence: "The disk is full." });
    scene.deliver();
    expect(scene.record.state.asks?.[0]?.text).toContain("The disk is full.");
    scene.react("a1", "✅");
    expect(scene.subtask("one").state).toBe("done");
  });

  it("that is done anew meanwhile is not done by a merge that comes late", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    scene.submitFiles(bo, "one");
    scene.act(rae, { kind: "review", subtask: "one", verdict: "approve", score: 4, issues: [], comment: "" });
    scene.put({
      kind: "message",
      event: scene.fresh("retry"),
      sender: boss,
      ts: scene.now,
      text: "!crew retry one",
      mentions: [],
      notice: false,
    });
    scene.deliver();
    expect(scene.subtask("one").state).toBe("working");
  });
});

describe("files of people", () => {
  it("become commits: on main, or on the branch of the subtask in whose thread they were dropped", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    const thread = scene.subtask("one").thread;
    drop(scene, undefined, "the numbers of May");
    drop(scene, thread);
    expect(jobs(scene).map(({ job }) => job)).toMatchObject([
      { kind: "upload", branch: "main", name: "data.csv", caption: "the numbers of May", by: boss },
      { kind: "upload", branch: "subtask/one" },
    ]);
  });

  it("are taken back when their message is redacted, also while they are still on their way", () => {
    const scene = new TaskScene({ crew: small });
    const event = drop(scene);
    const redact = (): void => {
      scene.put({ kind: "redaction", event: scene.fresh("redaction"), sender: boss, ts: scene.now, target: event });
    };
    const sent = defined(jobs(scene)[0]);
    redact();
    expect(jobs(scene)).toEqual([]);
    // It was being fetched at that moment.
    const upload = { event, by: boss, path: "data.csv", blob: "b".repeat(40), commit: hash(1) };
    scene.put({ kind: "filesDone", effect: sent.id, result: { kind: "uploaded", upload } });
    expect(jobs(scene).map(({ job }) => job)).toMatchObject([{ kind: "withdraw", upload: { path: "data.csv" } }]);
  });

  it("that are gone from history too leave no name behind", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    const event = drop(scene);
    const { hash: commit } = scene.commit("main", planner.id);
    const upload = { event, by: boss, path: "data.csv", blob: "b".repeat(40), commit };
    scene.filesAnswer = ({ job }) =>
      job.kind === "upload"
        ? { kind: "uploaded", upload }
        : { kind: "withdrawn", text: "Gone.", rewritten: { [commit]: hash(700), [theirs]: hash(701) } };
    scene.deliver();
    const theirs = scene.submitFiles(bo, "one");
    scene.put({ kind: "redaction", event: scene.fresh("redaction"), sender: boss, ts: scene.now, target: event });
    const job = defined(jobs(scene)[0]);
    scene.put({ kind: "filesDone", effect: job.id, result: scene.filesAnswer(job) });
    expect(scene.subtask("one").submission?.commit).toBe(hash(701));
    expect(scene.task.files?.uploads).toEqual([]);
    expect(scene.record.outbox.some((effect) => effect.kind === "redact")).toBe(true);
  });

  it("from people who may not talk here are refused once", () => {
    const scene = new TaskScene({ crew: small });
    const stranger = "@eve:elsewhere.org" as typeof boss;
    scene.put({
      kind: "message",
      event: scene.fresh("file"),
      sender: stranger,
      ts: scene.now,
      text: "",
      mentions: [],
      notice: false,
      attachment: { mxc: "mxc://e/f", name: "evil.sh", mimeType: "text/x-sh", encrypted: false },
    });
    expect(jobs(scene)).toEqual([]);
    expect(scene.says.at(-1)?.text).toContain("permission `talk`");
  });
});

describe("held-back files", () => {
  it("are asked about a few at a time where they look like secrets", () => {
    const scene = new TaskScene({ crew: [planner, bo, rae] });
    scene.plan(spec("one"));
    const files = Array.from({ length: 25 }, (_, index) => ({
      path: `keys/${index}`,
      why: "secret" as const,
      detail: "a private key",
      sha256: `${index}`,
    }));
    const held = (): void => void scene.put({ kind: "held", agent: bo.id, subtask: "one", files });
    const asked = (): readonly unknown[] =>
      (scene.record.state.asks ?? []).map(({ matter }) => matter.kind === "secret" && matter.path);
    held();
    held();
    scene.deliver();
    expect(asked()).toEqual(files.slice(0, 10).map(({ path }) => path));
    scene.react("a1", "❌");
    held();
    scene.deliver();
    expect(asked()).toEqual(files.slice(1, 11).map(({ path }) => path));
  });

  const secret: HeldFile = { path: ".env", why: "secret", detail: "an AWS access key", sha256: "ab" };

  it("are asked about once when they look like a secret, and recorded when a person says so", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    for (let times = 0; times < 2; times++) scene.put({ kind: "held", agent: bo.id, subtask: "one", files: [secret] });
    expect(scene.record.state.asks).toHaveLength(1);
    expect(scene.record.state.asks?.[0]?.text).toContain("an AWS access key");
    // While the person thinks, the end of the turn is no lapse.
    scene.end(bo);
    expect(scene.subtask("one").lease?.lapses).toBe(0);
    scene.deliver();
    scene.react("a1", "✅");
    expect(scene.task.files?.allowed).toEqual(["ab"]);
    expect(scene.turnOf(bo).messages.at(-1)?.text).toContain("lets `.env` in");
  });

  it("stay out when a person says no, and their agent is told why", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    scene.put({ kind: "held", agent: bo.id, subtask: "one", files: [secret] });
    scene.end(bo);
    scene.deliver();
    scene.react("a1", "❌");
    expect(scene.task.files?.allowed ?? []).toEqual([]);
    expect(scene.turnOf(bo).messages.at(-1)?.text).toContain("Take the secret out");
  });

  it("that are too large are named in the thread, once", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    const large: HeldFile = {
      path: "film.mp4",
      why: "too_large",
      detail: "60 MB, over the limit of 50 MB",
      sha256: "",
    };
    for (let times = 0; times < 2; times++) scene.put({ kind: "held", agent: bo.id, subtask: "one", files: [large] });
    const told = scene.says.filter(({ text }) => text.includes("film.mp4"));
    expect(told).toHaveLength(1);
    expect(told[0]?.thread).toBe(scene.subtask("one").thread);
  });
});

describe("where an agent works", () => {
  it("is its subtask's branch while it holds it, what was handed in while it reviews, and else main", () => {
    const scene = new TaskScene({ crew: [planner, bo, cy, rae] });
    scene.plan(spec("one"), spec("two"));
    const { thread } = scene.subtask("one");
    const at = (agent: typeof bo, where: EventId | undefined) => workplaceOf(scene.record.state, agent.id, where);
    expect(at(bo, thread)).toEqual({ kind: "work", subtask: "one", epoch: 1 });
    expect(at(bo, undefined)).toEqual({ kind: "work", subtask: "one", epoch: 1 });
    expect(at(bo, scene.subtask("two").thread)).toEqual({ kind: "main" });
    expect(at(planner, undefined)).toEqual({ kind: "main" });
    const commit = scene.submitFiles(bo, "one");
    expect(at(rae, thread)).toEqual({ kind: "review", subtask: "one", commit });
    expect(at(bo, thread)).toEqual({ kind: "main" });
  });
});

describe("what people ask for", () => {
  it("is looked up on the branch of the thread, and answered to who asked", () => {
    const scene = new TaskScene({ crew: small });
    scene.plan(spec("one"));
    scene.commit("main", bo.id);
    scene.commit("subtask/one", bo.id);
    scene.filesAnswer = ({ job }) => ({
      kind: "told",
      text: `it was ${job.kind} on ${"branch" in job ? job.branch : ""}`,
    });
    scene.command("files");
    expect(scene.gone.some((effect) => effect.kind === "say" && effect.text === "it was list on main")).toBe(true);
    scene.put({
      kind: "message",
      event: scene.fresh("asked"),
      sender: anna,
      ts: scene.now,
      text: "!crew log `a b@c.txt`",
      mentions: [],
      notice: false,
      thread: defined(scene.subtask("one").thread),
    });
    expect(jobs(scene).map(({ job }) => job)).toEqual([{ kind: "log", path: "a b@c.txt", branch: "subtask/one" }]);
  });

  it("is not asked of a task without files", () => {
    const scene = new TaskScene({ crew: small });
    scene.say("!crew show a.txt", { sender: boss });
    expect(scene.says.at(-1)?.text).toContain("no files yet");
  });
});

it("the files of a task are known again from its room's state", () => {
  const scene = new TaskScene({ crew: small });
  scene.plan(spec("one"));
  const { hash: commit } = scene.commit("main", bo.id);
  scene.deliver();
  const work = scene.submitFiles(bo, "one");
  const states = new Map<string, { type: string; key: string; content: Readonly<Record<string, unknown>> }>();
  for (const effect of [...scene.gone, ...scene.due("state")])
    if (effect.kind === "state") states.set(`${effect.type} ${effect.key}`, effect);
  const task = rebuiltTask(scene.world, [...states.values()], scene.now);
  expect(task?.files?.heads).toEqual({ main: commit, "subtask/one": work });
  expect(task?.files?.head?.commit).toBe(commit);
});
