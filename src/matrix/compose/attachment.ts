/** The file that an `m.image`, `m.file`, `m.audio` or `m.video` carries. */
import { asMxcUri, type MxcUri } from "../../core/ids.ts";
import { singleLine } from "../../core/text.ts";

export interface Attachment {
  readonly mxc: MxcUri;
  /** One visible line without slashes and never `.` or `..`: safe to show and to use as a file's name. */
  readonly name: string;
  /** Lower case without parameters; `application/octet-stream` when missing or malformed. The sender's claim, no more. */
  readonly mimeType: string;
  /** Bytes, as the sender claims. */
  readonly size?: number;
  /** Encrypted before the upload: the bridge cannot read it. */
  readonly encrypted: boolean;
}

const kinds: ReadonlySet<string> = new Set(["m.image", "m.file", "m.audio", "m.video"]);

/** The attachment, `undefined` when this kind of message has none, or `malformed` when it has none but must. */
export function attachmentIn(
  msgtype: string,
  content: Readonly<Record<string, unknown>>,
): Attachment | "malformed" | undefined {
  if (!kinds.has(msgtype)) return undefined;
  const encrypted = asMxcUri(field(content["file"], "url"));
  const mxc = encrypted ?? asMxcUri(content["url"]);
  if (mxc === undefined || mxc.length > maxMxcChars) return "malformed";
  const size = field(content["info"], "size");
  return {
    mxc,
    name: fileName(content["filename"]) ?? fileName(content["body"]) ?? "file",
    mimeType: mimeType(field(content["info"], "mimetype")),
    ...(typeof size === "number" && Number.isSafeInteger(size) && size >= 0 && { size }),
    encrypted: encrypted !== undefined,
  };
}

/** A server name has at most 255 characters, a media id as many. */
const maxMxcChars = 520;

function field(object: unknown, name: string): unknown {
  return typeof object === "object" && object !== null
    ? (object as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function fileName(name: unknown): string | undefined {
  if (typeof name !== "string") return undefined;
  const safe = singleLine(name, 255).replaceAll(/[/\\]/g, "_");
  return /^\.{0,2}$/.test(safe) ? undefined : safe;
}

function mimeType(claim: unknown): string {
  const type =
    typeof claim === "string" ? /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}(?=\s*(?:;|$))/.exec(claim)?.[0] : "";
  return type ? type.toLowerCase() : "application/octet-stream";
}
