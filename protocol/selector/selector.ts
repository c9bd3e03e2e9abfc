/**
 * The one grammar that selects hosts by label, for queries and jobs:
 *
 *   region in (eu-west-1, us-east-1) and service = web-server and not (canary exists or cores lt 4)
 *
 * Tests on one label: `=` `==` `!=` `in (…)` `notin (…)` `not in (…)` `exists` `gt` `lt`, and `!key`
 * for a label that is absent. `and` binds closer than `or`. Values with blanks or signs stand in
 * quotes, doubled inside. `host` and `region` are labels too.
 */
import { isReserved } from "./selector_parser.ts";

export { parseSelector } from "./selector_parser.ts";

/** A parsed selector. `=` is an `in` of one value; an `and` of nothing matches every host. */
export type Selector =
  | { kind: "and" | "or"; of: readonly Selector[] }
  | { kind: "not"; of: Selector }
  | { kind: "in" | "notin"; key: string; values: readonly string[] }
  | { kind: "exists"; key: string }
  | { kind: "gt" | "lt"; key: string; value: number };

/**
 * Says whether labels satisfy a selector. A missing label equals nothing: `=`, `in`, `gt` and `lt`
 * are false, `!=` and `notin` true. `gt` and `lt` compare numbers; a label that is none fails both.
 */
export function matches(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  switch (selector.kind) {
    case "and":
      return selector.of.every((part) => matches(part, labels));
    case "or":
      return selector.of.some((part) => matches(part, labels));
    case "not":
      return !matches(selector.of, labels);
  }
  const label = Object.hasOwn(labels, selector.key) ? labels[selector.key] : undefined;
  switch (selector.kind) {
    case "exists":
      return label !== undefined;
    case "in":
      return label !== undefined && selector.values.includes(label);
    case "notin":
      return label === undefined || !selector.values.includes(label);
    case "gt":
      return (numberOf(label) ?? -Infinity) > selector.value;
    case "lt":
      return (numberOf(label) ?? Infinity) < selector.value;
  }
}

/** The same where only some labels are known; null: it depends on the others. */
export function matchesKnown(
  selector: Selector,
  known: Readonly<Record<string, string>>,
): boolean | null {
  switch (selector.kind) {
    case "and":
    case "or": {
      const parts = selector.of.map((part) => matchesKnown(part, known));
      const decisive = selector.kind === "or";
      return parts.includes(decisive) ? decisive : parts.includes(null) ? null : !decisive;
    }
    case "not": {
      const inner = matchesKnown(selector.of, known);
      return inner === null ? null : !inner;
    }
    default:
      return Object.hasOwn(known, selector.key) ? matches(selector, known) : null;
  }
}

/** Labels of hosts that the keys of archived chunks have. */
export const CHUNK_LABELS: readonly string[] = ["host", "region"];

/** The labels that a selector tests, but for some; each once. */
export function labelsBeside(selector: Selector, known: readonly string[]): string[] {
  return [...new Set(labelsOf(selector))].filter((key) => !known.includes(key));
}

function labelsOf(selector: Selector): string[] {
  switch (selector.kind) {
    case "and":
    case "or":
      return selector.of.flatMap(labelsOf);
    case "not":
      return labelsOf(selector.of);
    default:
      return [selector.key];
  }
}

/**
 * The hosts that a selector asks for by name (`host = a`, `host in (a, b)`, alone or in an `and`):
 * one of them that the fleet does not know is missing, not merely unmatched.
 */
export function namedHosts(selector: Selector): string[] {
  const [first = [], ...rest] = hostLists(selector);
  return [...new Set(first)].filter((host) => rest.every((hosts) => hosts.includes(host)));
}

/** Writes a selector as text that parseSelector reads back as the same. */
export function formatSelector(selector: Selector): string {
  switch (selector.kind) {
    case "and":
      return selector.of.filter((part) => !isEverything(part)).map(formatOperand).join(" and ");
    case "or":
      return selector.of.map(formatOperand).join(" or ");
    case "not":
      return `not ${formatOperand(selector.of)}`;
    case "exists":
      return `${quoted(selector.key)} exists`;
    case "gt":
    case "lt":
      return `${quoted(selector.key)} ${selector.kind} ${selector.value}`;
    case "in":
    case "notin": {
      const [only, ...more] = selector.values;
      if (only !== undefined && more.length === 0) {
        return `${quoted(selector.key)} ${selector.kind === "in" ? "=" : "!="} ${quoted(only)}`;
      }
      return `${quoted(selector.key)} ${selector.kind} (${selector.values.map(quoted).join(", ")})`;
    }
  }
}

function hostLists(selector: Selector): (readonly string[])[] {
  if (selector.kind === "and") return selector.of.flatMap(hostLists);
  return selector.kind === "in" && selector.key === "host" ? [selector.values] : [];
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const number = Number(text);
  return Number.isFinite(number) ? number : undefined;
}

function isEverything(selector: Selector): boolean {
  return selector.kind === "and" && selector.of.length === 0;
}

function formatOperand(selector: Selector): string {
  const text = formatSelector(selector);
  return selector.kind === "and" || selector.kind === "or" ? `(${text})` : text;
}

const BARE_WORD = /^[^\s()!=,"']+$/;

function quoted(text: string): string {
  if (BARE_WORD.test(text) && !isReserved(text)) return text;
  return `"${text.replaceAll('"', '""')}"`;
}
