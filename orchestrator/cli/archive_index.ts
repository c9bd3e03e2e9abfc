/** `logvend archive index`: which days of archives have a manifest; and they are made anew. */
import { counted, formatBytes } from "../../protocol/units.ts";
import { renderTable } from "../../queries/answer/table.ts";
import { catalogDays } from "../archive/catalog_days.ts";
import type { CatalogDays } from "../archive/catalog_days.ts";
import { filterOf, openArchives } from "./archive.ts";
import type { ArchiveOptions } from "./archive.ts";
import type { Terminal } from "./terminal.ts";

const COLUMNS = ["stream", "region", "days", "manifests", "bytes", "changed"].map((name) => ({
  name,
  type: ["days", "manifests", "changed"].includes(name) ? "BIGINT" : "VARCHAR",
}));

/** With `rebuild` the manifests are removed: agents make them anew. @throws {LogvendError} */
export async function indexCommand(
  options: ArchiveOptions & { rebuild?: boolean },
  terminal: Terminal,
): Promise<void> {
  await using stores = await openArchives(options);
  const { signal } = terminal;
  const rows: ReturnType<typeof rowOf>[] = [];
  let removed = 0;
  for await (const days of catalogDays(stores.all, filterOf(options, terminal), signal)) {
    rows.push(rowOf(days));
    if (options.rebuild !== true) continue;
    for (const { key } of days.manifests) {
      await days.store.remove(key, signal);
      removed++;
    }
  }
  if (options.rebuild === true) {
    return terminal.error(
      `removed ${counted(removed, "manifest")}: agents make them anew in their turns, the newest ` +
        "first; until then days are listed",
    );
  }
  if (options.output === "json") {
    return await terminal.write(`${JSON.stringify(rows, null, 2)}\n`);
  }
  const shown = rows.map((row) => ({ ...row, bytes: formatBytes(row.bytes) }));
  await terminal.write(
    rows.length === 0
      ? "Nothing is archived of that\n"
      : renderTable(COLUMNS, shown, terminal.tableLook),
  );
}

function rowOf({ stream, region, dates, manifests, changed }: CatalogDays) {
  const bytes = manifests.reduce((sum, one) => sum + one.bytes, 0);
  const counts = {
    days: dates.length,
    manifests: manifests.length,
    bytes,
    changed: changed.length,
  };
  return { stream, region, ...counts };
}
