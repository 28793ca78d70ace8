/**
 * The registration: what the homeserver knows of Crewroom, and the two tokens by which they know each other.
 * Matrix spec, application service API, "Registration".
 */
import { z } from "zod";
import { botUserId, localpartOf } from "../core/ids.ts";

const namespace = z.looseObject({ exclusive: z.boolean(), regex: z.string() });

/** Keys that we do not know are kept: homeservers add theirs. */
export const registrationSchema = z.looseObject({
  id: z.string().min(1),
  url: z.string().nullable(),
  as_token: z.string().min(1),
  hs_token: z.string().min(1),
  sender_localpart: z.string().min(1),
  namespaces: z.looseObject({
    users: z.array(namespace).default([]),
    aliases: z.array(namespace).default([]),
    rooms: z.array(namespace).default([]),
  }),
  protocols: z.array(z.string()).nullish(),
  rate_limited: z.boolean().optional(),
  receive_ephemeral: z.boolean().optional(),
});

export type Registration = Readonly<z.output<typeof registrationSchema>>;

/** What of the config a registration depends on. */
export interface RegistrationInput {
  readonly homeserver: { readonly domain: string };
  readonly appservice: { readonly address: string };
}

/** The tokens of the sample. Everybody knows them, so they are refused. */
export const sampleTokens = {
  as_token: "replace-by-crewroom-register-as",
  hs_token: "replace-by-crewroom-register-hs",
};

/**
 * A registration for this config, with new tokens of 32 random bytes.
 *
 * @param previous Registration that it replaces: its id and the keys that we do not know stay.
 */
export async function makeRegistration(config: RegistrationInput, previous?: Registration): Promise<Registration> {
  // Loaded only here: it costs 60 MB that a running bridge can do without.
  const { AppServiceRegistration } = (await import("./sdk.ts")).loadAppServiceBridge();
  const tokens = {
    as_token: AppServiceRegistration.generateToken(),
    hs_token: AppServiceRegistration.generateToken(),
  };
  const { domain } = config.homeserver;
  const registration = new AppServiceRegistration(config.appservice.address);
  registration.setId(previous?.id ?? "crewroom");
  registration.setAppServiceToken(tokens.as_token);
  registration.setHomeserverToken(tokens.hs_token);
  registration.setSenderLocalpart(localpartOf(botUserId(domain)));
  registration.setRateLimited(false);
  for (const { kind, regex } of namespacesOf(domain)) registration.addRegexPattern(kind, regex, true);
  const output = registration.getOutput();
  // AppServiceRegistration knows neither receive_ephemeral nor an empty list, and drops both.
  return registrationSchema.parse({
    ...previous,
    ...output,
    namespaces: { ...output.namespaces, rooms: [] },
    protocols: previous?.protocols ?? [],
    receive_ephemeral: true,
  });
}

/** Only our own users and aliases, all exclusive: nobody else can take one, and we hear of no other. */
function namespacesOf(domain: string): readonly { readonly kind: "users" | "aliases"; readonly regex: string }[] {
  const server = domain.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  return [
    { kind: "users", regex: `@crewroom:${server}` },
    { kind: "users", regex: `@agent_.*:${server}` },
    { kind: "aliases", regex: `#crewroom(-.*)?:${server}` },
  ];
}
