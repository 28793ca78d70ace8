/** The demo on a homeserver of its own: everything from Synapse to the person runs on this machine. */
import path from "node:path";
import { loadConfig } from "../config/load.ts";
import { CrewError } from "../core/errors.ts";
import { agentUserId, type AgentId } from "../core/ids.ts";
import { makeRegistration } from "../matrix/registration.ts";
import { writeRegistration } from "../matrix/registration-file.ts";
import { packagePath } from "../package.ts";
import { type Account, login } from "./accounts.ts";
import { cacheDirectory } from "./cache.ts";
import { playConversation } from "./conversation.ts";
import { openDemoBridge } from "./demo-bridge.ts";
import { openDemoModel } from "./demo-model.ts";
import { DemoPerson } from "./demo-person.ts";
import { findDemoSandbox } from "./demo-sandbox.ts";
import { lockDemo, openDemoState } from "./demo-state.ts";
import { localGuide } from "./guide.ts";
import { aborted } from "./interrupt.ts";
import { RoomView } from "./room-view.ts";
import { startSynapse, type Synapse } from "./synapse.ts";
import { transcript, wrapped } from "./transcript.ts";

const domain = "localhost";
const personName = "you";
const scriptedMs = 120_000;
/** A model thinks for each of some ten turns. */
const modelMs = 900_000;

export interface LocalDemoOptions {
  /** End when the conversation is done. */
  readonly once: boolean;
  readonly say: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  /** Ends the demo. */
  readonly signal: AbortSignal;
  /** Default: `demo` in the cache. */
  readonly directory?: string;
}

/**
 * Resolves to 0 when the conversation went as expected, 1 when something is missing. Without `once` it goes on serving
 * until the signal aborts. Rejects when a part cannot be started or ends by itself.
 */
export async function runLocalDemo(options: LocalDemoOptions): Promise<number> {
  const { say, env } = options;
  const directory = options.directory ?? path.join(cacheDirectory(env), "demo");
  using _lock = await lockDemo(directory);
  await using parts = new AsyncDisposableStack();
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);

  const state = await openDemoState(directory);
  const model = parts.use(await openDemoModel(env));
  const sandbox = await findDemoSandbox(model.scripted);
  const address = `http://127.0.0.1:${state.bridgePort}`;
  const registrationFile = path.join(directory, "registration.yaml");
  const registration = await makeRegistration({ homeserver: { domain }, appservice: { address } });
  await writeRegistration(registrationFile, registration, { force: true });

  say("Starting Synapse, the homeserver.");
  const synapse = parts.use(
    await startSynapse({
      directory: path.join(directory, "synapse"),
      serverName: domain,
      registrations: [registrationFile],
      progress: say,
      onCrash: (error) => failed.abort(error),
      signal,
    }),
  );
  const account = await enter(synapse, state.password);

  say("Starting Crewroom, the bridge.");
  const { config } = await loadConfig(packagePath("config/demo.yaml"), {
    env,
    overrides: {
      homeserver: { address: synapse.url, domain },
      appservice: { address, hostname: "127.0.0.1", port: state.bridgePort, registration: registrationFile },
      store: `sqlite:${path.join(directory, "crewroom.db")}`,
      data: path.join(directory, "data"),
      permissions: { [account.userId]: "admin" },
      models: { default: model.config },
      sandbox: sandbox.config,
    },
  });
  const logFile = path.join(directory, "crewroom.log");
  const policy = [...config.policy, ...sandbox.policy];
  parts.use(await openDemoBridge({ ...config, policy }, registration, logFile));

  const agent = (id: string): string => agentUserId(id as AgentId, domain);
  const agents = config.agents.map(({ id }) => agent(id));
  const guide = { port: synapse.port, user: account.userId, password: state.password, agents, directory };
  for (const line of localGuide(guide)) say(line);
  const width = (): number => process.stdout.columns ?? 100;
  for (const told of [model.told, ...(sandbox.told === undefined ? [] : [sandbox.told])])
    for (const line of wrapped(told, width())) say(line);
  say(`The bridge writes its log to ${logFile}.`);
  say("");
  say("A task from the wish to your signature, live, as you see it in Element (↳ is a thread):");

  const show = transcript({ nameOf: (id) => view.facts.nameOf(id), say, columns: width });
  const view: RoomView = new RoomView(account.userId, show);
  const watching = new AbortController();
  const person = new DemoPerson(synapse.url, account, AbortSignal.any([signal, watching.signal]));
  const first = Promise.withResolvers<void>();
  const watch = person.watch(view, () => first.resolve()).catch((error: unknown) => failed.abort(error));
  parts.defer(() => {
    watching.abort();
    return watch;
  });
  await Promise.race([first.promise, aborted(signal)]);
  signal.throwIfAborted();

  const limit = AbortSignal.any([signal, AbortSignal.timeout(model.scripted ? scriptedMs : modelMs)]);
  const missing = await playConversation({ person, view, agent, scripted: model.scripted, signal: limit });
  signal.throwIfAborted();
  for (const what of missing) say(`Missing: ${what}.`);
  if (missing.length > 0) say(`The bridge's log may tell why: ${logFile}`);
  if (!options.once) {
    say("");
    say("Now it is your turn, in Element. Ctrl-C ends the demo.");
    await aborted(signal);
    signal.throwIfAborted();
  }
  say("");
  say(missing.length === 0 ? "All answers came." : "The conversation did not go as it should.");
  return missing.length === 0 ? 0 : 1;
}

async function enter(synapse: Synapse, password: string): Promise<Account> {
  try {
    return await synapse.registerUser(personName, password, { displayName: "You", admin: true });
  } catch (error) {
    if (error instanceof CrewError && error.details["errcode"] === "M_USER_IN_USE")
      return login(synapse.url, personName, password);
    throw error;
  }
}
