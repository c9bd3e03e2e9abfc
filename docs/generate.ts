/** Writes docs/configuration.md from the schemas that check the configuration files. */
import { z } from "zod";
import { AgentConfig } from "../agent/config.ts";
import { OrchestratorConfig } from "../orchestrator/config.ts";

const TARGET = new URL("./configuration.md", import.meta.url);

/** The page as the schemas have it now. */
export function configurationPage(): string {
  return `# Configuration

Generated from the schemas that check the files: \`deno run -A docs/generate.ts\`.
Paths are relative to the file's folder. Durations: \`250ms\`, \`10s\`, \`15m\`, \`24h\`, \`7d\`.
An unknown key, a missing one or a wrong value stops the start with file, line and key (exit 78).

## agent.yaml

${keyTable(AgentConfig)}

\`LOGVEND_HOST\`, \`LOGVEND_REGION\` and \`LOGVEND_BROKER\` override \`host\`, \`region\` and \`broker\`.

## orchestrator.yaml

${keyTable(OrchestratorConfig)}
`;
}

interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  /** In words, where the default is not the same everywhere. */
  default_text?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  const?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
}

function keyTable(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Schema;
  return ["| Key | Value | Meaning |", "|---|---|---|", ...keyRows(json, "")].join("\n");
}

function keyRows(schema: Schema, prefix: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const key = prefix + name;
    if (property.properties !== undefined) return keyRows(property, `${key}.`);
    const forms = (property.anyOf ?? []).flatMap((form) => keyRows(form, `${key}.`));
    const inner = property.items?.properties === undefined
      ? []
      : keyRows(property.items, `${key}[].`);
    const row = `| \`${key}\` | ${
      valueText(property, schema.required?.includes(name) ?? false)
    } | ${property.description ?? ""} |`;
    return [row, ...forms, ...inner, ...kindRows(property.items?.oneOf ?? [], key)];
  });
}

/** Of items of several kinds: what all of them have, then each kind's own. */
function kindRows(kinds: readonly Schema[], key: string): string[] {
  const [first = {}, ...others] = kinds;
  const isCommon = (name: string) =>
    name !== "type" && others.every((kind) => kind.properties?.[name] !== undefined);
  const only = (kind: Schema, wanted: (name: string) => boolean): Schema => ({
    ...kind,
    properties: Object.fromEntries(
      Object.entries(kind.properties ?? {}).filter(([name]) => wanted(name)),
    ),
  });
  return [
    ...keyRows(only(first, isCommon), `${key}[].`),
    ...kinds.flatMap((kind) => {
      const { const: name, description } = kind.properties?.["type"] ?? {};
      return [
        `| \`${key}[].type: ${name}\` |  | ${description} |`,
        ...keyRows(only(kind, (own) => own !== "type" && !isCommon(own)), `${key}[].`),
      ];
    }),
  ];
}

function valueText(property: Schema, required: boolean): string {
  const values = property.enum ?? property.anyOf?.flatMap((form) => form.enum ?? []);
  if (values !== undefined) {
    return values.map((value) => value === property.default ? `**${value}**` : String(value)).join(
      ", ",
    );
  }
  if (property.default_text !== undefined) return `default ${property.default_text}`;
  if (required) return "required";
  if (property.default === undefined) return "optional";
  return `default \`${JSON.stringify(property.default)}\``;
}

if (import.meta.main) await Deno.writeTextFile(TARGET, configurationPage());
