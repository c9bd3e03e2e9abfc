/** Makes JSON of a line in which values were replaced that stood there without quotes. */

/** Strings, and what is neither that nor punctuation. */
const TOKEN = /"(?:[^"\\]|\\[\s\S])*"|[^\s{}[\]:,"]+/g;

const PLAIN = /^(?:"[\s\S]*|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)$/;

/** Puts what is no value of JSON between quotes. */
export function soundJson(line: string): string {
  return line.replaceAll(TOKEN, (token) => PLAIN.test(token) ? token : JSON.stringify(token));
}
