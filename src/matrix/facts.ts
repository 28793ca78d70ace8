/** Where small facts are kept over a restart, by name. Values are JSON. Backed by the journal. */
export interface Facts {
  get(name: string): Promise<unknown>;
  set(name: string, value: unknown): Promise<void>;
}
