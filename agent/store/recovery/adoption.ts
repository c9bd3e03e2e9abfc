/** What agent.db is told of files that it did not name: rows, offsets, and what was counted. */
import { total } from "../../account/report.ts";
import type { Count } from "../../account/tally.ts";
import type { Adoption, Catalog, StoredFile } from "../database/catalog.ts";
import type { FoundFile, Reconciled } from "./reconcile.ts";

/** The commit that takes files in. */
export function adoptionOf(
  { adopted, replaced }: Reconciled,
  catalog: Catalog,
): Omit<Adoption, "shapes"> {
  const { accounts, uncounted } = accountsOf(adopted);
  const counts = accounts.flatMap((account) => account.counts);
  return {
    adopted: adopted.map(storedFile),
    replaced,
    generations: newerGenerations(adopted, catalog, counts),
    counts: [...counts, ...uncountedRows(uncounted.map(storedFile), replaced)],
    gaps: accounts.flatMap(({ gaps }) => gaps),
  };
}

type Account = NonNullable<FoundFile["metadata"]["account"]>;

/**
 * What whole flushes counted, and the files of which nobody knows any more whose their rows are:
 * chunks, and parts of whose fellows some are sealed.
 */
function accountsOf(
  adopted: readonly FoundFile[],
): { accounts: Account[]; uncounted: FoundFile[] } {
  const flushes = [...Map.groupBy(adopted, ({ metadata }) => metadata.flush?.id ?? null).values()];
  const accounts: Account[] = [];
  const uncounted: FoundFile[] = [];
  for (const files of flushes) {
    const account = files.map(({ metadata }) => metadata.account).find((one) => one !== null);
    const isWhole = files.length === files[0]?.metadata.flush?.parts;
    if (account !== undefined && isWhole) accounts.push(account);
    else uncounted.push(...files);
  }
  return { accounts, uncounted };
}

/** The newest facts of each generation, where they are newer than agent.db's. */
function newerGenerations(
  adopted: readonly FoundFile[],
  catalog: Catalog,
  counts: readonly Count[],
): Adoption["generations"] {
  const known = new Map(catalog.generations().map((generation) => [generation.id, generation]));
  const facts = adopted.flatMap(({ metadata }) => metadata.generations);
  const inputs = new Map(
    facts.flatMap(({ id, inputPath }) => inputPath === null ? [] : [[id, inputPath]]),
  );
  const began = new Map(
    facts.flatMap(({ id, beganOffset }) =>
      typeof beganOffset === "number" ? [[id, beganOffset]] : []
    ),
  );
  const newest = new Map(
    facts.toSorted((a, b) => a.offset - b.offset).map((generation) => [generation.id, generation]),
  );
  const countsOf = Map.groupBy(counts, ({ generation }) => generation);
  return [...newest.values()]
    .filter(({ id, offset }) => offset > (known.get(id)?.offset ?? -1))
    .map(({ inputPath: _, beganOffset: __, ...generation }) => {
      const { id, path, offset } = generation;
      const { offset: before = 0, lines = 0 } = known.get(id) ?? {};
      const added = total(countsOf.get(id) ?? []);
      return {
        generation: { ...generation, lines: lines + added.lines },
        inputPath: inputs.get(id) ?? path,
        beganOffset: began.get(id) ?? null,
        uncountedBytes: offset - before - added.bytes,
      };
    });
}

/** Rows of which nobody knows any more whose they are. */
function uncountedRows(adopted: readonly StoredFile[], replaced: readonly StoredFile[]): Count[] {
  const signed = [
    ...adopted,
    ...replaced.map((file) => ({ ...file, rows: -file.rows })),
  ];
  return [...Map.groupBy(signed, ({ stream, hour }) => `${stream}/${hour}`).values()]
    .flatMap(([first, ...others]) =>
      first === undefined ? [] : [{
        stream: first.stream,
        hour: first.hour,
        generation: "",
        outcome: "uncounted",
        reason: "",
        lines: others.reduce((sum, { rows }) => sum + rows, first.rows),
        bytes: 0,
      }]
    );
}

/** What agent.db says of a found file. */
export function storedFile({ metadata, path, bytes }: FoundFile): StoredFile {
  const { id, kind, stream, hour, rows, tsMinUs, tsMaxUs, createdMs, runs } = metadata;
  const facts = { id, kind, stream, hour, rows, tsMinUs, tsMaxUs, createdMs, runs };
  return { ...facts, path, bytes, sha256: null };
}
