import assert from "node:assert/strict";
import { PROGRAMS } from "../../../../deploy/build/programs.ts";
import { SOURCE_FLAGS } from "../../../../protocol/process/own_process.ts";
import { runProgram } from "../../../harness/program.ts";
import { TempFolder } from "../../../harness/temp_folder.ts";

const source = (path: string) => new URL(`../../../../${path}`, import.meta.url).href;

const LOOK = `
import { handlesForLogs } from "${source("agent/ingest/handles.ts")}";
import { readKernelFile } from "${source("protocol/process/kernel_file.ts")}";
const stat = readKernelFile(\`/proc/\${Deno.pid}/stat\`);
console.log(JSON.stringify({
  pid: Number(stat?.split(" ")[0]) === Deno.pid,
  limit: handlesForLogs().limit,
  missing: readKernelFile("/proc/self/nothing"),
  folder: readKernelFile("/proc/self"),
}));
`;

for (const { name, permissions } of PROGRAMS) {
  Deno.test(`what the kernel says of processes is known to ${name} with the rights that it has`, async () => {
    await using folder = await TempFolder.make();
    const rights = permissions.map((flag) => flag.replace("{root}", folder.path));
    const look = await folder.write("look.ts", LOOK);
    const config = new URL(source("deno.json")).pathname;
    const { code, stdout, stderr } = await runProgram({
      command: "sh",
      args: [
        ...["-c", 'ulimit -n 777; exec "$@"', "sh", Deno.execPath()],
        ...["run", "--no-prompt", "--config", config, ...SOURCE_FLAGS, ...rights, look],
      ],
    });
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), { pid: true, limit: 777, missing: null, folder: null });
  });
}
