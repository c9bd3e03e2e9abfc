/** Lines by a regular expression: its named groups are fields. */
import { EventBuilder } from "./builder.ts";
import type { EventParser } from "./event.ts";
import type { TimeRule } from "./time_rule.ts";

/** What is wrong with a pattern; null: nothing. */
export function groupsProblem(pattern: string): string | null {
  try {
    const groups = new RegExp(`${pattern}|`, "u").exec("")?.groups;
    return groups === undefined ? "named groups, like (?<level>\\w+)" : null;
  } catch (error) {
    const [reason] = String(error instanceof Error ? error.message : error).split(": ").slice(-1);
    return `a JavaScript regular expression (${reason})`;
  }
}

/** Reads lines that match from their start to their end. */
export function regexLines(pattern: string, rule: TimeRule): EventParser {
  const expression = new RegExp(`^(?:${pattern})$`, "dus");
  return (line) => {
    const match = expression.exec(line);
    const indices = match?.indices?.groups;
    if (match === null || indices === undefined) return "no_format";
    const found = Object.entries(indices).flatMap(([name, place]) =>
      place === undefined ? [] : [{ name, start: place[0], end: place[1] }]
    ).sort((a, b) => a.start - b.start || a.end - b.end);
    const timeKey = rule.keyOf(
      found.map(({ name }) => name),
      (wanted) => rule.parse(match.groups?.[wanted] ?? "") !== null,
    );
    const builder = new EventBuilder();
    let at = 0;
    for (const { name, start, end } of found) {
      if (start < at) builder.notBuilt(); // a group in another one
      builder.literal(line.slice(at, start));
      at = Math.max(at, end);
      const value = line.slice(start, end);
      const time = name === timeKey ? rule.parse(value) : null;
      if (time !== null) builder.time(time, value);
      else if (value !== "") builder.word(name, value);
    }
    builder.literal(line.slice(at));
    const event = builder.build();
    return event.time === null && rule.isRequired ? "bad_time" : event;
  };
}
