/** Typing notices: on while an agent works in a room, in however many threads. */
import { reasonOf } from "../core/errors.ts";
import type { AgentId, RoomId } from "../core/ids.ts";
import type { Clock, TurnLog, TurnPorts } from "./ports.ts";

/** An answer that comes at once needs no notice: two requests less for the homeserver. */
export const typingDelayMs = 200;
/** The notice itself lasts 30 s. */
export const typingRefreshMs = 20_000;

export interface Typing {
  /** Shows the agent as typing until the returned function is called. */
  begin(room: RoomId, agent: AgentId): () => void;
}

/** @param closing ends everything at once; notices that still stand expire by themselves */
export function createTyping(
  ports: Pick<TurnPorts, "typing">,
  clock: Clock,
  log: TurnLog,
  closing: AbortSignal,
): Typing {
  interface Busy {
    turns: number;
    readonly over: AbortController;
  }
  const busy = new Map<string, Busy>();
  /** What is on its way, per agent and room: an off must not overtake the on before it. */
  const sending = new Map<string, Promise<void>>();
  const shown = new Set<string>();

  async function attempt(room: RoomId, agent: AgentId, on: boolean): Promise<void> {
    if (closing.aborted) return;
    try {
      await ports.typing(room, agent, on);
    } catch (thrown) {
      log.debug({ room, agent, reason: reasonOf(thrown) }, "a typing notice was lost");
    }
  }

  async function send(key: string, room: RoomId, agent: AgentId, on: boolean): Promise<void> {
    if (on) shown.add(key);
    else shown.delete(key);
    const sent = (sending.get(key) ?? Promise.resolve()).then(async () => attempt(room, agent, on));
    sending.set(key, sent);
    await sent;
    if (sending.get(key) === sent) sending.delete(key);
  }

  async function keepOn(key: string, room: RoomId, agent: AgentId, over: AbortSignal): Promise<void> {
    try {
      await clock.after(typingDelayMs, over);
      while (!over.aborted) {
        await send(key, room, agent, true);
        await clock.after(typingRefreshMs, over);
      }
    } catch {
      // Only the end of the work rejects.
    }
    if (shown.has(key) && !busy.has(key)) await send(key, room, agent, false);
  }

  return {
    begin(room, agent) {
      const key = `${room} ${agent}`;
      let entry = busy.get(key);
      if (entry === undefined) {
        entry = { turns: 0, over: new AbortController() };
        busy.set(key, entry);
        void keepOn(key, room, agent, AbortSignal.any([entry.over.signal, closing]));
      }
      const mine = entry;
      mine.turns += 1;
      return () => {
        mine.turns -= 1;
        if (mine.turns > 0) return;
        busy.delete(key);
        mine.over.abort();
      };
    },
  };
}
