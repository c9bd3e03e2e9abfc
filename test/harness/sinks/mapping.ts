/**
 * What type each field of an index has: that of its template, or what dynamic mapping makes of the first
 * document that has the field. https://docs.opensearch.org/latest/field-types/
 */

interface Field {
  type?: string;
  properties?: Record<string, Field>;
  fields?: Record<string, Field>;
}

interface Mappings {
  date_detection?: boolean;
  dynamic_templates?: Record<string, { match_mapping_type: string; mapping: Field }>[];
  properties?: Record<string, Field>;
}

/** ISO 8601 from the year on: as OpenSearch takes texts for dates unless it is told not to. */
const DATE = /^\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?$/;

export class IndexMapping {
  /** By path: `geo.location`, `value`, `value.keyword`. */
  readonly types = new Map<string, string>();

  constructor(private readonly mappings: Mappings) {
    this.addFields(mappings.properties ?? {}, "");
  }

  /** Takes a document. @throws saying which field its value does not fit */
  add(document: Record<string, unknown>, prefix = ""): void {
    for (const [key, value] of Object.entries(document)) {
      const path = `${prefix}${key}`;
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== null) this.addValue(path, one);
      }
    }
  }

  private addValue(path: string, value: unknown) {
    const known = this.types.get(path);
    if (known === undefined && typeof value === "object") {
      return this.add(value as Record<string, unknown>, `${path}.`);
    }
    const type = known ?? this.newField(path, value);
    if (!fits(type, value)) throw new Error(`${path} is ${type}: ${JSON.stringify(value)}`);
  }

  private newField(path: string, value: unknown): string {
    const kind = this.kindOf(value);
    const template = this.mappings.dynamic_templates?.flatMap((one) => Object.values(one))
      .find(({ match_mapping_type }) => match_mapping_type === kind);
    const field = template?.mapping ??
      (kind === "string"
        ? { type: "text", fields: { keyword: { type: "keyword" } } }
        : { type: kind === "double" ? "float" : kind });
    this.addFields({ [path]: field }, "");
    return field.type ?? "";
  }

  private kindOf(value: unknown): string {
    if (typeof value === "number") return Number.isInteger(value) ? "long" : "double";
    if (typeof value === "boolean") return "boolean";
    const isDate = this.mappings.date_detection !== false && DATE.test(String(value));
    return isDate ? "date" : "string";
  }

  private addFields(fields: Record<string, Field>, prefix: string) {
    for (const [name, { type, properties = {}, fields: more = {} }] of Object.entries(fields)) {
      if (type !== undefined) this.types.set(`${prefix}${name}`, type);
      this.addFields({ ...properties, ...more }, `${prefix}${name}.`);
    }
  }
}

/** Without loss: a fraction in a field of whole numbers is taken, and rounded in every sum. */
function fits(type: string, value: unknown): boolean {
  switch (type) {
    case "long":
    case "integer":
      return Number.isInteger(value);
    case "double":
    case "float":
      return typeof value === "number";
    case "date":
      return typeof value === "string" && DATE.test(value);
    case "text":
    case "keyword":
      return typeof value !== "object";
    case "boolean":
      return typeof value === "boolean";
    case "geo_point":
      return typeof value === "object" && value !== null &&
        Object.keys(value).sort().join() === "lat,lon";
    default:
      return false;
  }
}

/** Whether an index of this name is one of a pattern's. */
export function isOfPattern(index: string, pattern: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.+]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(index);
}
