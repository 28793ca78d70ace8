import { expect, test } from "vitest";
import type { Inbox, InboxSeq } from "../../src/journal/journal.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Intake } from "../../src/rooms/intake.ts";
import type { Outcome } from "../../src/rooms/lane.ts";
import { room, Scene } from "../core/scene.ts";

const log = createLogger({ level: "silent", format: "json" });

/** An intake on an inbox whose disk the test is. */
function open() {
  const disk = Promise.withResolvers<InboxSeq>();
  const lane = Promise.withResolvers<Outcome>();
  const did: string[] = [];
  const inbox: Inbox = {
    append: (body) => {
      did.push(`append ${body}`);
      return disk.promise;
    },
    remove: async (seqs) => void did.push(`remove ${seqs.join()}`),
    async *pending() {},
  };
  const intake = new Intake({
    inbox,
    decode: () => [],
    put: (_room, { kind }) => {
      did.push(`put ${kind}`);
      return lane.promise;
    },
    onHandled: (outcome) => did.push(outcome),
    log,
  });
  return { intake, disk, lane, did };
}

const said = () => [{ room, input: new Scene().message("hello") }];

test("a transaction is handled while it goes to disk, and kept until all of it is recorded", async () => {
  const { intake, disk, lane, did } = open();
  const accepted = intake.accept("body", said(), 0).then(() => did.push("accepted"));
  expect(did).toEqual(["append body", "put message"]);
  disk.resolve(7);
  await accepted;
  lane.resolve({ outcome: "acted" });
  await intake[Symbol.asyncDispose]();
  expect(did).toEqual(["append body", "put message", "accepted", "acted", "remove 7"]);
});

test("what the inbox cannot take is refused, although it may be recorded already", async () => {
  const { intake, disk, lane, did } = open();
  const accepted = intake.accept("body", said(), 0);
  lane.resolve({ outcome: "acted" });
  disk.reject(new Error("the disk is full"));
  await expect(accepted).rejects.toThrow("the disk is full");
  await intake[Symbol.asyncDispose]();
  expect(did).toEqual(["append body", "put message", "acted"]);
});

test("what brings nothing to act on is not kept", async () => {
  const { intake, did } = open();
  await intake.accept("body", [], 0);
  expect(did).toEqual([]);
});
