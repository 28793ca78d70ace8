/**
 * The config, once: types, defaults, the sample file, the reference and the errors all come from this schema. Keys
 * follow the conventions of the mautrix bridges, so that an operator of one finds the way.
 */
import { z } from "zod";
import { levels, noLevel } from "../core/permissions.ts";
import { agents } from "./agents.ts";
import { avatar, count, httpUrl, isActor, serverName } from "./fields.ts";
import { budgets } from "./budgets.ts";
import { files, sandbox } from "./files.ts";
import { limits } from "./limits.ts";
import { model } from "./models.ts";
import { policy } from "./policy.ts";
import { moderation } from "./moderation.ts";
import { patrol, tasks } from "./tasks.ts";

const homeserver = z.strictObject({
  address: httpUrl.describe("How Crewroom reaches the homeserver.").meta({ sample: "http://127.0.0.1:8008" }),
  domain: serverName
    .describe("The homeserver's name: the part after the colon of its users.")
    .meta({ sample: "example.org" }),
});

const appservice = z.strictObject({
  address: httpUrl.describe("How the homeserver reaches Crewroom.").meta({ sample: "http://127.0.0.1:29331" }),
  hostname: z.string().min(1).default("127.0.0.1").describe("Address to listen on; 0.0.0.0 in a container."),
  port: count(0).max(65_535, { error: "is more than 65535" }).default(29_331).describe("Port to listen on."),
  registration: z
    .string()
    .min(1)
    .default("registration.yaml")
    .describe("The file that `crewroom register` writes. Paths are relative to this config file."),
});

const store = z.string().refine((text) => /^(?:sqlite:.|postgres(?:ql)?:\/\/.|rediss?:\/\/.)/.test(text), {
  error: "is not a store; write sqlite:<path>, postgres://… or redis://…",
});

const permissions = z.record(
  z.string().refine(isActor, {
    error:
      "is neither a person (@you:example.org, or @telegram_*:example.org for several), nor a homeserver (example.org, *.example.org), nor *",
  }),
  z.enum([...levels, noLevel]),
);

const rooms = z
  .strictObject({
    federate: z
      .boolean()
      .default(true)
      .describe("Whether people of other homeservers can join rooms that the bot creates."),
  })
  .prefault({});

const bot = z
  .strictObject({
    name: z.string().min(1).max(200).default("Crewroom").describe("Display name of the bot."),
    avatar: avatar
      .optional()
      .describe("Picture: an mxc:// address or the path of an image.")
      .meta({ sample: "crewroom.png" }),
  })
  .prefault({});

const logging = z
  .strictObject({
    level: z
      .enum(["trace", "debug", "info", "warn", "error", "silent"])
      .default("info")
      .describe("Least weight of a line that is written; below info, lines name more but never a secret."),
    format: z.enum(["pretty", "json"]).default("pretty").describe("pretty for eyes, json for a collector."),
  })
  .prefault({});

export const configSchema = z.strictObject({
  homeserver: homeserver.describe("The homeserver that Crewroom works for."),
  appservice: appservice.describe("Crewroom's own address, for the homeserver."),
  store: store
    .default("sqlite:crewroom.db")
    .describe("What must survive a crash: sqlite:<path>, postgres://user:password@host/db, or redis://host."),
  store_file: z
    .string()
    .min(1)
    .optional()
    .describe("File that holds the store's address, instead of store.")
    .meta({ sample: "store.url" }),
  data: z.string().min(1).default("data").describe("Folder for workspaces and caches."),
  permissions: permissions
    .refine((granted) => Object.keys(granted).length > 0, { error: "is empty; grant at least yourself admin" })
    .describe(
      "Who may do what: none < observe < talk < task < supervise < admin, for a person, people with like ids " +
        '("@telegram_*:example.org": none, for another bridge\'s ghosts), a homeserver, *.domain or everybody (*). ' +
        "The most specific entry decides. Crewroom refuses to start with the sample's.",
    )
    .meta({ sample: { "*": "observe", "example.org": "talk", "@you:example.org": "admin" } }),
  models: z
    .record(z.string().min(1), model)
    .describe("Models by a name of your own; agents use default unless they name another."),
  agents: agents.describe("The crew."),
  bot: bot.describe("The bridge's own user @crewroom:<domain>."),
  rooms: rooms.describe("Rooms that the bot creates."),
  tasks: tasks.describe("How the crew's work is planned, given out and reviewed."),
  patrol: patrol.describe("From when on the bridge counts something in a task as wrong, and acts or asks."),
  moderation: moderation.describe("Whom the crew ignores, beside what people do in rooms; see docs/moderation.md."),
  budgets: budgets.describe("What the crew may use, in tokens and US dollars; what is left out is not limited."),
  files: files.describe("How the files of tasks are recorded."),
  sandbox: sandbox.describe("What the commands of agents can reach and use."),
  policy: policy.meta({ sample: [{ tool: "run_command", about: "npm publish*", do: "deny" }] }),
  limits: limits.describe("Sizes, time-outs and the breaker that ends loops between agents."),
  logging: logging.describe("What is written to standard error. Never a secret, and no message's text at info."),
});

/** Plain, readonly, without the `*_file` keys: loading has put their content under the key that they stand for. */
type Plain<T> = T extends string | number | boolean | undefined
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Plain<Item>[]
    : { readonly [Key in keyof T as Key extends `${string}_file` ? never : Key]: Plain<T[Key]> };

/** The checked config. Keys are those of the file; paths are absolute; secrets are in place. */
export type Config = Plain<z.output<typeof configSchema>>;
export type AgentConfig = Config["agents"][number];
export type ModelConfig = Config["models"][string];
export type Limits = Config["limits"];
