// Requests in all forms, no responders, services: requests.mjs URL
import assert from "node:assert";
import { connect } from "@nats-io/transport-node";
import { Svcm } from "@nats-io/services";

const servers = process.argv[2];
const service = await connect({ servers });
const client = await connect({ servers });

service.subscribe("echo", { callback: (_, m) => m.respond(m.data) });
await service.flush();

const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => client.request("echo", String(i), { timeout: 20000 })));
assert.deepEqual(answers.map((m) => Number(m.string())), Array.from({ length: 300 }, (_, i) => i));

const old = await client.request("echo", "own inbox", { timeout: 20000, noMux: true });
assert.equal(old.string(), "own inbox");

await assert.rejects(client.request("nobody", "", { timeout: 20000 }), /no responders|503/i);

service.subscribe("many", { callback: (_, m) => { for (let i = 0; i < 5; i++) m.respond(String(i)); } });
await service.flush();
const many = [];
for await (const m of await client.requestMany("many", "", { strategy: "count", maxMessages: 5, maxWait: 20000 })) many.push(m.string());
assert.deepEqual(many, ["0", "1", "2", "3", "4"]);

const added = await new Svcm(service).add({ name: "calc", version: "1.0.0" });
added.addEndpoint("double", (_, m) => m.respond(String(2 * Number(m.string()))));
await service.flush();
assert.equal((await client.request("double", "21", { timeout: 20000 })).string(), "42");
const pings = [];
for await (const p of await new Svcm(client).client().ping("calc")) pings.push(p.name);
assert.deepEqual(pings, ["calc"]);

await client.rtt();
await service.close();
await client.close();
console.log("done");
