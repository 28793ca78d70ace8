/**
 * The HTML that may stand in `formatted_body`: the tags, attributes and schemes of the Matrix spec's
 * `org.matrix.custom.html` (client-server API, "m.room.message msgtypes"), and nothing else. Every piece of HTML that
 * Crewroom sends goes through {@link sanitiseHtml}, also what markdown-it has already made safe.
 */
import sanitize from "sanitize-html";
import { asMxcUri } from "../../core/ids.ts";

const allowedTags = [
  ..."del h1 h2 h3 h4 h5 h6 blockquote p a ul ol sup sub li b i u strong em s code hr br div".split(" "),
  ..."table thead tbody tr th td caption pre span img details summary".split(" "),
];

const allowedAttributes = {
  span: ["data-mx-bg-color", "data-mx-color", "data-mx-spoiler", "data-mx-maths"],
  a: ["name", "target", "href"],
  img: ["width", "height", "alt", "title", "src"],
  ol: ["start"],
  div: ["data-mx-maths"],
};

/** Anchored and without leading space: browsers ignore tabs and controls there, this does not. */
const linkScheme = /^(?:https?|ftp|mailto|magnet):/i;
const hexColor = /^#[0-9a-f]{6}$/i;
const wholeNumber = /^-?\d{1,9}$/;
const size = /^\d{1,5}$/;

/** A tag that is not allowed: the sanitiser drops it and keeps what is inside. */
const dropped = "x-dropped";

function keepIf(attributes: sanitize.Attributes, name: string, allowed: RegExp): void {
  const value = attributes[name];
  if (value !== undefined && !allowed.test(value)) delete attributes[name];
}

const options: sanitize.IOptions = {
  allowedTags,
  allowedAttributes,
  allowedClasses: { code: ["language-*"] },
  // The transforms below check the whole address; this is the second lock.
  allowedSchemes: ["https", "http", "ftp", "mailto", "magnet"],
  allowedSchemesByTag: { img: ["mxc"] },
  allowProtocolRelative: false,
  disallowedTagsMode: "discard",
  // Spec: "Tags must not be nested more than 100 levels deep."
  nestingLimit: 100,
  transformTags: {
    a: (tagName, attribs) =>
      attribs["href"] === undefined || linkScheme.test(attribs["href"])
        ? { tagName, attribs }
        : { tagName: dropped, attribs: {} },
    // Only media of the homeserver: an address in the net would tell its owner who reads, and when.
    img: (tagName, attribs) => {
      if (asMxcUri(attribs["src"]) === undefined) return { tagName: dropped, attribs: {} };
      const kept = { ...attribs };
      keepIf(kept, "width", size);
      keepIf(kept, "height", size);
      return { tagName, attribs: kept };
    },
    span: (tagName, attribs) => {
      const kept = { ...attribs };
      keepIf(kept, "data-mx-color", hexColor);
      keepIf(kept, "data-mx-bg-color", hexColor);
      return { tagName, attribs: kept };
    },
    ol: (tagName, attribs) => {
      const kept = { ...attribs };
      keepIf(kept, "start", wholeNumber);
      return { tagName, attribs: kept };
    },
  },
};

/** HTML with only what the Matrix spec permits. Text inside dropped tags stays, except of `script`, `style` and the like. */
export function sanitiseHtml(html: string): string {
  return sanitize(html, options);
}
