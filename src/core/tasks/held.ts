/** What is not committed: told where it lies, and where it looks like a secret a person is asked. */
import { inThread } from "../placement.ts";
import { type Answer, ask } from "../asks.ts";
import type { AskMatter } from "../asks.ts";
import type { Draft } from "../draft.ts";
import { type HeldFile, toldKept } from "../files.ts";
import type { OwnInput } from "../input.ts";
import { memberById } from "../world.ts";
import { filesJob, filesOf, putFiles } from "./files.ts";
import { tell } from "./give.ts";
import type { Subtask } from "./task.ts";
import { code } from "../verbatim.ts";

type Held = Extract<OwnInput, { kind: "held" }>;

export function held(draft: Draft, input: Held): void {
  const subtask = draft.state.task?.subtasks[input.subtask];
  if (subtask === undefined) return;
  const { told } = filesOf(draft.state);
  const untold = input.files.filter((file) => !told.includes(keyOf(file)));
  // The others are asked about when these are answered, and files are recorded again.
  const later = untold.filter(({ why }) => why === "secret").slice(Math.max(0, openOfAgent - openFor(draft, input)));
  const fresh = untold.filter((file) => !later.includes(file));
  if (fresh.length === 0) return;
  putFiles(draft, { told: [...told, ...fresh.map(keyOf)].slice(-toldKept) });
  for (const file of fresh) if (file.why === "secret") askForSecret(draft, subtask, input, file);
  const others = fresh.filter(({ why }) => why !== "secret");
  const [first] = others;
  if (first === undefined) return;
  const list = others.map(({ path, detail }) => `\n- ${code(path)}: ${detail}`).join("");
  draft.notice(
    `${draft.state.room}:held:${subtask.id}:${keyOf(first)}`,
    `📎 **Not recorded in \`${subtask.id}\`:**${list}`,
    inThread(subtask),
  );
}

/** As few as of an agent's tools: a folder of keys would drown what matters. */
const openOfAgent = 10;

function openFor({ state }: Draft, { agent }: Held): number {
  return (state.asks ?? []).filter(({ matter }) => matter.kind === "secret" && matter.agent === agent).length;
}

function keyOf({ path, why, sha256, detail }: HeldFile): string {
  return `${path} ${why} ${sha256 === "" ? detail : sha256}`;
}

function askForSecret(draft: Draft, subtask: Subtask, { agent }: Held, { path, detail, sha256 }: HeldFile): void {
  const name = memberById(draft.world, agent)?.name ?? agent;
  ask(draft, {
    matter: { kind: "secret", subtask: subtask.id, agent, path, sha256 },
    text: `🔑 **${code(path)} of ${name} looks like it holds ${detail}.** It is not recorded, and nobody else sees it. Record it all the same?`,
    timeout: "deny",
    ...inThread(subtask),
  });
}

/** A person said whether it may be recorded (or nobody did: then it may not). */
export function secretJudged(draft: Draft, matter: Extract<AskMatter, { kind: "secret" }>, answer: Answer): void {
  const { subtask: id, agent, path, sha256 } = matter;
  const member = memberById(draft.world, agent);
  const subtask = draft.state.task?.subtasks[id];
  const letIn = answer.by !== undefined && answer.option === "approve";
  if (letIn) {
    putFiles(draft, { allowed: [...filesOf(draft.state).allowed, sha256].slice(-toldKept) });
    filesJob(draft, `${draft.state.room}:letin:${sha256}`, { kind: "commit", subtask: id, agent });
  }
  if (member === undefined || subtask?.lease?.agent !== agent) return;
  const why = answer.why === "" ? "" : ` ${answer.why}`;
  const text = letIn
    ? `${answer.by} lets ${code(path)} in: it is recorded. Go on, and hand in with submit_work.`
    : `${code(path)} looks like a secret and is not recorded.${why} Take the secret out (read it from the environment, say), or delete the file; then go on, and hand in with submit_work.`;
  tell(draft, member, subtask.thread, `secret:${sha256}:${draft.now}`, text, {
    subtask: id,
    part: "work",
    epoch: subtask.lease.epoch,
  });
}
