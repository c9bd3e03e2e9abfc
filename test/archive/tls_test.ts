import assert from "node:assert/strict";
import { startCeph } from "../harness/ceph/cluster.ts";
import { AUTHORITY } from "../harness/tls.ts";
import { CEPH_IS_MISSING } from "../harness/ceph/root.ts";
import { fails } from "../harness/object_store.ts";
import { ourProgram, runProgram } from "../harness/program.ts";
import { makeBucket } from "../harness/s3.ts";
import { TempFolder } from "../harness/temp_folder.ts";
import { archivedLines, makeHost, writtenLines } from "./scene.ts";

const { signal } = new AbortController();

Deno.test({
  name: "a store with TLS of an authority of one's own, in a region, by keys from the environment",
  ignore: CEPH_IS_MISSING,
  async fn() {
    await using folder = await TempFolder.make();
    const region = "eu-west-1";
    await using ceph = await startCeph({ region, tls: true });
    const bucket = await makeBucket(ceph, folder, region);
    await using host = await makeHost(folder);
    await host.seal(2);
    await using stranger = await bucket.open({}, { attemptsMax: 1 });
    await fails(stranger.head("x", signal), "unreachable");
    const more = { ca: AUTHORITY, storage_class: "STANDARD", bandwidth: "50KB" };
    await using objects = await bucket.open(more);
    await host.archive(objects).uploadAll(signal);
    assert.deepEqual(await archivedLines(objects), writtenLines(host.lines));
    const config = await folder.write(
      "agent.yaml",
      `data_dir: ./d
streams: [ { name: logs, files: [ ./a.log ] } ]
archive:
  url: s3://${bucket.name}/logs
  endpoint: ${ceph.endpoint}
  path_style: true
  region: ${region}
  ca: ${AUTHORITY}
`,
    );
    const validate = (secret: string) =>
      runProgram({
        args: ourProgram("agent/main.ts", "validate", "-c", config),
        env: { AWS_ACCESS_KEY_ID: ceph.accessKey, AWS_SECRET_ACCESS_KEY: secret },
      });
    const right = await validate(ceph.secretKey);
    assert.equal(right.code, 0, right.stderr);
    assert.match(right.stdout, new RegExp(`archive s3://${bucket.name}/logs: can be listed`));
    const wrong = await validate("wrong");
    assert.equal(wrong.code, 77);
    assert.match(wrong.stderr, /Cannot list objects in s3:.*the credentials are wrong/);
  },
});
