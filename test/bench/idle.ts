/** A Node that does nothing but listen. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tellPort } from "./child.ts";

const server = createServer();
server.listen(0, "127.0.0.1");
await once(server, "listening");
tellPort((server.address() as AddressInfo).port);
