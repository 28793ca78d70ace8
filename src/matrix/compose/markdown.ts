/** From an agent's markdown to what an event carries: the source as `body`, and sanitised HTML beside it. */
import MarkdownIt, { type Token } from "markdown-it";
import { asMxcUri, type UserId } from "../../core/ids.ts";
import { mentionEnv, mentionRule, type Members } from "./mentions.ts";
import { sanitiseHtml } from "./sanitise.ts";
import { cleanText } from "../../core/text.ts";
import { escapeHtml } from "./escape.ts";

export interface Rendered {
  /** The markdown itself, which reads well in a client without HTML. */
  readonly body: string;
  /** Absent when the text has no markup, so that a simple message stays a simple event. */
  readonly formattedBody?: string;
  /** Members whose MXID stands in the text outside code and links, in order of appearance. */
  readonly named: readonly UserId[];
}

/** Longer texts are not formatted: with its HTML such an event would never fit into 65,536 bytes. */
const maxFormattedChars = 60_000;

const markdown = createMarkdown();

function createMarkdown() {
  // html: false shows tags as they were written. An agent that explains `<div>` without backticks loses no word.
  const md = MarkdownIt({ html: false, linkify: true, breaks: true });
  // Without a scheme nothing is a link: README.md, main.rs and git@example.org:a/b would all become one.
  md.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
  md.use(mentionRule);
  md.renderer.rules["image"] = (tokens, index) => imageAsLink(tokens, index);
  return md;
}

/** An image from the net never loads by itself (it would tell who reads): it becomes a link. */
function imageAsLink(tokens: readonly Token[], index: number): string {
  const token = tokens[index];
  const source = String(token?.attrGet("src") ?? "");
  const label = escapeHtml(token?.content || source);
  if (asMxcUri(source) !== undefined) return `<img src="${escapeHtml(source)}" alt="${label}">`;
  return insideLink(tokens, index) ? label : `<a href="${escapeHtml(source)}">${label}</a>`;
}

function insideLink(tokens: readonly Token[], index: number): boolean {
  const before = tokens.slice(0, index).findLast((token) => token.type.startsWith("link_"));
  return before?.type === "link_open";
}

/** Renders markdown. Total: any string gives a result. `members` may become pills. */
export function renderMarkdown(text: string, members: Members = new Map()): Rendered {
  const body = cleanText(text);
  if (body.length > maxFormattedChars) return { body, named: [] };
  const named = new Set<UserId>();
  const env = mentionEnv({ members, named });
  const tokens = markdown.parse(body, env);
  if (isPlain(tokens, body)) return { body, named: [] };
  // A lone paragraph needs no <p>, and clients show it with less space around.
  const shown = tokens.length === 3 && tokens[0]?.type === "paragraph_open" ? tokens.slice(1, 2) : tokens;
  const formattedBody = sanitiseHtml(markdown.renderer.render(shown, markdown.options, env)).trim();
  return formattedBody === "" ? { body, named: [...named] } : { body, formattedBody, named: [...named] };
}

/** Whether the tokens say nothing that the source does not: paragraphs of text, and no escape or entity in it. */
function isPlain(tokens: readonly Token[], source: string): boolean {
  let shown = "";
  for (const token of tokens) {
    if (token.type === "paragraph_open" || token.type === "paragraph_close") continue;
    if (token.type !== "inline") return false;
    for (const child of token.children ?? []) {
      if (child.type !== "text" && child.type !== "softbreak") return false;
      shown += child.content;
    }
  }
  return withoutSpace(shown) === withoutSpace(source);
}

function withoutSpace(text: string): string {
  return text.replaceAll(/\s+/g, "");
}
