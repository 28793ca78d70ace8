/** Accounts on a homeserver: made with its shared secret, entered with a password. */
import { createHmac } from "node:crypto";
import { z } from "zod";
import { callApi } from "./client-api.ts";

export interface NewAccount {
  /** May use the homeserver's admin API. Default: no. */
  readonly admin?: boolean;
  readonly displayName?: string;
}

export interface Account {
  readonly userId: string;
  readonly accessToken: string;
  readonly deviceId: string;
}

const accountSchema = z
  .object({ user_id: z.string(), access_token: z.string(), device_id: z.string() })
  .transform((answer): Account => ({
    userId: answer.user_id,
    accessToken: answer.access_token,
    deviceId: answer.device_id,
  }));
const nonceSchema = z.object({ nonce: z.string() });

/** Synapse's shared-secret registration: a nonce, then the account's fields with a HMAC over them. */
export async function registerWithSecret(
  homeserver: string,
  secret: string,
  name: string,
  password: string,
  options: NewAccount = {},
): Promise<Account> {
  const path = "/_synapse/admin/v1/register";
  const { nonce } = nonceSchema.parse(await callApi(homeserver, { method: "GET", path }));
  const admin = options.admin ?? false;
  const mac = createHmac("sha1", secret)
    .update([nonce, name, password, admin ? "admin" : "notadmin"].join("\0"))
    .digest("hex");
  const body = { nonce, username: name, password, admin, mac, displayname: options.displayName ?? name };
  return accountSchema.parse(await callApi(homeserver, { method: "POST", path, body }));
}

/** Logs in with a password; makes a new device. */
export async function login(homeserver: string, name: string, password: string): Promise<Account> {
  const body = {
    type: "m.login.password",
    identifier: { type: "m.id.user", user: name },
    password,
    initial_device_display_name: "Crewroom demo",
  };
  return accountSchema.parse(await callApi(homeserver, { method: "POST", path: "/_matrix/client/v3/login", body }));
}
