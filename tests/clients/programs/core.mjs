// Publish, subscribe, queue groups, headers, limits: core.mjs URL
import assert from "node:assert";
import { connect, headers } from "@nats-io/transport-node";

const servers = process.argv[2];
const a = await connect({ servers });
const b = await connect({ servers });

// thousands, in order
const numbers = [];
const all = a.subscribe("n.>", { callback: (_, m) => numbers.push(Number(m.string())) });
await a.flush();
for (let i = 0; i < 5000; i++) b.publish(`n.${i % 5}.x`, String(i));
await b.flush();
await a.flush();
assert.deepEqual(numbers, Array.from({ length: 5000 }, (_, i) => i));
all.unsubscribe();

// a queue group shares
const counts = [0, 0];
const members = [a, b].map((nc, i) => nc.subscribe("jobs", { queue: "q", callback: () => counts[i]++ }));
await a.flush();
await b.flush();
for (let i = 0; i < 1000; i++) b.publish("jobs");
await b.flush();
await a.flush();
assert.equal(counts[0] + counts[1], 1000);
assert.ok(Math.min(...counts) > 300, String(counts));
members.forEach((m) => m.unsubscribe());

// headers arrive as sent, the limit of a subscription holds
const limited = a.subscribe("few", { max: 2 });
await a.flush();
const h = headers();
h.append("Key", "one");
h.append("Key", "two");
for (let i = 0; i < 5; i++) b.publish("few", String(i), { headers: h });
const few = [];
for await (const m of limited) few.push([m.string(), m.headers.values("Key").join()]);
assert.deepEqual(few, [["0", "one,two"], ["1", "one,two"]]);

// bytes stay bytes
const bytes = new Uint8Array(1024 * 1024).map((_, i) => i * 7);
const large = a.subscribe("large", { max: 1 });
await a.flush();
b.publish("large", bytes);
for await (const m of large) assert.deepEqual(Buffer.from(m.data), Buffer.from(bytes));

await a.drain();
await b.close();
console.log("done");
