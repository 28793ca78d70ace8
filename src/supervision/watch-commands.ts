/** Commands that show what was let in and what was done, and take leave back. */
import { auditKinds } from "../core/audit.ts";
import type { Draft } from "../core/draft.ts";
import type { EffectId } from "../core/ids.ts";
import { inThread } from "../core/placement.ts";
import { dropGrant, type Grant, grantsNow } from "../core/policy.ts";
import { may } from "../core/steering.ts";
import { code } from "../core/verbatim.ts";
import { nameIn } from "../core/world.ts";
import { type Command, findAgent, quoted } from "./command.ts";

export const grantCommands: readonly Command[] = [
  {
    name: "grants",
    usage: "",
    help: "Lists what people have let agents do in this room.",
    level: "observe",
    steers: "no",
    run: (draft) => {
      const grants = grantsNow(draft);
      return grants.length === 0
        ? "Nothing was granted here."
        : grants.map((grant) => grantLine(draft, grant)).join("\n");
    },
  },
  {
    name: "revoke",
    usage: "<grant>",
    help: "Takes a grant back: from then on the agent asks again.",
    level: "task",
    steers: "always",
    run: (draft, _message, words) => {
      const id = words.trim().replaceAll("`", "").toLowerCase();
      const grant = dropGrant(draft, id);
      return grant === undefined
        ? `There is no grant ${quoted(id)}. \`!crew grants\` lists them.`
        : `Taken back: ${grantLine(draft, grant)}`;
    },
  },
];

const auditLimit = 20;

/** `!crew audit [n] [agent] [kind]`, in any order. */
export const auditCommand: Command = {
  name: "audit",
  usage: "[n] [agent] [kind]",
  help: `Shows the newest entries of the audit log of this room (in HQ: of all rooms), ${auditLimit} at most. Kinds: ${auditKinds.join(", ")}.`,
  level: "observe",
  steers: "no",
  run: (draft, message, words) => {
    const wanted = words.split(/\s+/).filter((word) => word !== "");
    const count = wanted.find((word) => /^\d{1,6}$/.test(word));
    const kind = auditKinds.find((one) => wanted.includes(one));
    const named = wanted.find((word) => word !== count && word !== kind);
    const member = named === undefined ? undefined : findAgent(draft.world, message, named);
    if (named !== undefined && member === undefined)
      return `I know no agent and no kind ${quoted(named)}. Kinds: ${auditKinds.join(", ")}.`;
    // In HQ, and only for those who supervise: what happened elsewhere.
    const everywhere = may(draft, message.sender, "supervise");
    const { task } = draft.state;
    draft.emit({
      kind: "recall",
      id: `${message.event}:audit` as EffectId,
      limit: Math.min(auditLimit, Math.max(1, Number(count ?? auditLimit))),
      ...(task === undefined ? {} : { task: { number: task.number, created: task.created } }),
      ...(member === undefined ? {} : { agent: member.id }),
      ...(kind === undefined ? {} : { what: kind }),
      everywhere,
      asked: { event: message.event, by: message.sender },
      ...inThread(message),
    });
    return "";
  },
};

function grantLine({ world }: Draft, { id, agent, tool, about, once, by }: Grant): string {
  return `- \`${id}\` ${nameIn(world)(agent)} may use \`${tool}\` ${once ? "once" : "always"}, by ${by}: ${code(about, 200)}`;
}
