/**
 * Who is mentioned in an agent's words. Only a full MXID of a known member counts (`@ada:example.org`, ports and IPv6
 * literals included), never a name: nobody is notified by accident, and a display name cannot pass for somebody else.
 */
import type { MarkdownIt, StateInline } from "markdown-it";
import { asUserId, type UserId } from "../../core/ids.ts";
import { singleLine } from "../../core/text.ts";
import { escapeHtml } from "./escape.ts";

/** Display names by user id, of everybody who may become a pill. An empty name shows the id. */
export type Members = ReadonlyMap<UserId, string>;

/** The `m.mentions` property. `room` is never set: no agent notifies a whole room. */
export interface Mentions {
  readonly user_ids?: readonly UserId[];
}

/** More than this many people in one message is a list or an attack, not a call. */
export const maxMentions = 50;

/** Spec, "Identifier grammar": historical local parts have any printable ASCII but the colon. Lengths are bounded. */
const mxid = String.raw`@[!-9;-~]{1,254}:(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::\d{1,5})?`;

const mxidHere = new RegExp(mxid, "y");

/** After a letter, a digit or a slash, `@` is in the middle of a mail address or of a link. */
const joinsBefore = /[\p{L}\p{N}/]/u;

/**
 * The user id that starts at `at` in `text`, which is the first of: all that looks like an MXID there, or that without
 * the full stop or dash that ends a sentence. `accepts` says which ids exist. A longer id never counts as its own
 * beginning: `@ada:localhost:8448` is not `@ada:localhost`.
 */
export function userIdAt(text: string, at: number, accepts: (id: UserId) => boolean): UserId | undefined {
  if (at > 0 && joinsBefore.test(text.charAt(at - 1))) return undefined;
  mxidHere.lastIndex = at;
  const found = mxidHere.exec(text)?.[0];
  if (found === undefined) return undefined;
  for (const candidate of [found, found.replace(/[.-]+$/, "")]) {
    const id = asUserId(candidate);
    if (id !== undefined && !id.endsWith(":") && accepts(id)) return id;
  }
  return undefined;
}

/** A link that clients show as a pill. `name` is a stranger's text: it is made one visible line and escaped. */
export function pill(id: UserId, name: string): string {
  const address = `https://matrix.to/#/${encodeURIComponent(id.toWellFormed())}`;
  return `<a href="${escapeHtml(address)}">${escapeHtml(singleLine(name) || singleLine(id, 255))}</a>`;
}

/** What the markdown parser carries along for {@link mentionRule}. */
export interface MentionEnv {
  readonly members: Members;
  /** Filled while parsing: who was named, in order of appearance. */
  readonly named: Set<UserId>;
}

const envKey = Symbol("mentions");

/** The parser's environment for one text. */
export function mentionEnv(env: MentionEnv): Record<symbol, MentionEnv> {
  return { [envKey]: env };
}

function mentionEnvOf(env: { readonly [key: symbol]: unknown }): MentionEnv | undefined {
  return env[envKey] as MentionEnv | undefined;
}

/** Turns MXIDs of members into pills, except in code and in the text of links. */
export function mentionRule(md: MarkdownIt): void {
  md.inline.ruler.before("escape", "mention", (state: StateInline, silent: boolean): boolean => {
    if (state.src.charCodeAt(state.pos) !== 0x40 || state.linkLevel > 0) return false;
    const env = mentionEnvOf(state.env);
    if (env === undefined) return false;
    const id = userIdAt(state.src, state.pos, (id) => env.members.has(id));
    if (id === undefined || state.pos + id.length > state.posMax) return false;
    if (!silent) {
      state.push("mention", "", 0).content = id;
      env.named.add(id);
    }
    state.pos += id.length;
    return true;
  });
  md.renderer.rules["mention"] = (tokens, index, _options, env) => {
    const text = tokens[index]?.content ?? "";
    const id = asUserId(text);
    return id === undefined ? escapeHtml(text) : pill(id, mentionEnvOf(env ?? {})?.members.get(id) ?? "");
  };
}

/** `m.mentions` for these people, without doubles. An empty object when nobody is to be notified. */
export function mentionsOf(ids: Iterable<UserId>): Mentions {
  const unique = [...new Set(ids)].slice(0, maxMentions);
  return unique.length === 0 ? {} : { user_ids: unique };
}
