/** What a link says that its host holds, and when: before the presence that names it. */
import assert from "node:assert/strict";
import { Link } from "../../../../agent/link/link.ts";
import { eventually } from "../../../harness/eventually.ts";
import { accessTables } from "../../../harness/tables.ts";
import { fixedHoldings, ORCHESTRATOR, Orchestrator, startBroker, STATS } from "./fleet.ts";

Deno.test("holdings are retained, said anew when they change, and good after a goodbye only", async () => {
  await using broker = await startBroker();
  await using orchestrator = await Orchestrator.connect(broker.url, "web-1");
  const holdings = fixedHoldings();
  let version = "v1";
  let late = () => {};
  const link = new Link({
    url: broker.url,
    topicPrefix: "logvend",
    host: "web-1",
    region: "eu-west-1",
    labels: {},
    version: "0.1.0",
    streams: ["logs"],
    tables: () => accessTables("logs"),
    holdings: {
      ...holdings,
      statement: (isRead) => ({ ...holdings.statement(isRead), version }),
      watch: (onLate) => late = onLate,
    },
    isRead: () => true,
    trust: [],
    answer: () => Promise.reject(new Error("Nobody asks here")),
    openLive: () => Promise.reject(new Error("Nobody tails here")),
    erase: () => Promise.reject(new Error("Nobody erases here")),
    isKnown: () => false,
    remember: () => {},
    endQuery: () => {},
    stats: () => STATS,
  });
  const { presences, holdings: said, days } = orchestrator;
  await eventually(() => presences[0]?.holdings === "v1");
  assert.deepEqual(said.map((one) => one.version), ["v1"]);
  late(); // nothing has changed
  await eventually(() => presences.length >= 2);
  assert.equal(said.length, 1);
  version = "v2";
  late();
  await eventually(() => presences.at(-1)?.holdings === "v2");
  assert.deepEqual(said.map((one) => one.version), ["v1", "v2"]);
  orchestrator.command("holdings", { orchestrator: ORCHESTRATOR, days: ["2026-11-21"] });
  await eventually(() => days.length === 1);
  assert.deepEqual(days[0], holdings.day("2026-11-21"));

  broker.breakConnection("logvend-web-1"); // the last will knows nothing
  await eventually(() => presences.some((one) => one.state === "offline"));
  assert.equal(presences.find((one) => one.state === "offline")?.holdings, undefined);
  await eventually(() => presences.at(-1)?.state === "online");
  assert.equal(said.at(-1)?.version, "v2"); // the broker may have forgotten it
  await link[Symbol.asyncDispose]();
  await eventually(() => presences.at(-1)?.state === "offline");
  assert.equal(presences.at(-1)?.holdings, "v2");
  await using newcomer = await Orchestrator.connect(broker.url, "web-1");
  await eventually(() => newcomer.holdings.length === 1);
});
