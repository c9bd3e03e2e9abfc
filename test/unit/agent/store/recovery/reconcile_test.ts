import assert from "node:assert/strict";
import { fc } from "../../../../harness/properties.ts";
import type { Run, StoredFile } from "../../../../../agent/store/database/catalog.ts";
import type {
  FileMetadata,
  GenerationFacts,
} from "../../../../../agent/store/files/file_metadata.ts";
import { mergeRuns, reconcile } from "../../../../../agent/store/recovery/reconcile.ts";
import type { FoundFile } from "../../../../../agent/store/recovery/reconcile.ts";
import { GENERATION } from "../scene.ts";
import { times } from "../../../../harness/seed.ts";

/** A line of one byte at `offset` of a generation, which went to an hour of a stream or nowhere. */
interface Line {
  generation: string;
  offset: number;
  /** `logs/2026-11-22T18`; null for a line that was dropped. */
  place: string | null;
}

/** What agent.db says. */
interface Database {
  files: Map<string, StoredFile>;
  offsets: Map<string, number>;
}

/** What lies on the disk, with the lines in it. */
type Disk = Map<string, { file: FoundFile; lines: Line[] }>;

type Step =
  | { do: "flush"; places: (string | null)[][]; end: FlushEnd; left: number }
  | { do: "seal"; pick: number; end: "whole" | "before commit" | "before unlink"; left: number }
  | { do: "start"; database: "kept" | "lost" | "old copy"; age: number };

/** `failed`: it could not be committed, nor its parts deleted, and everything is written again. */
type FlushEnd = "whole" | "killed" | "failed";

const PLACES = ["logs/2026-11-22T18", "logs/2026-11-22T19", "rejects/2026-11-22T18", null];
const GENERATIONS = ["a", "b"];

/** An agent's store, without its bytes. */
class Model {
  private database: Database = { files: new Map(), offsets: new Map() };
  private readonly backups: Database[] = [];
  private readonly disk: Disk = new Map();
  /** Every line that was ever read, by generation. */
  private readonly written = new Map(GENERATIONS.map((id) => [id, [] as Line[]]));
  /** How many of them are in memory. */
  private readonly read = new Map<string, number>();
  private ids = 0;

  run(step: Step) {
    if (step.do === "flush") this.flush(step);
    else if (step.do === "seal") this.seal(step);
    else this.start(step.database, step.age);
  }

  private flush({ places, end, left }: Step & { do: "flush" }) {
    for (const [i, generation] of GENERATIONS.entries()) this.append(generation, places[i] ?? []);
    const lines = GENERATIONS.flatMap((id) =>
      (this.written.get(id) ?? []).slice(this.offset(id), this.read.get(id))
    );
    const ends = new Map(GENERATIONS.map((id) => [id, this.read.get(id) ?? 0]));
    const parts = this.partsOf(lines, ends);
    const isWhole = end === "whole";
    const onDisk = isWhole ? parts : parts.slice(0, left % (parts.length + 1));
    for (const part of onDisk) this.disk.set(part.file.path, part);
    if (isWhole) {
      this.commit((database) => {
        for (const { file } of parts) database.files.set(file.path, stored(file));
        for (const [id, offset] of ends) database.offsets.set(id, offset);
      });
    } else if (end === "killed") this.start("kept", 0);
  }

  /** Lines that a log file has and that were not read since the last start, then new ones. */
  private append(generation: string, places: readonly (string | null)[]) {
    const lines = this.written.get(generation) ?? [];
    const start = this.read.get(generation) ?? 0;
    for (const [i, place] of places.entries()) {
      if (start + i >= lines.length) lines.push({ generation, offset: start + i, place });
    }
    this.read.set(generation, start + places.length);
  }

  private partsOf(lines: readonly Line[], ends: ReadonlyMap<string, number>) {
    const groups = [...Map.groupBy(lines, ({ place }) => place)].filter(([place]) =>
      place !== null
    );
    const streams = Map.groupBy(
      lines.filter(({ place }) => place !== null),
      ({ place }) => place?.split("/")[0],
    );
    const runs = mergeRuns([...streams.values()].flatMap(runsOf));
    const flush = { id: `f${this.ids++}`, parts: groups.length, runs };
    return groups.map(([place, ofPlace], index) => {
      const [stream = "", hour = ""] = place?.split("/") ?? [];
      const runs = runsOf(lines.filter((line) => line.place?.startsWith(stream)));
      const all = [...ends].filter(([id, offset]) => offset > this.offset(id))
        .map(([id, offset]) => facts(id, offset));
      const ids = new Set(runs.map(({ generation }) => generation));
      const generations = all.filter(({ id }) => index === 0 || ids.has(id));
      const file = this.file({ kind: "part", stream, hour, runs, flush, generations });
      return { file, lines: ofPlace };
    });
  }

  private seal({ pick, end, left }: Step & { do: "seal" }) {
    const parts = [...this.database.files.values()].filter(({ kind }) => kind === "part");
    const chosen = parts[pick % parts.length];
    if (chosen === undefined) return;
    const { stream, hour } = chosen;
    const ofHour = parts.filter((part) => part.stream === stream && part.hour === hour);
    const runs = mergeRuns(ofHour.flatMap((part) => part.runs));
    const generations = [...new Set(runs.map(({ generation }) => generation))]
      .map((id) => facts(id, this.offset(id)));
    const file = this.file({ kind: "chunk", stream, hour, runs, flush: null, generations });
    const lines = ofHour.flatMap(({ path }) => this.disk.get(path)?.lines ?? []);
    this.disk.set(file.path, { file, lines });
    if (end === "before commit") return this.start("kept", 0);
    this.commit((database) => {
      database.files.set(file.path, stored(file));
      for (const { path } of ofHour) database.files.delete(path);
    });
    const unlinked = end === "whole" ? ofHour : ofHour.slice(0, left % ofHour.length);
    for (const { path } of unlinked) this.disk.delete(path);
    if (end === "before unlink" && left % 2 === 0) this.start("kept", 0);
  }

  /** A kill, something that happens to agent.db, a start; then every line is where it belongs. */
  private start(kind: "kept" | "lost" | "old copy", age: number) {
    const mustBe = this.offsetsOfRows();
    if (kind === "lost") this.database = { files: new Map(), offsets: new Map() };
    if (kind === "old copy") { // what was copied after it is of a future that never was
      const [copy] = this.backups.splice(-1 - age % (this.backups.length + 1));
      if (copy !== undefined) this.database = copyOf(copy);
    }
    this.recover(kind === "lost");
    for (const id of GENERATIONS) this.read.set(id, this.offset(id));
    for (const id of GENERATIONS) {
      const offset = this.offset(id);
      assert.ok(offset >= (mustBe.get(id) ?? 0), `${kind}: ${id} goes on at ${offset}`);
      const lines = (this.written.get(id) ?? []).filter(({ place }) => place !== null);
      const expected = lines.filter((line) => line.offset < offset).map((line) => line.offset);
      assert.deepEqual(this.storedOffsets(id), expected, `${kind}: lines of ${id}`);
    }
  }

  private recover(isNew: boolean) {
    const { files, offsets } = this.database;
    const found = [...this.disk.values()].map(({ file }) => file)
      .filter(({ path }) => !files.has(path));
    const present = new Set(this.disk.keys());
    const decided = reconcile(found, { files: [...files.values()], present, offsets, isNew });
    for (const { path } of decided.replaced) files.delete(path);
    for (const file of decided.adopted) {
      files.set(file.path, stored(file));
      for (const { id, offset } of file.metadata.generations) {
        offsets.set(id, Math.max(offset, offsets.get(id) ?? 0));
      }
    }
    const gone = [...decided.redundant, ...decided.doubtful, ...decided.replaced];
    for (const { path } of gone) this.disk.delete(path);
    for (const path of files.keys()) assert.ok(this.disk.has(path), `${path} is missing`);
  }

  /** Up to where rows of each generation are committed. */
  private offsetsOfRows(): Map<string, number> {
    return new Map(GENERATIONS.map((id) => [id, Math.max(0, ...this.storedOffsets(id))]));
  }

  private storedOffsets(id: string): number[] {
    return [...this.database.files.keys()].flatMap((path) => this.disk.get(path)?.lines ?? [])
      .filter(({ generation }) => generation === id)
      .map(({ offset }) => offset)
      .sort((a, b) => a - b);
  }

  private commit(change: (database: Database) => void) {
    this.backups.push(copyOf(this.database));
    change(this.database);
  }

  private offset(id: string): number {
    return this.database.offsets.get(id) ?? 0;
  }

  private file(
    facts: Pick<FileMetadata, "kind" | "stream" | "hour" | "runs" | "flush" | "generations">,
  ): FoundFile {
    const createdMs = this.ids++;
    const id = String(createdMs);
    const more = {
      schema_version: 1,
      rows: 1,
      tsMinUs: 0,
      tsMaxUs: 0,
      createdMs,
      account: null,
    };
    return { metadata: { id, ...more, ...facts }, path: id, bytes: 1 };
  }
}

function runsOf(lines: readonly Line[]): Run[] {
  return [...Map.groupBy(lines, ({ generation }) => generation)].map(([generation, ofOne]) => ({
    generation,
    start: Math.min(...ofOne.map(({ offset }) => offset)),
    end: Math.max(...ofOne.map(({ offset }) => offset)) + 1,
  }));
}

function facts(id: string, offset: number): GenerationFacts {
  const { lines: _, ...others } = GENERATION;
  return { ...others, id, offset, inputPath: null };
}

function stored({ metadata, path, bytes }: FoundFile): StoredFile {
  const { schema_version: _, flush: __, generations: ___, account: ____, ...others } = metadata;
  return { ...others, path, bytes, sha256: null };
}

function copyOf({ files, offsets }: Database): Database {
  return { files: new Map(files), offsets: new Map(offsets) };
}

const places = fc.array(fc.constantFrom(...PLACES), { maxLength: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("flush" as const),
      places: fc.tuple(places, places),
      end: fc.constantFrom<FlushEnd>("whole", "whole", "whole", "killed", "failed"),
      left: fc.nat(5),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("seal" as const),
      pick: fc.nat(9),
      end: fc.constantFrom("whole" as const, "before commit" as const, "before unlink" as const),
      left: fc.nat(5),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("start" as const),
      database: fc.constantFrom("kept" as const, "lost" as const, "old copy" as const),
      age: fc.nat(9),
    }),
  },
);

Deno.test("whatever was killed when, and whatever became of agent.db, every line is stored once", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 24 }), (steps) => {
      const model = new Model();
      for (const one of steps) model.run(one);
      model.run({ do: "start", database: "kept", age: 0 });
    }),
    { numRuns: times(3_000) },
  );
});
