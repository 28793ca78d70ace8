/** Pictures of agents: media addresses as they are, files uploaded once. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { asMxcUri, type MxcUri } from "../core/ids.ts";
import type { Facts } from "./facts.ts";
import type { Homeserver } from "./homeserver.ts";

const mimeTypes: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".svg": "image/svg+xml",
};

/**
 * The address of an `mxc://…` or of a file's picture. The same bytes are uploaded once, whatever file or agent they
 * belong to: `meta` remembers them as `avatar:<sha256>`. Rejects when the file cannot be read.
 */
export async function avatarAddress(
  avatar: string,
  parts: { readonly homeserver: Pick<Homeserver, "upload">; readonly meta: Facts },
): Promise<MxcUri> {
  const address = asMxcUri(avatar);
  if (address !== undefined) return address;
  const bytes = await readFile(avatar);
  const name = `avatar:${createHash("sha256").update(bytes).digest("hex")}`;
  const known = asMxcUri(await parts.meta.get(name));
  if (known !== undefined) return known;
  const mimeType = mimeTypes[path.extname(avatar).toLowerCase()] ?? "application/octet-stream";
  const uploaded = await parts.homeserver.upload(bytes, mimeType, path.basename(avatar));
  await parts.meta.set(name, uploaded);
  return uploaded;
}
