import { describe, expect, it } from "vitest";
import { permissionsAreSample, refuseSamplePermissions } from "../../src/config/placeholders.ts";

describe("the sample's permissions", () => {
  it.each(["example.org", "@you:example.org", "@me:example.org:8448", "*.example.org", "example.org:8448"])(
    "are recognised by %s",
    (actor) => {
      expect(permissionsAreSample({ permissions: { "*": "observe", [actor]: "talk" } })).toBe(true);
    },
  );

  it("are not seen in a person's own", () => {
    expect(permissionsAreSample({ permissions: { "*": "observe", "notexample.org": "talk", "@a:b.c": "admin" } })).toBe(
      false,
    );
  });

  it("are refused with their names", () => {
    expect(() => refuseSamplePermissions({ permissions: { "example.org": "talk", "@a:b.c": "admin" } })).toThrow(
      "The config's permissions still name the sample's people and homeservers: example.org.",
    );
  });
});
