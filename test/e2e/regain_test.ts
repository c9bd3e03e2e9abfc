/** An agent that lost its data folder while its archive does not answer: whole processes, and kills. */
import assert from "node:assert/strict";
import { z } from "zod";
import { FolderStore } from "../../protocol/archive/folder_store.ts";
import { archivedLines } from "../archive/scene.ts";
import { AgentUnderTest } from "../faults/agent_process.ts";
import { combinedLineAt } from "../harness/lines.ts";
import { freePort } from "../harness/ports.ts";
import { TempFolder } from "../harness/temp_folder.ts";

const HOUR_MS = 3_600_000;
const Readiness = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });

/** A host whose archive is a folder, and the lines that were written to its log. */
class Host {
  readonly lines: string[] = [];
  private readonly port = freePort();

  private constructor(readonly folder: TempFolder, readonly askFirst: string) {}

  static async run(askFirst: string, test: (host: Host, agent: AgentUnderTest) => Promise<void>) {
    await using folder = await TempFolder.make();
    const host = new Host(folder, askFirst);
    const archive = `archive: { url: 'file:${host.archive}', ask_first: ${askFirst} }`;
    const http = `http: 127.0.0.1:${host.port}`;
    const more = `${archive}\n${http}\ndrain_timeout: 10m`;
    await using agent = await AgentUnderTest.make({ folder, more });
    await test(host, agent);
  }

  get archive(): string {
    return this.folder.join("archive");
  }

  /** Appends lines of hours that are over. */
  async write(count: number) {
    const lines = Array.from({ length: count }, (_, i) => {
      const atMs = Date.now() - (2 + i % 3) * HOUR_MS;
      return combinedLineAt(atMs, this.lines.length + i);
    });
    this.lines.push(...lines.map((line) => line.trimEnd()));
    await Deno.writeTextFile(this.folder.join("logs", "access.log"), lines.join(""), {
      append: true,
    });
  }

  /** Whoever looks into the archive gets an error, until what this gives is called. */
  async breakArchive(): Promise<() => Promise<void>> {
    const aside = this.folder.join("aside");
    await Deno.rename(this.archive, aside).catch(() => Deno.mkdir(aside));
    await Deno.symlink(this.archive, this.archive);
    return async () => {
      await Deno.remove(this.archive);
      await Deno.rename(aside, this.archive);
    };
  }

  async page(path: string): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.port}${path}`)).text();
  }

  async check() {
    await using objects = new FolderStore(this.archive);
    assert.deepEqual(await archivedLines(objects), this.lines.toSorted());
  }
}

Deno.test("a lost folder while the archive does not answer: log files wait for it, also after kills", () =>
  Host.run("15m", async (host, agent) => {
    await host.write(2_000);
    await agent.start();
    await agent.stop();
    await host.check();
    await Deno.remove(agent.dataDir, { recursive: true });
    const mend = await host.breakArchive();
    for (let i = 0; i < 2; i++) {
      await agent.start();
      await agent.running.waitForLine(/Log files wait until the archive says/);
      await host.write(100);
      const { ready, reasons } = Readiness.parse(JSON.parse(await host.page("/readyz")));
      assert.equal(ready, false);
      assert.match(reasons.join(), /log files wait until the archive has said/);
      assert.match(await host.page("/metrics"), /^logvend_reading_held_back 1$/m);
      if (i === 0) await agent.kill();
    }
    await mend();
    await agent.running.waitForLine(/has .*2000 lines/);
    await agent.kill(); // with nothing, some or all of it read
    await agent.start();
    await agent.stop();
    await host.check();
  }));

Deno.test("an archive that does not answer within the limit keeps no lines from being read", () =>
  Host.run("1s", async (host, agent) => {
    await host.write(200);
    const mend = await host.breakArchive();
    await agent.start();
    await agent.running.waitForLine(/did not answer within/);
    await mend();
    await agent.stop();
    await host.check();
  }));
