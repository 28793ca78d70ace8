/** What an agent reads in a turn: the messages that waited, in order, with their files. */
import type { AttachmentRef, Heard, RunTurn } from "../core/effect.ts";
import { CrewError, reasonOf } from "../core/errors.ts";
import type { ContentBlock } from "../runtimes/port.ts";
import { base64Of, imageType, textOf } from "./file-kind.ts";
import type { TurnPorts } from "./ports.ts";
import { until } from "../until.ts";

const mebibyte = 1024 * 1024;
/** Providers refuse larger images, the smallest limit among the common ones being 5 MB. */
const imageBytes = 5 * mebibyte;
/** All images of one turn; they are sent again with every request of it. */
const imagesBytes = 20 * mebibyte;
/** All text files of one turn; about 130,000 tokens, as much as most models take. */
const textsBytes = mebibyte / 2;

export interface PromptOptions {
  readonly files: Pick<TurnPorts, "fetchAttachment">;
  /** Largest file that is fetched. */
  readonly attachmentBytes: number;
  readonly signal: AbortSignal;
}

/**
 * The blocks of a turn's prompt. A file that cannot be handed over becomes a `resource_link` that says why, so that the
 * agent can tell the person. Rejects only with the signal's reason.
 */
export async function promptContent(effect: RunTurn, options: PromptOptions): Promise<ContentBlock[]> {
  const left = { images: imagesBytes, texts: textsBytes };
  const blocks: ContentBlock[] = [];
  // One after the other: a hundred waiting files at once would fill the memory.
  for (const heard of effect.messages) {
    const text = words(heard, effect.direct);
    if (text !== "") blocks.push({ type: "text", text });
    if (heard.attachment !== undefined) blocks.push(await file(heard.attachment, options, left));
  }
  return blocks;
}

function words({ from, text, attachment }: Heard, direct: boolean): string {
  if (direct) return text;
  if (text === "" && attachment !== undefined) return `${from} sends a file:`;
  // A line that begins like another speaker's must not pass for one.
  return `${from}: ${text.replace(/\n(?=\s*@\S+:\S+:\s)/g, "\n> ")}`;
}

async function file(
  ref: AttachmentRef,
  options: PromptOptions,
  left: { images: number; texts: number },
): Promise<ContentBlock> {
  const { name } = ref;
  const link = (why: string, size = ref.size ?? 0, mimeType = ref.mimeType): ContentBlock => ({
    type: "resource_link",
    name,
    mimeType,
    size,
    why,
  });
  if (ref.encrypted) return link("encrypted, cannot be read here");
  if ((ref.size ?? 0) > options.attachmentBytes) return link(tooLarge(options.attachmentBytes));
  let bytes: Uint8Array;
  let mimeType: string;
  try {
    ({ bytes, mimeType } = await until(options.files.fetchAttachment(ref, options.signal), options.signal));
  } catch (thrown) {
    options.signal.throwIfAborted();
    if (thrown instanceof CrewError && thrown.code === "MEDIA_TOO_LARGE")
      return link(tooLarge(options.attachmentBytes));
    return link(`could not be fetched (${reasonOf(thrown)})`);
  }
  const size = bytes.byteLength;
  if (size > options.attachmentBytes) return link(tooLarge(options.attachmentBytes), size);

  const image = imageType(bytes);
  if (image !== undefined) {
    if (size > imageBytes) return link(`images may have ${imageBytes} bytes`, size, image);
    if (size > left.images) return link("too many images at once", size, image);
    left.images -= size;
    return { type: "image", name, mimeType: image, data: base64Of(bytes) };
  }
  // The homeserver repeats what the uploader claimed, often only that it is bytes.
  const kind = mimeType === "application/octet-stream" ? ref.mimeType : mimeType;
  const text = textOf(bytes, kind, name);
  if (text === undefined) return link("of a kind that cannot be read here", size, kind);
  if (size > left.texts) return link("too much text at once", size, kind);
  left.texts -= size;
  return { type: "resource", name, mimeType: kind, text };
}

function tooLarge(limit: number): string {
  return `larger than the limit of ${limit} bytes`;
}
