import { readFile, stat } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { readRegistration } from "../../src/matrix/registration-file.ts";
import { Desk } from "./desk.ts";

describe("crewroom register", () => {
  it("writes the registration that the config names, and says what comes next, without a token", async () => {
    await using desk = await Desk.open();
    await desk.config();
    const { code, out, err } = await desk.run("register");
    expect({ code, err }).toEqual({ code: 0, err: [] });
    const file = desk.path("registration.yaml");
    expect(out[0]).toBe(`wrote ${file}`);
    expect(out.join("\n")).toContain(`app_service_config_files:\n    - ${file}`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const registration = await readRegistration(file);
    expect(out.join("\n")).not.toContain(registration.as_token);
  });

  it("does not replace a registration that may be in use, unless it is forced", async () => {
    await using desk = await Desk.open();
    await desk.config();
    await desk.run("register");
    const first = await readFile(desk.path("registration.yaml"), "utf8");
    const refused = await desk.run("register");
    expect(refused.code).toBe(1);
    expect(refused.err[0]).toMatch(/^error REGISTRATION_EXISTS: /);
    expect(await readFile(desk.path("registration.yaml"), "utf8")).toBe(first);
    expect((await desk.run("register", "--force")).code).toBe(0);
    expect(await readFile(desk.path("registration.yaml"), "utf8")).not.toBe(first);
  });

  it("writes elsewhere with --out, and mentions that the config names another file", async () => {
    await using desk = await Desk.open();
    await desk.config();
    const { out } = await desk.run("register", "--out", desk.path("other.yaml"));
    expect((await readRegistration(desk.path("other.yaml"))).id).toBe("crewroom");
    expect(out[1]).toContain(`appservice.registration is ${desk.path("registration.yaml")}`);
  });
});

describe("crewroom start", () => {
  it.each([
    ["the sample's permissions", { permissions: { "example.org": "talk" } }, "PERMISSIONS_SAMPLE"],
    ["no registration", {}, "REGISTRATION_INVALID"],
  ])("refuses %s", async (_, changes, code) => {
    await using desk = await Desk.open();
    await desk.config(changes);
    const { code: exit, out, err } = await desk.run("start");
    expect({ exit, out }).toEqual({ exit: 1, out: [] });
    expect(err[0]).toContain(`error ${code}: `);
  });

  it("refuses a registration for another homeserver", async () => {
    await using desk = await Desk.open();
    await desk.config({ homeserver: { address: "http://127.0.0.1:9", domain: "other.test" } });
    await desk.run("register");
    await desk.config();
    const { err } = await desk.run("start");
    expect(err[0]).toMatch(/^error REGISTRATION_INVALID: .*does not cover @agent_ada:crew\.test/);
  });
});
