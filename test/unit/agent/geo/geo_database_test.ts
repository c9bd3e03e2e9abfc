/** Databases as the demo writes them, read as those of others are. */
import assert from "node:assert/strict";
import { configureSync, resetSync } from "@logtape/logtape";
import { GeoDatabase } from "../../../../agent/geo/geo_database.ts";
import { mmdb } from "../../../../orchestrator/demo/mmdb.ts";
import type { Network } from "../../../../orchestrator/demo/mmdb.ts";
import { visitorNetworks } from "../../../../orchestrator/demo/places.ts";
import { LogvendError } from "../../../../protocol/errors.ts";
import { eventually } from "../../../harness/eventually.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const encoder = new TextEncoder();
const LONG_NAME = "Llanfair".repeat(20);

const NETWORKS: readonly Network[] = [
  { cidr: "81.0.0.0/8", country: "DE", city: "München" },
  { cidr: "81.2.69.0/24", country: "GB" },
  { cidr: "81.2.69.142/32", country: "GB", city: LONG_NAME },
  { cidr: "2001:db8::/32", country: "FR", city: "Paris" },
  { cidr: "2001:db8:1::/48", country: "JP", city: "東京" },
  { cidr: "2001:db8:1::7/128", country: "BR", city: "São Paulo" },
];

function database(networks: readonly Network[], type = "Test-City"): Uint8Array {
  return mmdb(networks, { type, builtMs: Date.parse("2026-11-20") });
}

/** Where a database says that an address is. */
function placeOf({ places }: GeoDatabase, address: string): string {
  const bytes = encoder.encode(address);
  const { country, city } = places.placeAt(bytes, 0, bytes.length);
  return `${country} ${city}`;
}

Deno.test("a database gives country and city of IPv4 and IPv6 addresses, of the smallest network", async () => {
  await using folder = await TempFolder.make();
  await using geo = await GeoDatabase.open(await folder.write("a.mmdb", database(NETWORKS)));
  assert.equal(geo.title, "Test-City of 2026-11-20");
  const expected = {
    "81.0.0.0": "DE München",
    "81.255.255.255": "DE München",
    "81.2.69.0": "GB null",
    "81.2.69.141": "GB null",
    "81.2.69.142": `GB ${LONG_NAME}`,
    "81.2.69.143": "GB null",
    "81.2.70.0": "DE München",
    "2001:db8::1": "FR Paris",
    "2001:DB8:1::": "JP 東京",
    "2001:db8:1:0:0:0:0:7": "BR São Paulo",
    "2001:db8:1::8": "JP 東京",
  };
  const found = Object.keys(expected).map((address) => [address, placeOf(geo, address)]);
  assert.deepEqual(Object.fromEntries(found), expected);
});

Deno.test("private addresses, unknown ones and other texts are nowhere", async () => {
  await using folder = await TempFolder.make();
  await using geo = await GeoDatabase.open(await folder.write("a.mmdb", database(NETWORKS)));
  const none = ["10.0.0.1", "192.168.1.1", "127.0.0.1", "80.255.255.255", "82.0.0.0", "2001:db9::"];
  const odd = ["-", "***", "81.2.69", "81.2.69.256", "81.2.69.1 ", "8x.1.1.1", "::g", "unix:", "ü"];
  const hash = "0123456789abcdef";
  for (const text of [...none, ...odd, hash]) assert.equal(placeOf(geo, text), "null null", text);
});

Deno.test("a database of IPv4 addresses knows nothing of IPv6 ones", async () => {
  await using folder = await TempFolder.make();
  const bytes = database([{ cidr: "2001:db8::/32", country: "FR", city: "Paris" }]);
  const key = new TextDecoder("latin1").decode(bytes).indexOf("ip_version") + "ip_version".length;
  bytes[key + 4] = 4; // behind the type
  await using geo = await GeoDatabase.open(await folder.write("a.mmdb", bytes));
  assert.equal(placeOf(geo, "2001:db8::1"), "null null");
  assert.equal(placeOf(geo, "32.1.13.184"), "FR Paris"); // the same bits
});

Deno.test("the demo's database knows where most of the generated visitors are", async () => {
  await using folder = await TempFolder.make();
  await using geo = await GeoDatabase.open(
    await folder.write("a.mmdb", database(visitorNetworks())),
  );
  assert.equal(placeOf(geo, "11.0.0.0"), "US New York");
  assert.equal(placeOf(geo, "187.255.255.255"), "SG Singapore");
  assert.equal(placeOf(geo, "188.0.0.0"), "null null");
  assert.equal(placeOf(geo, "2001:db8:0:1::1"), "US New York");
  assert.equal(placeOf(geo, "2001:db8:ffff:1::1"), "SG Singapore");
});

Deno.test("what is no database stops the start, and the message says where to get one", async () => {
  await using folder = await TempFolder.make();
  const bytes = database(NETWORKS);
  const check = async (path: string, reason: RegExp) => {
    const error = await GeoDatabase.open(path).then(() => null, (error) => error);
    assert.ok(error instanceof LogvendError && error.exitCode === 78);
    assert.match(error.message, reason);
    assert.match(error.message, /GeoLite2 City \(https:.*DB-IP/);
  };
  await check(folder.join("none.mmdb"), /^Cannot use geo\.database .*none\.mmdb: no such file\n/);
  await check(await folder.write("empty.mmdb", ""), /empty\.mmdb: /);
  await check(await folder.write("text.mmdb", "no database\n"), /text\.mmdb: /);
  const cut = bytes.subarray(0, bytes.length / 2);
  await check(await folder.write("cut.mmdb", cut), /cut\.mmdb: /);
  const end = bytes.subarray(bytes.length - 300);
  await check(await folder.write("end.mmdb", end), /end\.mmdb: it is cut/);
});

/** What the agent's log says of databases. */
function hearing(): Disposable & { said: string[] } {
  const said: string[] = [];
  configureSync({
    reset: true,
    sinks: { said: ({ level, message }) => said.push(`${level} ${message.join("")}`) },
    loggers: [
      { category: ["agent", "geo"], sinks: ["said"], lowestLevel: "info" },
      { category: ["logtape", "meta"], lowestLevel: "warning" },
    ],
  });
  return { said, [Symbol.dispose]: resetSync };
}

Deno.test("a database that is damaged inside is warned of once, and addresses in it are nowhere", async () => {
  using heard = hearing();
  await using folder = await TempFolder.make();
  const bytes = database(NETWORKS);
  const data = new TextDecoder("latin1").decode(bytes).indexOf("country") - 2;
  bytes.fill(0, data, data + 100);
  await using geo = await GeoDatabase.open(await folder.write("a.mmdb", bytes));
  assert.equal(placeOf(geo, "81.0.0.1"), "null null");
  assert.equal(placeOf(geo, "81.0.0.2"), "null null");
  assert.equal(placeOf(geo, "2001:db8:1::7"), "BR São Paulo");
  assert.equal(heard.said.length, 1);
  assert.match(
    heard.said[0] ?? "",
    /^warning .*a\.mmdb.* is damaged, some addresses are not found/,
  );
});

Deno.test("a replaced file is taken up; one that is broken is warned of once, and the old one stays", async () => {
  using heard = hearing();
  const { said } = heard;
  await using folder = await TempFolder.make();
  const path = await folder.write("a.mmdb", database(NETWORKS));
  const replace = async (content: string | Uint8Array) => {
    await Deno.rename(await folder.write("new", content), path);
  };
  const saying = (pattern: RegExp) => said.filter((text) => pattern.test(text)).length;
  await using geo = await GeoDatabase.open(path, 5);
  assert.equal(placeOf(geo, "81.0.0.1"), "DE München");
  await replace("broken");
  await eventually(() =>
    saying(/^warning .*a\.mmdb: .*Test-City of 2026-11-20 stays in use/) === 1
  );
  assert.equal(placeOf(geo, "81.0.0.1"), "DE München");
  await Deno.remove(path);
  await eventually(() => saying(/^warning .*: no such file/) === 1);
  await replace(database([{ cidr: "81.0.0.0/8", country: "CH", city: "Zurich" }], "Newer-City"));
  await eventually(() => saying(/^info .*Newer-City of/) === 1);
  assert.equal(placeOf(geo, "81.0.0.1"), "CH Zurich");
  assert.equal(said.length, 3);
});
