import { expect, test } from "vitest";
import type { Bundle, Commit, FileChange } from "../../src/core/files.ts";
import type { AgentId, CommitHash, MxcUri } from "../../src/core/ids.ts";
import type { CommitFacts } from "../../src/files/port.ts";
import { fitsEvent } from "../../src/matrix/compose/size.ts";
import { commitMessage } from "../../src/matrix/commit-message.ts";
import { event, user } from "./ids.ts";

const hash = (digit: string): CommitHash => digit.repeat(40) as CommitHash;
const bo = { by: "Bo", user: user("@agent_bo:localhost") };

function commit(more: Partial<Commit> = {}): Commit {
  return {
    hash: hash("1a2b3c4d"),
    parents: [hash("0")],
    branch: "subtask/parser",
    by: "bo" as AgentId,
    why: "turn",
    subtask: "parser",
    subject: "Changes of a turn",
    ts: 1_000,
    ...more,
    ...(more.hash === undefined && { hash: "1a2b3c4d".repeat(5) as CommitHash }),
  };
}

function facts(
  changes: readonly FileChange[],
  more: Partial<CommitFacts> & { of?: Partial<Commit> } = {},
): CommitFacts {
  const { of, ...rest } = more;
  return { commit: commit(of), changes, files: changes.length, added: 3, removed: 1, ...rest };
}

const change = (path: string, more: Partial<FileChange> = {}): FileChange => ({ path, kind: "modified", ...more });
const headOf = (
  more: Partial<Commit>,
  changes: readonly FileChange[] = [change("data.csv", { kind: "added" })],
): string => commitMessage(facts(changes, { of: more }), undefined, bo).body.split("\n", 1)[0] ?? "";

const bundle: Bundle = {
  parts: [{ mxc: "mxc://localhost/abc" as MxcUri, sha256: "b".repeat(64), size: 9 }],
  sha256: "b".repeat(64),
  size: 9,
  needs: [hash("0")],
};

test("A commit is told as a notice with its paths, its diff and the typed part, and notifies nobody", () => {
  const changes: FileChange[] = [
    { path: "a.ts", kind: "added", mode: "100644", added: 3, removed: 0, size: 340, sha256: "c".repeat(64) },
    { path: "b.ts", kind: "modified", mode: "100644", added: 0, removed: 1, size: 12_345, sha256: "d".repeat(64) },
    { path: "c.ts", kind: "deleted" },
    { path: "new.png", from: "old.png", kind: "renamed", mode: "100644", size: 1_700_000, sha256: "e".repeat(64) },
    { path: "run.sh", kind: "mode", mode: "100755", size: 0, sha256: "f".repeat(64) },
  ];
  const root = event("$root");
  const message = commitMessage(facts(changes, { diff: "+a\n-b\n" }), bundle, bo, { thread: root });
  expect(message.body).toBe(
    [
      "📝 **Bo** changed 5 files in `parser` · `1a2b3c4`",
      "",
      "`+` `a.ts` · +3 −0 · 340 B",
      "`~` `b.ts` · +0 −1 · 12 kB",
      "`−` `c.ts`",
      "`→` `old.png` → `new.png` · 1.7 MB",
      "`mode` `run.sh` · 100755 · 0 B",
      "",
      "```diff",
      "+a",
      "-b",
      "```",
    ].join("\n"),
  );
  expect(message.formatted_body).toContain('<pre><code class="language-diff">+a\n-b\n</code></pre>');
  expect(message).toMatchObject({
    msgtype: "m.notice",
    "m.mentions": {},
    "m.relates_to": { rel_type: "m.thread", event_id: root },
    "dev.crewroom.commit": {
      v: 1,
      commit: commit().hash,
      parents: [hash("0")],
      branch: "subtask/parser",
      by: "@agent_bo:localhost",
      why: "turn",
      subtask: "parser",
      subject: "Changes of a turn",
      ts: 1_000,
      changes,
      files: 5,
      added: 3,
      removed: 1,
      bundle,
    },
  });
});

test("The first line says who did what, where", () => {
  const end = " · `1a2b3c4`";
  expect(headOf({})).toBe(`📝 **Bo** changed 1 file in \`parser\`${end}`);
  expect(headOf({ why: "merge", branch: "main" })).toBe(`🔀 \`parser\` merged into \`main\`${end}`);
  const onMain = { branch: "main", subtask: undefined };
  const main = (why: Commit["why"], changes?: readonly FileChange[]): string => {
    const { subtask: _none, ...plain } = { ...commit(), ...onMain, why };
    return commitMessage(
      { ...facts(changes ?? [change("data.csv", { kind: "added" })]), commit: plain },
      undefined,
      bo,
    ).body.split("\n", 1)[0] as string;
  };
  expect(main("upload")).toBe(`📎 **Bo** added \`data.csv\`${end}`);
  expect(main("upload", [change("data.csv")])).toBe(`📎 **Bo** replaced \`data.csv\`${end}`);
  expect(main("restore")).toBe(`♻️ **Bo** restored \`data.csv\`${end}`);
  expect(main("withdraw")).toBe(`🗑️ **Bo** withdrew \`data.csv\`${end}`);
  expect(main("import", [change("a"), change("b")])).toBe(`📥 **Bo** brought in 2 files${end}`);
  expect(main("rewrite")).toContain("`main` is told anew with all of its history");
  expect(headOf({ branch: "late/parser/bo/3" })).toBe(
    `📝 **Bo** changed 1 file in \`parser\` after the work had passed on; it is kept on \`late/parser/bo/3\`${end}`,
  );
});

test("Of many paths the first twelve are shown, and how many more there are", () => {
  const changes = Array.from({ length: 50 }, (_, index) => change(`file-${index}`));
  const { body, "dev.crewroom.commit": part } = commitMessage(facts(changes, { files: 10_000 }), bundle, bo);
  expect(body).toContain("changed 10,000 files");
  expect(body.match(/`~` /g)).toHaveLength(12);
  expect(body).toContain("\nand 9,988 more");
  expect(part).toMatchObject({ files: 10_000, changes });
});

test.each([
  ["a backtick", "a`b``c`"],
  ["only backticks", "```"],
  ["a line break", "a\n\n# heading\n- list"],
  ["markup", "**bold** _x_ [a](https://evil.example) | ~~"],
  ["HTML", '<img src=x onerror=alert(1)></code><script>alert("x")</script>'],
  ["a call to the room", "@room"],
  ["a user's id", "@sam:localhost"],
  ["a link", "https://evil.example/x"],
  ["another direction of writing", "evil\u202egnp.exe\u2066"],
  ["half of a surrogate pair", "a\ud800"],
  ["nothing visible", "\u200b"],
])("A path with %s stays a path", (_what, path) => {
  const message = commitMessage(facts([change(path)], { diff: `+${path}` }), undefined, bo);
  const html = message.formatted_body ?? "";
  expect(message["m.mentions"]).toEqual({});
  // Two paragraphs and a block of code, whatever is in them.
  expect(html.match(/<\w+/g)).toEqual(["<p", "<strong", "<code", "<code", "<p", "<code", "<code", "<pre", "<code"]);
  expect(html + message.body).not.toMatch(/[\u200b\u202a-\u202e\u2066-\u2069]/);
  expect((message.body + html).isWellFormed()).toBe(true);
  expect(message["dev.crewroom.commit"]).toMatchObject({ changes: [{ path: path.toWellFormed() }] });
});

test("A name or a caption with markup is shown as it is", () => {
  const name = "**Ev_il_** <b> https://x.example @room";
  const { formatted_body: html } = commitMessage(
    facts([change("a")], { of: { why: "upload", subject: "# 1. see [this](https://x.example) `now`\n> @room" } }),
    undefined,
    { ...bo, by: name },
  );
  expect(html).toContain("<strong>**Ev_il_** &lt;b&gt; https://x.example @room</strong>");
  expect(html).toContain("<p># 1. see [this](https://x.example) `now` &gt; @room</p>");
});

test("A diff cannot leave its block", () => {
  const diff = "+```\n+# out\n+`````\n";
  const { formatted_body: html } = commitMessage(facts([change("a.md")], { diff }), undefined, bo);
  expect(html).toContain("+```\n+# out\n+`````\n</code></pre>");
  expect(html).not.toContain("<h1>");
});

test.each([
  ["ASCII", "x".repeat(4_096)],
  ["wide", "字".repeat(1_365)],
  ["controls", "\u0001".repeat(4_096)],
  ["backticks", "`".repeat(4_096)],
])("Fifty changes with paths of 4,096 bytes (%s) fit into an event", (_what, long) => {
  const changes = Array.from({ length: 50 }, (_, index) =>
    change(`${index}${long.slice(2)}`, {
      kind: "renamed",
      from: long,
      sha256: "a".repeat(64),
      size: 1,
      mode: "100644",
    }),
  );
  const message = commitMessage(facts(changes, { diff: "+line\n".repeat(1_000) }), bundle, bo);
  expect(fitsEvent(message)).toBe(true);
  expect(message.formatted_body).toContain("<strong>Bo</strong>");
  expect(message["dev.crewroom.commit"]).toMatchObject({ files: 50, bundle });
});

test("Where it is tight, a diff goes before the last of the changes, and stays when fewer changes make it fit", () => {
  const changes = Array.from({ length: 50 }, (_, index) => change(`${index}-${"x".repeat(1_000)}`));
  const told = (diff: string): { body: string; changes: number } => {
    const { body, "dev.crewroom.commit": part } = commitMessage(facts(changes, { diff }), bundle, bo);
    return { body, changes: (part as { changes: unknown[] }).changes.length };
  };
  const small = told("+line\n".repeat(1_500));
  expect([small.body.includes("```diff"), small.changes]).toEqual([true, 25]);
  const large = told("+line\n".repeat(5_000));
  expect([large.body.includes("```diff"), large.changes]).toEqual([false, 50]);
});

test("A bundle in more parts than an event can name is refused", () => {
  const parts = Array.from({ length: 600 }, () => ({ ...bundle.parts[0], sha256: "b".repeat(64), size: 1 }));
  const large = { ...bundle, parts: parts as Bundle["parts"] };
  expect(() => commitMessage(facts([change("a")]), large, bo)).toThrow(
    expect.objectContaining({ code: "MEDIA_TOO_LARGE" }),
  );
});
