/**
 * Bundles and files between the disk and the media store. A bundle goes up in parts, because a homeserver takes only so
 * much at once; each part has its own hash, so that what is damaged is known by name. Neither way holds a part in memory.
 */
import { createHash, type Hash } from "node:crypto";
import { openAsBlob } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Bundle, BundlePart, MediaFile } from "../core/files.ts";
import { CrewError } from "../core/errors.ts";
import type { MxcUri } from "../core/ids.ts";
import type { BundleFile } from "../files/port.ts";
import type { Homeserver } from "./homeserver.ts";
import { HomeserverError, laterPerhaps } from "./homeserver-error.ts";
import { asObject } from "./json.ts";
import { onDisk } from "./on-disk.ts";
import { retrying, type RetryOptions } from "./retry.ts";

export interface BundleStoreOptions {
  readonly homeserver: Pick<Homeserver, "request" | "upload" | "downloadInto">;
  /** Without `attempts` it tries as long as it takes. */
  readonly retry: Omit<RetryOptions, "signal">;
}

export const bundleMimeType = "application/x-git-bundle";

const mebibyte = 1024 * 1024;
/** A part that is lost is sent again as a whole, and proxies end what takes too long. */
const largestPart = 16 * mebibyte;
const smallestPart = 64 * 1024;
/** More are not told in one event. */
const mostParts = 256;

/** A request with this many bytes may take a minute, and longer by what a slow line needs: 64 KiB in a second. */
function timeoutFor(bytes: number): number {
  return 60_000 + Math.ceil(bytes / 65.536);
}

export class BundleStore {
  readonly #options: BundleStoreOptions;
  /** `undefined` until the homeserver has told it. */
  #limit: { readonly bytes: number | undefined } | undefined;
  #partBytes = largestPart;

  constructor(options: BundleStoreOptions) {
    this.#options = options;
  }

  /** The most bytes that the homeserver takes at once; `undefined` when it does not tell. Asked once. */
  async uploadLimit(signal?: AbortSignal): Promise<number | undefined> {
    this.#limit ??= { bytes: await this.#askLimit(signal) };
    return this.#limit.bytes;
  }

  /**
   * Uploads a bundle. Repeating it uploads again: what was uploaded before is never referred to.
   * @throws CrewError `MEDIA_TOO_LARGE` when the homeserver takes not even small parts, or there would be too many;
   * `FILES_DAMAGED` when the file is not what `file` says.
   */
  async put(file: BundleFile, name: string, signal: AbortSignal): Promise<Bundle> {
    const limit = await this.uploadLimit(signal);
    this.#partBytes = Math.max(1, Math.min(this.#partBytes, limit ?? largestPart));
    const tooLarge = (): CrewError =>
      new CrewError("MEDIA_TOO_LARGE", { name, size: file.size, limit: mostParts * this.#partBytes });
    const parts: BundlePart[] = [];
    let whole = createHash("sha256");
    for (let from = 0; from < file.size;) {
      const size = Math.min(this.#partBytes, file.size - from);
      if (parts.length + Math.ceil((file.size - from) / this.#partBytes) > mostParts) throw tooLarge();
      const withPart = whole.copy();
      const part = createHash("sha256");
      await hashFile(file.path, from, size, [part, withPart]);
      const open = async (): Promise<Blob> => (await blobOf(file)).slice(from, from + size);
      const mxc = await this.#upload(open, size, bundleMimeType, name, signal);
      if (mxc === undefined) {
        this.#partBytes = Math.floor(size / 2);
        if (this.#partBytes < smallestPart)
          throw new CrewError("MEDIA_TOO_LARGE", { name, size, limit: limit ?? "less" });
        continue;
      }
      parts.push({ mxc, sha256: part.digest("hex"), size });
      whole = withPart;
      from += size;
    }
    const sha256 = whole.digest("hex");
    if (sha256 !== file.sha256) throw damaged(file.path, `its SHA-256 is ${sha256}, not ${file.sha256}`);
    return { parts, sha256, size: file.size, needs: file.needs };
  }

  /**
   * Downloads a bundle into a new file at `into`, or over the one that is there. What is at `into` after a failure is
   * of no use.
   * @throws CrewError `FILES_DAMAGED` when a part or the whole is not what `bundle` says; {@link HomeserverError} with
   * status 404 when the media store does not have it; `FILES_FULL`.
   */
  async get(bundle: Bundle, into: string, signal: AbortSignal): Promise<void> {
    let whole = createHash("sha256");
    await using file = await onDisk(() => open(into, "w", 0o600));
    let from = 0;
    for (const [index, part] of bundle.parts.entries()) {
      const what = `Part ${index + 1} of ${bundle.parts.length} of the bundle (${part.mxc})`;
      whole = await this.#download(part, what, { file, from, whole }, signal);
      from += part.size;
    }
    const sha256 = whole.digest("hex");
    const name = `The bundle of ${bundle.parts.length} part(s) from ${bundle.parts[0]?.mxc ?? "nowhere"}`;
    if (from !== bundle.size) throw damaged(name, `it has ${from} bytes, not ${bundle.size}`);
    if (sha256 !== bundle.sha256) throw damaged(name, `its SHA-256 is ${sha256}, not ${bundle.sha256}`);
  }

  /**
   * Uploads a file as a whole, from the disk.
   * @throws CrewError `MEDIA_TOO_LARGE`, before anything is sent when the homeserver tells its limit.
   */
  async putFile(path: string, name: string, mimeType: string, signal: AbortSignal): Promise<MediaFile> {
    const { size } = await onDisk(() => stat(path));
    const limit = await this.uploadLimit(signal);
    if (limit !== undefined && size > limit) throw new CrewError("MEDIA_TOO_LARGE", { name, size, limit });
    const mxc = await this.#upload(() => blobOf({ path, size }), size, mimeType, name, signal);
    if (mxc === undefined) throw new CrewError("MEDIA_TOO_LARGE", { name, size, limit: limit ?? "less" });
    return { mxc, name, mimeType, size };
  }

  /** `undefined` when it is too large. */
  async #upload(
    content: () => Promise<Blob>,
    size: number,
    mimeType: string,
    name: string,
    signal: AbortSignal,
  ): Promise<MxcUri | undefined> {
    const { homeserver, retry } = this.#options;
    const call = { signal, timeoutMs: timeoutFor(size) };
    const once = async (): Promise<MxcUri | undefined> => {
      const blob = await content();
      try {
        return await homeserver.upload(blob, mimeType, basename(name), call);
      } catch (thrown) {
        if (!(thrown instanceof HomeserverError)) throw thrown;
        if (thrown.status === 413 || thrown.errcode === "M_TOO_LARGE") return undefined;
        // A homeserver without its media repository does not know the path.
        throw thrown.errcode === "M_UNRECOGNIZED" ? laterPerhaps(thrown) : thrown;
      }
    };
    return retrying(once, { ...retry, signal });
  }

  /** Resolves with the hash of all until the end of this part. A try that is repeated begins the part anew. */
  async #download(part: BundlePart, what: string, target: Target, signal: AbortSignal): Promise<Hash> {
    const { homeserver, retry } = this.#options;
    const { file, from, whole } = target;
    const call = { signal, timeoutMs: timeoutFor(part.size) };
    const once = async (): Promise<Hash> => {
      const hash = createHash("sha256");
      const withPart = whole.copy();
      let size = 0;
      const take = async (chunk: Uint8Array): Promise<void> => {
        hash.update(chunk);
        withPart.update(chunk);
        await file.write(chunk, 0, chunk.byteLength, from + size);
        size += chunk.byteLength;
      };
      await homeserver.downloadInto(part.mxc, part.size, take, call);
      if (size !== part.size) throw damaged(what, `it has ${size} bytes, not ${part.size}`);
      const sha256 = hash.digest("hex");
      if (sha256 !== part.sha256) throw damaged(what, `its SHA-256 is ${sha256}, not ${part.sha256}`);
      return withPart;
    };
    try {
      return await retrying(once, { ...retry, signal });
    } catch (thrown) {
      if (!(thrown instanceof CrewError) || thrown.code !== "MEDIA_TOO_LARGE") throw thrown;
      throw damaged(what, `it has more than ${part.size} bytes`);
    }
  }

  async #askLimit(signal: AbortSignal | undefined): Promise<number | undefined> {
    const { homeserver, retry } = this.#options;
    const asked = { method: "GET", path: "/_matrix/client/v1/media/config", what: "to tell its media limits" } as const;
    try {
      const answer = await retrying(() => homeserver.request({ ...asked, signal }), { ...retry, signal });
      const size = asObject(answer)?.["m.upload.size"];
      return typeof size === "number" && size > 0 ? size : undefined;
    } catch (thrown) {
      // Older homeservers do not know the path.
      if (thrown instanceof HomeserverError && !thrown.retryable) return undefined;
      throw thrown;
    }
  }
}

/** Where a part goes, and the hash of all before it. */
interface Target {
  readonly file: FileHandle;
  readonly from: number;
  readonly whole: Hash;
}

function damaged(what: string, reason: string): CrewError {
  return new CrewError("FILES_DAMAGED", { what, reason });
}

/** Opened anew for every try: a file that has gone in between is no outage of the homeserver. */
async function blobOf({ path, size }: { readonly path: string; readonly size: number }): Promise<Blob> {
  const blob = await onDisk(() => openAsBlob(path));
  if (blob.size !== size) throw damaged(path, `it has ${blob.size} bytes, not ${size}`);
  return blob;
}

/** Through one small buffer: a stream would leave megabytes of garbage behind. */
async function hashFile(path: string, from: number, size: number, hashes: readonly Hash[]): Promise<void> {
  await onDisk(async () => {
    await using file = await open(path, "r");
    const buffer = Buffer.allocUnsafe(Math.min(size, 256 * 1024));
    for (let done = 0; done < size;) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - done), from + done);
      if (bytesRead === 0) throw damaged(path, `it ends after ${from + done} bytes`);
      for (const hash of hashes) hash.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
  });
}
