/** matrix-bot-sdk's application service, which keeps nothing, with a listener that counts what it hands out. */
import { createRequire } from "node:module";
import type * as BotSdk from "matrix-bot-sdk";
import { freePort } from "../../src/demo/ports.ts";
import { logSdkTo } from "../../src/matrix/sdk.ts";
import { argument, tellPort } from "./child.ts";

const { hsToken, domain, homeserver } = argument() as Readonly<Record<"hsToken" | "domain" | "homeserver", string>>;
const { Appservice } = createRequire(import.meta.url)("matrix-bot-sdk") as typeof BotSdk;

// Loading that file makes the SDK loadable; its log would be measured too.
logSdkTo(() => undefined);

const port = await freePort();
const service = new Appservice({
  port,
  bindAddress: "127.0.0.1",
  homeserverName: domain,
  homeserverUrl: homeserver,
  registration: {
    id: "bench",
    as_token: "unused",
    hs_token: hsToken,
    sender_localpart: "bench",
    url: `http://127.0.0.1:${port}`,
    namespaces: { users: [{ exclusive: true, regex: `@bench_.*:${domain}` }], rooms: [], aliases: [] },
  },
});
let count = 0;
service.on("room.event", () => {
  count += 1;
});
await service.begin();
tellPort(port);
