/** Judges HTML by the Matrix spec, with a parser and a list of its own, so that the sanitiser is not asked about itself. */
import { createRequire } from "node:module";

interface ParserHandler {
  onopentag(name: string, attributes: Readonly<Record<string, string>>): void;
  onclosetag(name: string): void;
  ontext(text: string): void;
}
interface Htmlparser2 {
  Parser: new (handler: ParserHandler) => { end(html: string): void };
}

const require = createRequire(import.meta.url);
// The parser comes with sanitize-html, so it is found from there.
const { Parser } = createRequire(require.resolve("sanitize-html"))("htmlparser2") as Htmlparser2;

const permitted: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  ...Object.fromEntries(
    "del,h1,h2,h3,h4,h5,h6,blockquote,p,ul,sup,sub,li,b,i,u,strong,em,s,hr,br,table,thead,tbody,tr,th,td,caption,pre,details,summary"
      .split(",")
      .map((tag) => [tag, {}]),
  ),
  a: { href: /^(?:https|http|ftp|mailto|magnet):/i, name: /^/, target: /^/ },
  img: { src: /^mxc:\/\/[^/]+\/[\w-]+$/, width: /^\d+$/, height: /^\d+$/, alt: /^/, title: /^/ },
  ol: { start: /^-?\d+$/ },
  code: { class: /^language-\S*(?:\s+language-\S*)*$/ },
  div: { "data-mx-maths": /^/ },
  span: {
    "data-mx-color": /^#[0-9a-f]{6}$/i,
    "data-mx-bg-color": /^#[0-9a-f]{6}$/i,
    "data-mx-spoiler": /^/,
    "data-mx-maths": /^/,
  },
};

export interface Link {
  readonly href: string;
  text: string;
  /** Tags inside the link, which a name could only have brought in by breaking out. */
  readonly inside: string[];
}

export interface Judged {
  /** What the spec does not permit, in words. */
  readonly faults: readonly string[];
  readonly depth: number;
  readonly links: readonly Link[];
  readonly text: string;
}

export function judge(html: string): Judged {
  const faults: string[] = [];
  const links: Link[] = [];
  const open: string[] = [];
  let depth = 0;
  let text = "";
  let link: Link | undefined;
  new Parser({
    onopentag(name, attributes) {
      open.push(name);
      depth = Math.max(depth, open.length);
      const rules = permitted[name];
      if (rules === undefined) faults.push(`<${name}>`);
      for (const [attribute, value] of Object.entries(attributes)) {
        if (!rules?.[attribute]?.test(value)) faults.push(`<${name} ${attribute}=${value}>`);
      }
      if (name === "a") links.push((link = { href: attributes["href"] ?? "", text: "", inside: [] }));
      else link?.inside.push(name);
    },
    onclosetag(name) {
      open.pop();
      if (name === "a") link = undefined;
    },
    ontext(piece) {
      text += piece;
      if (link !== undefined) link.text += piece;
    },
  }).end(html);
  return { faults, depth, links, text };
}
