/** Reads the corpora: one statement a line, in sections. */

/** A statement and the section that it stands in. */
export interface Statement {
  section: string;
  sql: string;
  /** Of the short form. */
  isMarked: boolean;
}

/** Reads a file of this folder; `places` stand for names that begin with $, `made` for those with @. */
export async function readCorpus(
  name: string,
  { places = {}, made = {} }: {
    places?: Readonly<Record<string, string>>;
    made?: Readonly<Record<string, () => string>>;
  },
): Promise<Statement[]> {
  const text = await Deno.readTextFile(new URL(`./${name}`, import.meta.url));
  const statements: Statement[] = [];
  let section = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) section = line.slice(3);
    if (line === "" || line.startsWith("#")) continue;
    const isMarked = line.startsWith("* ");
    const written = isMarked ? line.slice(2) : line;
    const sql = made[written.slice(1)]?.() ??
      Object.entries(places).reduce(
        (filled, [place, path]) => filled.replaceAll(`$${place}`, () => path),
        written.replaceAll("\\n", "\n"),
      );
    statements.push({ section, sql, isMarked });
  }
  return statements;
}
