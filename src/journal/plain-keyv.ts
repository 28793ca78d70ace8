/**
 * keyv without its envelope. By default keyv wraps every value as `{"value":…,"expires":…}`, so that a transaction's
 * body of 100 KB would be escaped, quoted and parsed a second time. The journal hands over strings that are ready to be
 * written, and they are stored as they are: no namespace here has a time to live.
 */
import { Keyv, type DeserializedData, type KeyvStoreAdapter } from "keyv";

function serialize<Value>(data: DeserializedData<Value>): string {
  return String(data.value);
}

function deserialize<Value>(text: string): DeserializedData<Value> {
  const value: unknown = text;
  return { value: value as Value };
}

/** `useKeyPrefix`: whether keyv puts `<namespace>:` before a key; off for adapters that do something like it themselves. */
export function plainKeyv(store: KeyvStoreAdapter, namespace: string, useKeyPrefix = true): Keyv<string> {
  return new Keyv<string>({ store, namespace, useKeyPrefix, serialize, deserialize, throwOnErrors: true });
}
