import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { createGhosts, type Ghosts, isGhostMissing } from "../../src/matrix/ghosts.ts";
import { createHomeserver } from "../../src/matrix/homeserver.ts";
import { HomeserverError } from "../../src/matrix/homeserver-error.ts";
import { createLogger } from "../../src/observe/log.ts";
import { answering, type Answering, json } from "./answering.ts";
import { user } from "./ids.ts";

const ada = { user: user("@agent_ada:localhost"), name: "Ada" };
const bo = { user: user("@agent_bo:localhost"), name: "Bo" };

/** A homeserver that has everybody's profile in memory. */
function playing(refuse: (path: string) => boolean = () => false): Promise<Answering> {
  const profiles = new Map<string, Record<string, unknown>>();
  return answering((asked, response) => {
    const { method, path, body } = asked;
    if (refuse(path)) return json(response, 403, { errcode: "M_FORBIDDEN", error: "not here" });
    const of = /\/profile\/([^/]+)/.exec(path)?.[1] ?? "";
    if (method === "PUT") profiles.set(of, { ...profiles.get(of), ...(JSON.parse(body) as Record<string, unknown>) });
    if (path.endsWith("/upload")) return json(response, 200, { content_uri: "mxc://localhost/picture" });
    return json(response, 200, method === "GET" ? (profiles.get(of) ?? { displayname: "agent" }) : {});
  });
}

function ghostsOn(server: Answering, kept: Map<string, unknown>, lines: string[] = []): Ghosts {
  const homeserver = createHomeserver({ address: server.address, domain: "localhost", asToken: "t", timeoutMs: 5_000 });
  const meta = {
    get: (name: string) => Promise.resolve(kept.get(name)),
    set: (name: string, value: unknown) => Promise.resolve(void kept.set(name, value)),
  };
  const log = createLogger({ level: "info", format: "json", destination: { write: (line) => lines.push(line) } });
  return createGhosts({ homeserver, meta, log });
}

const requests = (server: Answering): string[] => server.asked.map(({ method, path }) => `${method} ${path}`);

test("A user is made once, with its device and name, and a second start asks nothing", async () => {
  await using server = await playing();
  const kept = new Map<string, unknown>();
  const ghosts = ghostsOn(server, kept);
  await Promise.all([ghosts.ensure(ada), ghosts.ensure(ada), ghosts.ensure({ ...ada })]);
  await ghosts.ensure(ada);
  expect(requests(server)).toEqual([
    "POST /_matrix/client/v3/register",
    "PUT /_matrix/client/v3/devices/CREWROOM",
    "GET /_matrix/client/v3/profile/@agent_ada:localhost",
    "PUT /_matrix/client/v3/profile/@agent_ada:localhost/displayname",
  ]);
  await ghostsOn(server, kept).ensure(ada);
  expect(server.asked).toHaveLength(4);
});

test("Only what has changed is set anew", async () => {
  await using server = await playing();
  const kept = new Map<string, unknown>();
  await ghostsOn(server, kept).ensure(ada);
  await ghostsOn(server, kept).ensure({ ...ada, name: "Ada L.", avatar: "mxc://localhost/one" });
  await ghostsOn(server, kept).ensure({ ...ada, name: "Ada L.", avatar: "mxc://localhost/two" });
  expect(requests(server).slice(4)).toEqual([
    "PUT /_matrix/client/v3/profile/@agent_ada:localhost/displayname",
    "PUT /_matrix/client/v3/profile/@agent_ada:localhost/avatar_url",
    "PUT /_matrix/client/v3/profile/@agent_ada:localhost/avatar_url",
  ]);
});

test("After a lost store, a profile that is right already is left as it is", async () => {
  await using server = await playing();
  await ghostsOn(server, new Map()).ensure({ ...ada, avatar: "mxc://localhost/one" });
  const before = server.asked.length;
  await ghostsOn(server, new Map()).ensure({ ...ada, avatar: "mxc://localhost/one" });
  expect(requests(server).slice(before)).toEqual([
    "POST /_matrix/client/v3/register",
    "PUT /_matrix/client/v3/devices/CREWROOM",
    "GET /_matrix/client/v3/profile/@agent_ada:localhost",
  ]);
});

test("Two agents with the same picture upload it once, and again only when the file has changed", async () => {
  const directory = await mkdtemp(path.join(tmpdir(), "crewroom-avatar-"));
  try {
    const avatar = path.join(directory, "face.png");
    await writeFile(avatar, "one");
    await using server = await playing();
    const kept = new Map<string, unknown>();
    const uploads = () => server.asked.filter((asked) => asked.path.endsWith("/upload"));
    await ghostsOn(server, kept).ensure({ ...ada, avatar });
    await ghostsOn(server, kept).ensure({ ...bo, avatar });
    expect(uploads()).toHaveLength(1);
    expect(uploads()[0]?.headers["content-type"]).toBe("image/png");
    expect(uploads()[0]?.query.get("filename")).toBe("face.png");
    await writeFile(avatar, "two");
    await ghostsOn(server, kept).ensure({ ...ada, avatar });
    expect(uploads()).toHaveLength(2);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("A homeserver that forbids profiles, or a picture that is gone, leaves an agent that works", async () => {
  await using server = await playing((asked) => asked.endsWith("/displayname"));
  const lines: string[] = [];
  const kept = new Map<string, unknown>();
  await ghostsOn(server, kept, lines).ensure({ ...ada, avatar: "/nowhere/face.png" });
  expect(lines).toHaveLength(2);
  expect(lines.join("")).toContain("the name of @agent_ada:localhost could not be set");
  // It is tried again at the next start, without making the user anew.
  await ghostsOn(server, kept, lines).ensure(ada);
  expect(requests(server).at(-1)).toContain("/displayname");
  expect(requests(server).filter((one) => one.endsWith("/register"))).toHaveLength(1);
});

test("What failed is tried again by the next call", async () => {
  let isDown = true;
  await using server = await playing(() => isDown);
  const ghosts = ghostsOn(server, new Map());
  await expect(ghosts.ensure(ada)).rejects.toMatchObject({ code: "HOMESERVER_REFUSED" });
  isDown = false;
  await ghosts.ensure(ada);
});

test("A user whom the homeserver has lost is made anew", async () => {
  await using server = await playing();
  const ghosts = ghostsOn(server, new Map());
  await ghosts.ensure(ada);
  await ghosts.forget(ada.user);
  await ghosts.ensure(ada);
  expect(requests(server).filter((one) => one.endsWith("/register"))).toHaveLength(2);
});

test("A lost user or device is told from other refusals", () => {
  const refused = (errcode: string, reason: string) =>
    new HomeserverError("HOMESERVER_REFUSED", { reason }, { errcode, retryable: false, outage: false });
  expect(isGhostMissing(refused("M_FORBIDDEN", "Application service has not registered this user (@a:b)"))).toBe(true);
  expect(isGhostMissing(refused("ORG.MATRIX.MSC4326.M_UNKNOWN_DEVICE", ""))).toBe(true);
  expect(isGhostMissing(refused("M_UNKNOWN_DEVICE", ""))).toBe(true);
  expect(isGhostMissing(refused("M_FORBIDDEN", "You are not in the room"))).toBe(false);
  expect(isGhostMissing(new Error("has not registered this user"))).toBe(false);
});
