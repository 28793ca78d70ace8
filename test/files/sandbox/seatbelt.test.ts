import { expect, test } from "vitest";
import { seatbeltProfile } from "../../../src/files/sandbox/seatbelt.ts";

const shown = { root: "/data/worktree", readable: ["/tools"], hidden: ["/data"], home: "/tmp/home", port: undefined };

test("a profile denies by default, and the worktree inside of a hidden folder comes after it", () => {
  const lines = seatbeltProfile({ ...shown, writable: true }).split("\n");
  expect(lines.slice(0, 2)).toEqual(["(version 1)", "(deny default)"]);
  const hidden = lines.indexOf('(deny file-read* file-write* (subpath "/data"))');
  expect(hidden).toBeGreaterThan(lines.findIndex((line) => line.includes('(subpath "/tools")')));
  expect(lines.indexOf('(allow file-read* (subpath "/data/worktree"))')).toBeGreaterThan(hidden);
  expect(lines.indexOf('(allow file-write* (subpath "/data/worktree"))')).toBeGreaterThan(hidden);
});

test("a read-only worktree is never allowed to be written, and without names there is no network", () => {
  const profile = seatbeltProfile({ ...shown, writable: false });
  expect(profile).not.toContain('(allow file-write* (subpath "/data/worktree"))');
  expect(profile).not.toContain("network");
  expect(seatbeltProfile({ ...shown, writable: false, port: 4000 })).toContain(
    '(allow network-outbound (remote ip "localhost:4000"))',
  );
});

test("a path cannot break out of its string", () => {
  const profile = seatbeltProfile({ ...shown, root: '/a") (allow default) ("\\', writable: false });
  expect(profile).toContain('(subpath "/a\\") (allow default) (\\"\\\\")');
});
