import { afterEach, describe, expect, it, vi } from "vitest";
import { CrewError } from "../../src/core/errors.ts";
import { Health, healthRoutes, type Probe } from "../../src/observe/health.ts";
import { createMetrics } from "../../src/observe/metrics.ts";

const well = () => Promise.resolve(undefined);

afterEach(() => {
  vi.useRealTimers();
});

describe("readiness", () => {
  it("is given when every probe is well, with their details", async () => {
    const health = new Health({ store: well, homeserver: () => Promise.resolve("Synapse 1.160") });
    expect(await health.ready()).toEqual({
      ok: true,
      checks: { store: { ok: true }, homeserver: { ok: true, detail: "Synapse 1.160" } },
    });
  });

  it("is refused with the reason of each probe that fails, also of one that throws at once", async () => {
    const health = new Health({
      store: well,
      homeserver: () => Promise.reject(new CrewError("TOKEN_UNKNOWN")),
      ping: () => {
        throw new Error("no ping yet");
      },
    });
    expect(await health.ready()).toEqual({
      ok: false,
      checks: {
        store: { ok: true },
        homeserver: { ok: false, detail: "The homeserver does not know this bridge's token." },
        ping: { ok: false, detail: "no ping yet" },
      },
    });
  });

  it("does not wait for a probe that hangs, and tells it to stop", async () => {
    vi.useFakeTimers();
    let told: AbortSignal | undefined;
    const health = new Health(
      {
        store: well,
        homeserver: (signal) => {
          told = signal;
          return new Promise(() => {});
        },
      },
      500,
    );
    const ready = health.ready();
    await vi.advanceTimersByTimeAsync(499);
    expect(told?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await ready).toEqual({
      ok: false,
      checks: { store: { ok: true }, homeserver: { ok: false, detail: "no answer within 500 ms" } },
    });
    expect(told?.aborted).toBe(true);
  });

  it("leaves no timer behind", async () => {
    vi.useFakeTimers();
    await new Health({ store: well }).ready();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("asks once for all who ask at the same time, and anew for the next", async () => {
    const probe = vi.fn<Probe>(well);
    const health = new Health({ store: probe });
    await Promise.all([health.ready(), health.ready(), health.ready()]);
    expect(probe).toHaveBeenCalledTimes(1);
    await health.ready();
    expect(probe).toHaveBeenCalledTimes(2);
  });
});

describe("the health addresses", () => {
  const routes = (probe: () => Promise<undefined>) =>
    healthRoutes({ health: new Health({ store: probe }), metrics: createMetrics() });

  it("answer /live whatever is outside", async () => {
    const route = routes(() => Promise.reject(new Error("disk full")));
    expect(await route("/live")).toEqual({ status: 200, contentType: "application/json", body: '{"ok":true}\n' });
  });

  it("answer /ready with 200 or 503 and the checks", async () => {
    expect(await routes(well)("/ready?x=1")).toMatchObject({ status: 200 });
    const refused = await routes(() => Promise.reject(new Error("disk full")))("/ready");
    expect(refused?.status).toBe(503);
    expect(JSON.parse(refused?.body ?? "")).toEqual({
      ok: false,
      checks: { store: { ok: false, detail: "disk full" } },
    });
  });

  it("answer /metrics in Prometheus' format", async () => {
    const answer = await routes(well)("/metrics");
    expect(answer).toMatchObject({ status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8" });
    expect(answer?.body).toContain("crewroom_homeserver_up 0\n");
  });

  it("leave every other path to others", async () => {
    expect(await routes(well)("/_matrix/app/v1/ping")).toBeUndefined();
    expect(await routes(well)("/live/x")).toBeUndefined();
  });
});
