/** One namespace of the store: strings by key. */
import type { Keyv } from "keyv";
import { reasonOf, type CrewError } from "../core/errors.ts";
import type { Access } from "./access.ts";
import type { Namespace } from "./backend.ts";

/** Values read at once by {@link Entries.all}: few enough that a page of large inbox bodies stays near 1 MB. */
const pageKeys = 16;

export class Entries {
  readonly #access: Access;
  readonly #namespace: Namespace;
  readonly #keyv: Keyv<string>;
  #emitted: unknown;

  constructor(access: Access, namespace: Namespace) {
    this.#access = access;
    this.#namespace = namespace;
    this.#keyv = access.backend.keyv(namespace);
    // Everything throws as well, except that @keyv/postgres ends an iteration early and only emits why.
    this.#keyv.on("error", (thrown: unknown) => {
      this.#emitted = thrown;
    });
  }

  get(key: string): Promise<string | undefined> {
    return this.#access.read(() => this.#keyv.get(key));
  }

  async set(key: string, value: string): Promise<void> {
    await this.#access.write(() => this.#keyv.set(key, value));
  }

  /** The values of these keys, in their order. */
  many(keys: readonly string[]): Promise<(string | undefined)[]> {
    return this.#access.read(() => this.#keyv.getMany<string>([...keys]));
  }

  /** All of them or none: one transaction on every store. */
  async setMany(entries: readonly { readonly key: string; readonly value: string }[]): Promise<void> {
    await this.#access.write(() => this.#keyv.setMany([...entries]));
  }

  async delete(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#access.write(() => this.#keyv.deleteMany([...keys]));
  }

  /** Every key, sorted. Redis gives keys in no order and some twice, so they are collected first. */
  keys(): Promise<string[]> {
    return this.#access.read(async () => {
      const keys = new Set<string>();
      this.#emitted = undefined;
      const entries: AsyncIterable<unknown> | undefined = this.#keyv.iterator?.(this.#namespace);
      if (entries === undefined) throw this.#access.unusable("its keyv adapter cannot iterate");
      for await (const entry of entries) if (Array.isArray(entry)) keys.add(String(entry[0]));
      if (this.#emitted !== undefined) throw this.#access.unusable(this.#emitted);
      return [...keys].sort();
    });
  }

  /** Every entry in the order of the keys. What is removed meanwhile is left out, what is added later is not seen. */
  async *all(): AsyncGenerator<readonly [string, string]> {
    const keys = await this.keys();
    for (let start = 0; start < keys.length; start += pageKeys) {
      const page = keys.slice(start, start + pageKeys);
      const values = await this.many(page);
      for (const [index, key] of page.entries()) {
        const value = values[index];
        if (value !== undefined) yield [key, value];
      }
    }
  }

  /** `STORE_UNUSABLE` that names the entry, for one that cannot be understood. */
  unreadable(key: string, thrown: unknown): CrewError {
    return this.#access.unusable(`the entry ${key} in ${this.#namespace} cannot be read: ${reasonOf(thrown)}`);
  }
}
