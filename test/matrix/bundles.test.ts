/** Bundles and files on their way into the media store of a real Synapse, which takes 1 MiB at once, and out of it. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Bundle } from "../../src/core/files.ts";
import type { CommitHash } from "../../src/core/ids.ts";
import type { BundleFile } from "../../src/files/port.ts";
import { BundleStore } from "../../src/matrix/bundles.ts";
import { type RealHomeserver, realHomeserver } from "./real-homeserver.ts";

const never = new AbortController().signal;
const limit = 1024 * 1024;

let real: RealHomeserver;
let folder: string;
beforeAll(async () => {
  real = await realHomeserver({ max_upload_size: "1M" });
  folder = await mkdtemp(path.join(tmpdir(), "crewroom-bundles-"));
});
afterAll(async () => {
  await real[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function store(way: typeof fetch = fetch): BundleStore {
  return new BundleStore({ homeserver: real.over(way), retry: { maxWaitMs: 5 } });
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function fileOf(size: number): Promise<BundleFile & { readonly bytes: Buffer }> {
  const bytes = randomBytes(size);
  const file = path.join(folder, randomBytes(4).toString("hex"));
  await writeFile(file, bytes);
  return { path: file, size, sha256: sha256(bytes), needs: ["a".repeat(40) as CommitHash], bytes };
}

const isUpload = (init: RequestInit | undefined): boolean => init?.method === "POST";

/** A way on which the first uploads are answered by `answers`, and all requests are counted. */
function faulty(answers: readonly (() => Response)[]): { readonly way: typeof fetch; readonly uploads: () => number } {
  let uploads = 0;
  return {
    uploads: () => uploads,
    way: async (url, init) => {
      if (!isUpload(init)) return fetch(url, init);
      const answer = answers[uploads++];
      return answer === undefined ? fetch(url, init) : answer();
    },
  };
}

const json = (status: number, body: object) => (): Response => Response.json(body, { status });

test("A bundle goes up in parts that the homeserver takes, and comes back as it was", async () => {
  const file = await fileOf(2.5 * limit);
  const bundles = store();
  const bundle = await bundles.put(file, "one.bundle", never);
  expect(bundle).toMatchObject({ sha256: file.sha256, size: file.size, needs: file.needs });
  expect(bundle.parts.map(({ size }) => size)).toEqual([limit, limit, limit / 2]);
  expect(bundle.parts.map((part) => part.sha256)).toEqual(
    [0, 1, 2].map((part) => sha256(file.bytes.subarray(part * limit, (part + 1) * limit))),
  );
  const into = path.join(folder, "back.bundle");
  await writeFile(into, randomBytes(3 * limit));
  await bundles.get(bundle, into, never);
  expect((await readFile(into)).equals(file.bytes)).toBe(true);
});

test("The homeserver is asked for its limit once", async () => {
  let asked = 0;
  const bundles = store((url, init) => {
    asked++;
    return fetch(url, init);
  });
  expect([await bundles.uploadLimit(), await bundles.uploadLimit()]).toEqual([limit, limit]);
  expect(asked).toBe(1);
});

test("Where a proxy takes less than the homeserver says, parts become smaller until they pass, and stay so", async () => {
  const file = await fileOf(limit);
  const { way, uploads } = faulty([
    () => new Response("<h1>413</h1>", { status: 413 }),
    json(413, { errcode: "M_TOO_LARGE", error: "" }),
  ]);
  const bundles = store(way);
  const { parts } = await bundles.put(file, "one.bundle", never);
  expect(parts.map(({ size }) => size)).toEqual([limit / 4, limit / 4, limit / 4, limit / 4]);
  const before = uploads();
  await bundles.put(await fileOf(limit / 2), "two.bundle", never);
  expect(uploads() - before).toBe(2);
});

test("A media store that takes not even small parts is told as such", async () => {
  const refuse = json(413, { errcode: "M_TOO_LARGE", error: "" });
  const { way, uploads } = faulty(Array.from({ length: 20 }, () => refuse));
  await expect(store(way).put(await fileOf(limit), "one.bundle", never)).rejects.toMatchObject({
    code: "MEDIA_TOO_LARGE",
  });
  expect(uploads()).toBe(5);
});

test("While the media repository is down it is tried again, and then goes on where it was", async () => {
  const file = await fileOf(1.5 * limit);
  const down = [
    () => new Response("Bad Gateway", { status: 502 }),
    json(404, { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" }),
    (): never => {
      throw new TypeError("fetch failed");
    },
    json(503, { errcode: "M_UNKNOWN", error: "" }),
  ];
  const { way, uploads } = faulty(down);
  const bundle = await store(way).put(file, "one.bundle", never);
  expect({ sizes: bundle.parts.map(({ size }) => size), uploads: uploads() }).toEqual({
    sizes: [limit, limit / 2],
    uploads: down.length + 2,
  });
});

test("A signal ends the tries", async () => {
  const stop = new AbortController();
  const { way } = faulty([
    () => {
      stop.abort(new Error("stopped"));
      return new Response("", { status: 502 });
    },
  ]);
  await expect(store(way).put(await fileOf(10), "one.bundle", stop.signal)).rejects.toThrow("stopped");
});

test("A file on disk that is not what was said of it is damaged, and one that has gone is no outage", async () => {
  const file = await fileOf(100);
  const put = (changes: Partial<BundleFile>): Promise<Bundle> => store().put({ ...file, ...changes }, "x", never);
  await expect(put({ sha256: "0".repeat(64) })).rejects.toMatchObject({ code: "FILES_DAMAGED" });
  await expect(put({ size: 99 })).rejects.toMatchObject({ code: "FILES_DAMAGED" });
  await expect(put({ path: `${file.path}.gone` })).rejects.toMatchObject({ code: "INTERNAL" });
});

test("What the media store gives is checked, part by part and as a whole", async () => {
  const bundles = store();
  const bundle = await bundles.put(await fileOf(1.5 * limit), "one.bundle", never);
  const other = await bundles.put(await fileOf(1.5 * limit), "two.bundle", never);
  const [first, second] = bundle.parts;
  const [foreign] = other.parts;
  if (first === undefined || second === undefined || foreign === undefined) throw new Error("no parts");
  const get = (changed: Partial<Bundle>): Promise<void> =>
    bundles.get({ ...bundle, ...changed }, path.join(folder, "wrong.bundle"), never);
  const damaged = (reason: string): object => {
    const message: unknown = expect.stringContaining(reason);
    return { code: "FILES_DAMAGED", message };
  };
  await expect(get({ parts: [{ ...first, mxc: foreign.mxc }, second] })).rejects.toMatchObject(damaged("Part 1 of 2"));
  await expect(get({ parts: [{ ...first, size: 10 }, second] })).rejects.toMatchObject(damaged("more than 10 bytes"));
  await expect(get({ parts: [{ ...first, size: 2 * limit }, second] })).rejects.toMatchObject(damaged("not 2097152"));
  await expect(get({ parts: [second, first] })).rejects.toMatchObject(damaged("SHA-256"));
  await expect(get({ parts: [first] })).rejects.toMatchObject(damaged(`has ${limit} bytes`));
  const gone = { ...first, mxc: `${first.mxc}gone` as typeof first.mxc };
  await expect(get({ parts: [gone, second] })).rejects.toMatchObject({ status: 404 });
});

test("A download that breaks off is begun anew", async () => {
  const file = await fileOf(1.5 * limit);
  const bundle = await store().put(file, "one.bundle", never);
  let broken = 0;
  const bundles = store(async (url, init) => {
    const answer = await fetch(url, init);
    if (broken++ > 0) return answer;
    const half = file.bytes.subarray(0, 1000);
    const body = new ReadableStream({
      start: (body) => body.enqueue(half),
      pull: (body) => body.error(new Error("reset")),
    });
    await answer.body?.cancel();
    return new Response(body);
  });
  const into = path.join(folder, "again.bundle");
  await bundles.get(bundle, into, never);
  expect((await readFile(into)).equals(file.bytes)).toBe(true);
});

test("A file is uploaded as a whole, and one over the limit is refused before it is sent", async () => {
  const file = await fileOf(limit);
  const { way, uploads } = faulty([]);
  const bundles = store(way);
  const media = await bundles.putFile(file.path, "main.tar.gz", "application/gzip", never);
  expect(media).toMatchObject({ name: "main.tar.gz", mimeType: "application/gzip", size: limit });
  const { bytes, mimeType } = await real.homeserver.download(media.mxc, limit);
  expect(mimeType).toBe("application/gzip");
  expect(Buffer.from(bytes).equals(file.bytes)).toBe(true);
  const large = await fileOf(limit + 1);
  await expect(bundles.putFile(large.path, "large", "text/plain", never)).rejects.toMatchObject({
    code: "MEDIA_TOO_LARGE",
    details: { size: limit + 1, limit },
  });
  expect(uploads()).toBe(1);
});
