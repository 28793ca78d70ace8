/** Whether a symbolic link leads out of its worktree. Nothing outside is looked at to find out. */
import { readlink } from "node:fs/promises";
import { isAway } from "./on-disk.ts";
import { bytesOf } from "./index-file.ts";

/** As many as Linux follows. More are a loop, and a loop leads nowhere. */
const mostLinks = 40;

/** @param name Of the link, one character per byte. An absolute target leads out: on another host it is elsewhere. */
export async function leadsOut(root: string, name: string, target: Uint8Array): Promise<boolean> {
  const done = name.split("/").slice(0, -1);
  let aim = Buffer.from(target).toString("latin1");
  const todo: string[] = [];
  for (let links = 0; links < mostLinks; links += 1) {
    if (aim.startsWith("/")) return true;
    todo.unshift(...aim.split("/").filter((part) => part !== "" && part !== "."));
    let next: string | undefined;
    for (let part = todo.shift(); part !== undefined && next === undefined;) {
      if (part === "..") {
        if (done.pop() === undefined) return true;
      } else {
        const path = bytesOf([...done, part].join("/"));
        const found = await readlink(Buffer.concat([Buffer.from(`${root}/`), path]), { encoding: "buffer" }).catch(
          (thrown: unknown) => {
            if (isAway(thrown)) return undefined;
            throw thrown;
          },
        );
        if (found === undefined) done.push(part);
        else next = found.toString("latin1");
      }
      if (next === undefined) part = todo.shift();
    }
    if (next === undefined) return false;
    aim = next;
  }
  return false;
}
