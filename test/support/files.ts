/** Files in tests: what agents do with them by the script, and what the room tells of them. */
import type { RehearsalInput } from "../../src/models/rehearsal/script.ts";
import type { TaskRoom } from "./tasks.ts";

type Rule = RehearsalInput["rules"][number];

/** One tool after the other in one turn, whatever they answer. */
export function uses(
  role: string,
  last: string,
  calls: readonly (readonly [name: string, args: Readonly<Record<string, unknown>>])[],
): readonly Rule[] {
  return calls.map(([name, args], index) => ({
    when: { role, last, step: index + 1 },
    answer: { tools: [{ name, arguments: args }] },
  }));
}

/** `dev.crewroom.commit`, as far as tests look at it. */
export interface CommitContent {
  readonly commit: string;
  readonly parents: readonly string[];
  readonly branch: string;
  readonly by: string;
  readonly why: string;
  readonly subtask?: string;
  readonly subject: string;
  readonly files: number;
  readonly changes: readonly {
    readonly path: string;
    readonly kind: string;
    readonly size?: number;
    readonly sha256?: string;
  }[];
  readonly bundle?: { readonly parts: readonly { readonly mxc: string }[]; readonly sha256: string };
}

export function commitOf(content: unknown): CommitContent | undefined {
  return typeof content === "object" && content !== null && "commit" in content
    ? (content as CommitContent)
    : undefined;
}

/** The commits that the room tells, oldest first. */
export async function commitsIn(task: TaskRoom): Promise<readonly CommitContent[]> {
  const said = await task.person.timeline(task.room);
  return said.flatMap(({ content }) => commitOf(content["dev.crewroom.commit"]) ?? []);
}
