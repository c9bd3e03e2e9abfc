/** Lines as they are typed, into statements: each ends with a semicolon that is none of its text's. */

/** Texts, quoted names and comments, ended or not, and semicolons between them. */
const PARTS =
  /\b[eE]'(?:[^'\\]|\\[^]|'')*'?|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|--[^\n]*|\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?|(\$\w*\$)[^]*?(?:\1|$)|;/g;

const COMMENTS = /--[^\n]*|\/\*[^]*?\*\//g;

export class Statements {
  private text = "";

  /** What has been begun and not ended. */
  get pending(): string {
    return this.text;
  }

  /** Adds a line; returns the statements that end in it, without semicolons. */
  add(line: string): string[] {
    this.text += `${line}\n`;
    const statements: string[] = [];
    let start = 0;
    for (const { 0: part, index } of this.text.matchAll(PARTS)) {
      if (part !== ";") continue;
      statements.push(this.text.slice(start, index));
      start = index + 1;
    }
    this.text = this.text.slice(start);
    if (isBlank(this.text)) this.text = "";
    return statements.map((text) => text.trim()).filter((text) => !isBlank(text));
  }

  /** Ends what has been begun; returns it, if it is anything. */
  end(): string[] {
    const rest = this.text.trim();
    this.text = "";
    return isBlank(rest) ? [] : [rest];
  }
}

function isBlank(text: string): boolean {
  return text.replace(COMMENTS, "").trim() === "";
}
