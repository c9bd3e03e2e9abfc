import assert from "node:assert/strict";
import { configurationPage } from "../../../docs/generate.ts";

Deno.test("docs/configuration.md is what the schemas say", async () => {
  const page = await Deno.readTextFile(new URL("../../../docs/configuration.md", import.meta.url));
  assert.equal(page, configurationPage(), "run: deno run -A docs/generate.ts");
});
