import { describe, expect, test, vi } from "vitest";
import { installLine, missingSandbox, refusalOf } from "../../../src/files/sandbox/missing.ts";
import { openSandbox } from "../../../src/files/sandbox/sandbox.ts";
import { openFolders, optionsFor, run } from "./helpers.ts";

describe("Where no sandbox works", () => {
  test("every command is refused, with the line that installs one", async () => {
    await using folders = await openFolders();
    await expect(run(missingSandbox("reason", "Do this."), folders.root, "touch ran")).rejects.toMatchObject({
      code: "SANDBOX_MISSING",
      details: { reason: "reason", install: "Do this." },
    });
  });

  test.runIf(process.platform === "linux")(
    "a missing program is named, and none of it falls back to no walls",
    async () => {
      await using folders = await openFolders();
      vi.stubEnv("PATH", folders.top);
      const sandbox = await openSandbox(optionsFor({ network: true }));
      vi.unstubAllEnvs();
      await expect(run(sandbox, folders.root, "true")).rejects.toThrow("bubblewrap and socat is not installed");
    },
  );

  test.each([
    ['ID=debian\nVERSION_ID="12"', "Run `apt-get install bubblewrap`."],
    ["ID=linuxmint\nID_LIKE=ubuntu", "Run `apt-get install bubblewrap`."],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"', "Run `dnf install bubblewrap`."],
    ["ID=arch", "Run `pacman -S bubblewrap`."],
    ["ID=alpine", "Run `apk add bubblewrap`."],
    ["", "Install bubblewrap with this system's package manager."],
  ])("%j → %s", (release, line) => {
    expect(installLine(["bubblewrap"], release)).toBe(line);
  });

  test.each([
    ["kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"],
    ["kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"],
    ["user/max_user_namespaces", "0", "user.max_user_namespaces="],
    ["nothing", "", "--security-opt"],
  ])("refused user namespaces by %s=%s are told with the setting", (name, value, line) => {
    const refusal = refusalOf("bwrap: No permissions to create new namespace", (asked) =>
      asked === name ? value : "",
    );
    expect(refusal.reason).toContain("may not make user namespaces");
    expect(refusal.install).toContain(line);
  });

  test("a bubblewrap that is too old is told as such", () => {
    expect(refusalOf("bwrap: Unknown option --disable-userns").reason).toBe("bubblewrap is older than 0.8.0");
  });
});
