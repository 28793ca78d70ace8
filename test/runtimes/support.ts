/** The builtin runtime on a real rehearsal server, and a session store in memory that holds JSON, as the journal does. */
import { asAgentId, type SessionId, type TurnId } from "../../src/core/ids.ts";
import { createModels, type Models, type ModelsOptions, type ModelSettings } from "../../src/models/client.ts";
import { createBuiltinRuntime } from "../../src/runtimes/builtin/runtime.ts";
import type {
  ContentBlock,
  Runtime,
  RuntimeSession,
  SessionOpening,
  SessionStore,
  SessionUpdate,
  Tool,
} from "../../src/runtimes/port.ts";

export function agentId(id: string) {
  const agent = asAgentId(id);
  if (agent === undefined) throw new Error(`no agent id: ${id}`);
  return agent;
}

export const sessionId = (id: string): SessionId => id as SessionId;
export const turnId = (id: string): TurnId => id as TurnId;

export class MemoryStore implements SessionStore {
  readonly values = new Map<SessionId, string>();
  /** Every value ever saved, oldest first. */
  readonly saved: string[] = [];

  async load(session: SessionId): Promise<unknown> {
    const text = this.values.get(session);
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }

  async save(session: SessionId, value: unknown): Promise<void> {
    const text = JSON.stringify(value);
    this.values.set(session, text);
    this.saved.push(text);
  }

  async remove(session: SessionId): Promise<void> {
    this.values.delete(session);
  }
}

export function opening(
  over: {
    agent?: string;
    session?: string;
    tools?: readonly Tool[];
    roles?: string[];
    rolePrompts?: readonly string[];
    rules?: string;
  } = {},
): SessionOpening {
  const { agent = "ada", session = "s1", tools = [], roles = ["planner"], rolePrompts = [], rules = "" } = over;
  return {
    session: sessionId(session),
    agent: { id: agentId(agent), name: "Ada", roles, rolePrompts, rules, instructions: "Be brief.", model: "default" },
    tools,
  };
}

export interface Setup {
  readonly url: string;
  readonly store?: SessionStore;
  readonly settings?: Partial<ModelSettings>;
  readonly models?: Partial<ModelsOptions>;
}

export function modelsOn(setup: Setup): Models {
  return createModels({
    models: {
      default: {
        baseUrl: setup.url,
        apiKey: "sk-secret-0123456789",
        model: "rehearsal",
        context: 32_000,
        ...setup.settings,
      },
    },
    wait: async () => undefined,
    random: () => 0,
    ...setup.models,
  });
}

export function runtimeOn(setup: Setup): Runtime {
  return createBuiltinRuntime({ models: modelsOn(setup), sessions: setup.store ?? new MemoryStore() });
}

export function words(text: string): ContentBlock[] {
  return [{ type: "text", text }];
}

export interface Heard {
  readonly updates: SessionUpdate[];
  readonly text: string;
  readonly stop: string | undefined;
}

/** Runs one turn to its end. */
export async function say(
  session: RuntimeSession,
  turn: string,
  content: string | readonly ContentBlock[],
  onUpdate: (update: SessionUpdate) => void = () => undefined,
  signal: AbortSignal = new AbortController().signal,
): Promise<Heard> {
  const updates: SessionUpdate[] = [];
  const blocks = typeof content === "string" ? words(content) : content;
  for await (const update of session.prompt({ turn: turnId(turn), content: blocks }, signal)) {
    updates.push(update);
    onUpdate(update);
  }
  const last = updates.at(-1);
  return {
    updates,
    text: updates.flatMap((update) => (update.kind === "agent_message_chunk" ? update.text : [])).join(""),
    stop: last?.kind === "stop" ? last.reason : undefined,
  };
}
