/**
 * Follows the policy lists that the config names: joins their rooms, reads their rules, and takes every change as it comes.
 * A list that cannot be read any more keeps its last rules, also across a restart.
 *
 *   known rules (store) ──join, read──▶ followed ──rule, redaction──▶ followed
 *          │                               └─left, banned, replaced──▶ told in HQ; its rules stay
 *          └──cannot be joined──▶ told in HQ, once; its rules stay ──invited, or tried again later──▶ followed
 */
import { idFrom } from "../core/draft.ts";
import { reasonOf } from "../core/errors.ts";
import { asRoomAlias, asRoomId, type EffectId, type RoomAlias, type RoomId, type UserId } from "../core/ids.ts";
import type { ModerationRule } from "../core/moderation-rules.ts";
import type { Meta } from "../journal/journal.ts";
import type { Logger } from "../observe/log.ts";
import type { Homeserver } from "./homeserver.ts";
import { asObject, type JsonObject } from "./json.ts";
import { decodePolicyRule } from "./policy-rule.ts";
import type { Reads } from "./reads.ts";
import type { Rules } from "./rules.ts";

export interface PolicyListsOptions {
  /** `moderation.policy_rooms` */
  readonly rooms: readonly string[];
  readonly homeserver: Pick<Homeserver, "join" | "resolveAlias">;
  readonly reads: Pick<Reads, "state">;
  readonly bot: UserId;
  readonly meta: Meta;
  readonly rules: Rules;
  /** Repeats a request until the homeserver answers. */
  readonly patient: <T>(work: () => Promise<T>) => Promise<T>;
  /** Says something in HQ, once for each id. */
  readonly tell: (id: EffectId, text: string) => void;
  /** The rules that hold have changed. */
  readonly onChange: () => void;
  readonly now: () => number;
  /** Resolves after so many milliseconds, and rejects when the signal aborts. */
  readonly after: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
  readonly log: Pick<Logger, "info" | "warn">;
}

type Known = Map<string, ModerationRule>;

interface List {
  readonly room: RoomId;
  /** As the config has it. */
  readonly named: string;
  rules: Known;
  /** Counts its changes: what was read before the last one is out of date. */
  changes: number;
  /** What is to be done and has not begun: anybody in a public list can redact what they said there, as often as they like. */
  readonly due: Set<"read" | "keep">;
}

export class PolicyLists implements AsyncDisposable {
  readonly #options: PolicyListsOptions;
  readonly #lists = new Map<RoomId, List>();
  /** One after another: a list that is read twice at once would end with the older answer. */
  #work: Promise<void> = Promise.resolve();

  constructor(options: PolicyListsOptions) {
    this.#options = options;
  }

  /** Puts the rules of the last run into force, before anything is decided. */
  async load(): Promise<void> {
    const { rooms, meta } = this.#options;
    for (const named of rooms) {
      const { room, rules = [] } = asObject(await meta.get(metaKey(named))) ?? {};
      const id = asRoomId(room) ?? asRoomId(named);
      if (id === undefined) continue;
      const list = this.#listOf(id, named);
      list.rules = new Map(rules as readonly (readonly [string, ModerationRule])[]);
      this.#force(list);
    }
  }

  /** Joins the rooms and reads them. Never rejects: what does not work is told in HQ. */
  follow(): Promise<void> {
    for (const named of this.#options.rooms) this.#queue(() => this.#enter(named));
    return this.#work;
  }

  /** Looks what a transaction says of the lists. Returns at once, with its rules in force. */
  take(events: readonly unknown[]): void {
    if (this.#lists.size === 0) return;
    const changed = new Set<List>();
    for (const raw of events) {
      const event = asObject(raw);
      const list = this.#lists.get(event?.["room_id"] as RoomId);
      if (event !== undefined && list !== undefined && this.#takeEvent(list, event)) changed.add(list);
    }
    for (const list of changed) this.#force(list);
    if (changed.size > 0) this.#options.onChange();
    for (const list of changed) this.#soon("keep", list);
  }

  /** Whether its rules have changed. */
  #takeEvent(list: List, event: JsonObject): boolean {
    const { bot } = this.#options;
    const { type, state_key: key, event_id: id } = event;
    const content = asObject(event["content"]) ?? {};
    if (type === "m.room.redaction") this.#soon("read", list);
    if (type === "m.room.tombstone" && key === "")
      this.#tell(
        list,
        String(id),
        `was replaced by ${String(content["replacement_room"])}; name that one in its place`,
      );
    if (type === "m.room.member" && key === bot) {
      if (content["membership"] === "join") this.#soon("read", list);
      if (content["membership"] === "leave" || content["membership"] === "ban")
        this.#tell(list, String(id), `has removed me (${String(event["sender"])}); invite me again to follow it`);
    }
    const told = decodePolicyRule(event, list.room);
    if (told === undefined) return false;
    if (told.rule === undefined) list.rules.delete(told.key);
    else list.rules.set(told.key, told.rule);
    list.changes += 1;
    return true;
  }

  /** @param isTold Whether HQ knows already that it cannot be read. */
  async #enter(named: string, isTold = false): Promise<void> {
    const { homeserver, bot, patient, signal } = this.#options;
    const address = asRoomId(named) ?? asRoomAlias(named);
    if (address === undefined) return;
    try {
      const via = viaOf(address);
      const room = await patient(() => homeserver.join(address, bot, via, { signal, timeoutMs: joinTimeoutMs }));
      await this.#read(this.#listOf(room, named));
    } catch (thrown) {
      if (signal.aborted) return;
      const room = asRoomId(named) ?? (await this.#resolve(address));
      // An invite there will be accepted, and its rules read.
      if (room !== undefined) this.#force(this.#listOf(room, named));
      if (!isTold)
        this.#say(
          idFrom("policy list", named, this.#options.now()),
          `The policy list ${named} cannot be read: ${reasonOf(thrown)} If it is private, have me invited there. I try again every ${againMs / 60_000} minutes.`,
        );
      this.#options.after(againMs, signal).then(
        () => this.#queue(() => this.#enter(named, true)),
        () => undefined,
      );
    }
  }

  async #resolve(address: RoomId | RoomAlias): Promise<RoomId | undefined> {
    const alias = asRoomAlias(address);
    try {
      return alias && (await this.#options.homeserver.resolveAlias(alias, { signal: this.#options.signal }));
    } catch {
      // That it cannot be read is being told anyway.
      return undefined;
    }
  }

  /** Reads all rules of a list, again when it changed meanwhile. */
  async #read(list: List): Promise<void> {
    const { reads, bot, patient, signal, log } = this.#options;
    try {
      for (;;) {
        const { changes } = list;
        const events = await patient(() => reads.state(list.room, bot, { signal }));
        if (changes !== list.changes) continue;
        const rules: Known = new Map();
        for (const event of events.map(asObject)) {
          const told = event === undefined ? undefined : decodePolicyRule(event, list.room);
          if (told?.rule !== undefined) rules.set(told.key, told.rule);
        }
        list.rules = rules;
        break;
      }
    } catch (thrown) {
      if (!signal.aborted) log.warn({ room: list.room, reason: reasonOf(thrown) }, "a policy list could not be read");
      return;
    }
    log.info({ room: list.room, rules: list.rules.size }, "a policy list was read");
    this.#force(list);
    this.#options.onChange();
    await this.#keep(list);
  }

  async #keep({ room, named, rules }: List): Promise<void> {
    await this.#options.meta.set(metaKey(named), { room, rules: [...rules] });
  }

  #listOf(room: RoomId, named: string): List {
    const list = this.#lists.get(room) ?? { room, named, rules: new Map(), changes: 0, due: new Set() };
    this.#lists.set(room, list);
    return list;
  }

  #force({ room, rules }: List): void {
    this.#options.rules.put(room, [...rules.values()]);
  }

  #tell(list: List, event: string, what: string): void {
    this.#say(
      idFrom("policy list", list.room, event),
      `The policy list ${list.room} ${what}. Its last ${list.rules.size} rules stay in force.`,
    );
  }

  #say(id: string, text: string): void {
    this.#options.log.warn({}, text);
    this.#options.tell(id as EffectId, `⚠️ ${text}`);
  }

  /** Once for all that comes before it begins. */
  #soon(what: "read" | "keep", list: List): void {
    if (list.due.has(what)) return;
    list.due.add(what);
    this.#queue(() => {
      list.due.delete(what);
      return what === "read" ? this.#read(list) : this.#keep(list);
    });
  }

  #queue(work: () => Promise<void>): void {
    const { signal, log } = this.#options;
    this.#work = this.#work.then(work).catch((thrown: unknown) => {
      if (!signal.aborted) log.warn({ reason: reasonOf(thrown) }, "a policy list was not followed");
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work;
  }
}

/** The server of a list may be down when the bridge starts, and nobody would think of inviting the bot. */
const againMs = 600_000;

/** A list on a remote server may take that long to let us in. */
const joinTimeoutMs = 180_000;

function metaKey(named: string): string {
  return `policy list ${named}`;
}

/** The server of an address; room versions before 12 have one in the id. */
function viaOf(room: string): readonly string[] {
  const colon = room.indexOf(":");
  return colon < 0 ? [] : [room.slice(colon + 1)];
}
