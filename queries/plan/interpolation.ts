/** What lies between two values, for continuous quantiles: each type as DuckDB computes it. */
import { cast, constant } from "../ast_nodes.ts";
import type { Expression } from "../ast_nodes.ts";
import type { Templates } from "./templates.ts";

interface Neighbours {
  below: Expression;
  above: Expression;
  /** How far it is from `below` to `above`, from 0 to 1. */
  share: Expression;
}

/** The value between two of one type. */
type Interpolation = (
  of: Neighbours & Record<string, Expression>,
  templates: Templates,
) => Expression;

const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/;

/** Wider ones are no 64-bit integers, of which doubles know enough digits. */
const DECIMAL_WIDTH_MAX = 18;

/** Of whole numbers and DOUBLEs. */
export const betweenNumbers: Interpolation = (of, templates) => templates.fill("continuous", of);

/** Says whether a type is a DECIMAL. */
export function isDecimal(type: string): boolean {
  return DECIMAL.test(type);
}

/** How it is done for a type that is no plain number; null: not known. */
export function interpolation(type: string): Interpolation | null {
  switch (type) {
    case "DATE":
    case "TIMESTAMP":
      return (of, templates) => templates.fill("continuousInstant", of);
    case "TIMESTAMP WITH TIME ZONE":
      return (of, templates) => cast(templates.fill("continuousInstant", of), type);
    case "TIME":
      return (of, templates) => templates.fill("continuousTime", of);
    default:
      return betweenDecimals(type);
  }
}

function betweenDecimals(type: string): Interpolation | null {
  const [, width, scale] = DECIMAL.exec(type) ?? [];
  if (width === undefined || Number(width) > DECIMAL_WIDTH_MAX) return null;
  const unit = cast(constant(String(10 ** Number(scale))), "DOUBLE");
  return (of, templates) => {
    const step = cast(templates.fill("decimalStep", { ...of, unit }), type);
    return cast(templates.fill("decimalSum", { ...of, step }), type);
  };
}
