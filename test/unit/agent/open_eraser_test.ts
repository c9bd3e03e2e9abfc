/** Whom an agent lets erase: what it says of records, and which it takes. */
import assert from "node:assert/strict";
import { AgentConfig } from "../../../agent/config.ts";
import { erasureState } from "../../../agent/open_eraser.ts";
import { TempFolder } from "../../harness/temp_folder.ts";
import { eraseSigner, erasingHost } from "./erase/scene.ts";

Deno.test("an agent erases what was signed for its own fleet, and says why nothing else", async () => {
  await using folder = await TempFolder.make();
  await using host = await erasingHost(folder);
  const { sign, publicKey } = await eraseSigner();
  const configOf = (more: object) =>
    AgentConfig.parse({
      host: "web-1",
      data_dir: host.dataDir,
      trust_erase: [publicKey],
      streams: [{ name: "logs", format: "combined", files: ["/var/log/nginx/access.log"] }],
      ...more,
    });
  const { id, record } = await sign();
  const stateIn = (more: object) => erasureState(host.eraser, configOf(more), { id, record });
  for (const more of [{ fleet: "staging" }, { topic_prefix: "staging" }]) {
    const { state, reason } = await stateIn(more);
    assert.equal(state, "refused");
    assert.match(reason ?? "", /signed for the fleet "logvend", and this is "staging"/);
  }
  assert.equal((await stateIn({ trust_erase: [] })).state, "refused");
  assert.equal(host.store.erasures.count(), 0);
  assert.equal((await stateIn({ fleet: "logvend", topic_prefix: "eu" })).state, "working");
  assert.equal(host.store.erasures.count(), 1);
});
