/** How people name what was asked: by the id that an operator signed, or some of it. */

/** Fewer characters name nothing. */
const NAME_LENGTH_MIN = 4;

/** A short name for people: `q-7f3a2c`. */
export function queryIdOf(claimsId: string): string {
  return `q-${claimsId.slice(0, 6)}`;
}

/** How the id begins that a text names: an id, its beginning or the short name. Null: it names none. */
export function namedId(text: string): string | null {
  const beginning = text.toLowerCase().replace(/^q-/, "");
  const isName = beginning.length >= NAME_LENGTH_MIN && /^[0-9a-f-]+$/.test(beginning);
  return isName ? beginning : null;
}

/** Whether a text names this id. */
export function isNamed(text: string, id: string): boolean {
  const beginning = namedId(text);
  return beginning !== null && id.startsWith(beginning);
}
