// Survives a restart of its server; says each state on a line: reconnect.mjs URL
import { connect } from "@nats-io/transport-node";

const nc = await connect({ servers: process.argv[2], reconnectTimeWait: 50, maxReconnectAttempts: -1 });
const sub = nc.subscribe("again");
await nc.flush();
console.log("connected");
(async () => {
  for await (const s of nc.status()) console.log(s.type);
})();
for await (const m of sub) {
  console.log("got " + m.string());
  break;
}
await nc.close();
console.log("done");
