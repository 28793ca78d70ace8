/** Reads a zip file, as far as archives of a task's files need it: no encryption, no file above 4 GB. */
import { crc32, inflateRawSync } from "node:zlib";
import { CrewError } from "../core/errors.ts";

const endMark = 0x06054b50;
const entryMark = 0x02014b50;
const endSize = 22;
const entrySize = 46;
const localSize = 30;
const deflated = 8;

/** The contents by path; folders are left out. Throws `INTERNAL` when it is no such file, or a content is damaged. */
export function readZip(zip: Buffer): ReadonlyMap<string, Buffer> {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
  if (end < 0 || zip.length < end + endSize || zip.readUInt32LE(end) !== endMark) throw broken("it has no end");
  const files = new Map<string, Buffer>();
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    if (zip.length < at + entrySize || zip.readUInt32LE(at) !== entryMark) throw broken("its directory is cut");
    const [name, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset));
    const path = zip.toString("utf8", at + entrySize, at + entrySize + (name ?? 0));
    if (!path.endsWith("/")) files.set(path, contentOf(zip, at, path));
    at += entrySize + (name ?? 0) + (extra ?? 0) + (comment ?? 0);
  }
  return files;
}

function contentOf(zip: Buffer, entry: number, path: string): Buffer {
  const [method, sum, packed, local] = [
    zip.readUInt16LE(entry + 10),
    zip.readUInt32LE(entry + 16),
    zip.readUInt32LE(entry + 20),
    zip.readUInt32LE(entry + 42),
  ];
  // Its own header may be longer than what the directory says of it.
  const begin = local + localSize + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
  const bytes = zip.subarray(begin, begin + packed);
  const content = method === deflated ? inflateRawSync(bytes) : bytes;
  if (crc32(content) !== sum) throw broken(`${path} is damaged`);
  return content;
}

function broken(reason: string): CrewError {
  return new CrewError("INTERNAL", { reason: `the zip file cannot be read: ${reason}` });
}
