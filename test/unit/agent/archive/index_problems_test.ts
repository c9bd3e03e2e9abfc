import assert from "node:assert/strict";
import { readAgentConfig } from "../../../../agent/config.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const ARCHIVE = "archive: { url: 'file:./archive' }\n";

/** What is said of a stream, on one line; null: nothing. */
async function complaint(stream: string, more = ARCHIVE): Promise<string | null> {
  await using folder = await TempFolder.make();
  const yaml = `data_dir: d\n${more}streams: [ { name: logs, files: [ a ], ${stream} } ]\n`;
  const path = await folder.write("agent.yaml", yaml);
  const error = await readAgentConfig(path).then(() => null, (error) => error);
  return error === null ? null : String(error.message).replace(/\s+/g, " ");
}

Deno.test("what is indexed is a column of texts, of a stream that is archived", async () => {
  const check = async (stream: string, expected: RegExp | null, more?: string) => {
    const found = await complaint(stream, more);
    if (expected === null) assert.equal(found, null);
    else assert.match(found ?? "nothing", expected, stream);
  };
  const texts = "remote_addr, remote_user, http_method, request, http_version, http_referer, " +
    "http_user_agent";
  await check("index: [ remote_addr, Request ]", null);
  await check("format: json, index: [ user ]", null);
  await check(
    "index: [ request, remote_adr ]",
    new RegExp(
      `streams\\[0\\].index\\[1\\]: found "remote_adr"; wanted a column of texts: ${texts}. ` +
        "Did you mean remote_addr\\?",
    ),
  );
  await check("index: [ status ]", /found "status"; wanted a column of texts: remote_addr,/);
  await check("index: [ host ]", /found "host"; wanted a column of texts/);
  await check("format: json, index: [ line ]", /wanted a column of the stream's own that holds/);
  await check("index: [ request, REQUEST ]", /wanted columns that differ/);
  await check("index: [ request ]", /wanted archive too, whose catalog has the index/, "");
  const many = Array.from({ length: 9 }, (_, i) => `c${i}`).join(", ");
  await check(`format: json, index: [ ${many} ]`, /wanted up to 8 columns/);
});
