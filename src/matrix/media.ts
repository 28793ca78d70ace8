/** Files in the homeserver's media store. */
import { CrewError } from "../core/errors.ts";
import { asMxcUri, type MxcUri } from "../core/ids.ts";
import { onDisk } from "./on-disk.ts";
import { type Asked, type Call, pathOf, type Transport } from "./transport.ts";

export interface Downloaded {
  readonly bytes: Uint8Array;
  /** As the homeserver says, without parameters. */
  readonly mimeType: string;
}

/** Gives the media's address. */
export async function upload(
  transport: Transport,
  file: { readonly data: Uint8Array | Blob; readonly mimeType: string; readonly name: string },
  call: Call = {},
): Promise<MxcUri | undefined> {
  const { data, mimeType, name } = file;
  const answer = await transport.request({
    method: "POST",
    path: "/_matrix/media/v3/upload",
    query: { filename: name.toWellFormed() },
    bytes: { data, mimeType },
    what: "an upload",
    ...call,
  });
  return asMxcUri((answer as { readonly content_uri?: unknown } | null)?.content_uri);
}

/**
 * By the authenticated endpoint: current homeservers serve no other. Never holds more than `maxBytes`.
 * @throws CrewError `MEDIA_TOO_LARGE`, as soon as that is known.
 */
export function download(transport: Transport, mxc: MxcUri, maxBytes: number, call: Call = {}): Promise<Downloaded> {
  return transport.exchange(askedFor(mxc, call), async (answer) => {
    const mimeType = answer.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
    const chunks: Uint8Array[] = [];
    await readUpTo(answer, maxBytes, mxc, (chunk) => void chunks.push(chunk));
    return {
      bytes: Buffer.concat(chunks),
      mimeType: mimeType === undefined || mimeType === "" ? "application/octet-stream" : mimeType,
    };
  });
}

/** Like {@link download}, for what need not be in memory as a whole: each chunk is taken before the next one is read. */
export function downloadInto(
  transport: Transport,
  mxc: MxcUri,
  maxBytes: number,
  take: (chunk: Uint8Array) => Promise<void>,
  call: Call = {},
): Promise<void> {
  return transport.exchange(askedFor(mxc, call), (answer) => readUpTo(answer, maxBytes, mxc, take));
}

function askedFor(mxc: MxcUri, call: Call): Asked {
  const [server = "", media = ""] = mxc.slice("mxc://".length).split("/", 2);
  return {
    method: "GET",
    path: pathOf`/_matrix/client/v1/media/download/${server}/${media}`,
    what: "a download",
    // Media of other homeservers is fetched first.
    remote: true,
    ...call,
  };
}

async function readUpTo(
  answer: Response,
  maxBytes: number,
  mxc: MxcUri,
  take: (chunk: Uint8Array) => void | Promise<void>,
): Promise<void> {
  const tooLarge = (size: number): CrewError => new CrewError("MEDIA_TOO_LARGE", { name: mxc, size, limit: maxBytes });
  const announced = Number(answer.headers.get("content-length") ?? 0);
  if (announced > maxBytes) {
    await answer.body?.cancel();
    throw tooLarge(announced);
  }
  let size = 0;
  // Leaving the loop cancels the stream and with it the connection.
  const body: AsyncIterable<Uint8Array> | readonly Uint8Array[] = answer.body ?? [];
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw tooLarge(size);
    await onDisk(() => take(chunk));
  }
}
