/** On what conditions objects are stored, as far as a store knows any. */
import type { NewObject } from "./object_store.ts";
import { isOtherVersion, isPrecondition } from "./s3_errors.ts";

/** Of a version that is there, or of none. */
export interface Condition {
  IfNoneMatch?: string;
  IfMatch?: string;
}

/** Of one store: what it has said that it does not know is not asked of it again. */
export class Conditions {
  private readonly unknown = new Set<string>();

  /** Of a request. */
  of({ ifNoneMatch = false, ifMatch }: NewObject): Condition {
    if (ifMatch !== undefined) return this.unknown.has("IfMatch") ? {} : { IfMatch: ifMatch };
    return ifNoneMatch && !this.unknown.has("IfNoneMatch") ? { IfNoneMatch: "*" } : {};
  }

  /** The store does not know that of an object. False: none was asked. */
  giveUp(object: NewObject): boolean {
    const [header] = Object.keys(this.of(object));
    if (header !== undefined) this.unknown.add(header);
    return header !== undefined;
  }
}

/** Whether a request failed for its condition. */
export function isUnmet(condition: Condition, error: unknown): boolean {
  if (condition.IfMatch !== undefined && isOtherVersion(error)) return true;
  return Object.keys(condition).length > 0 && isPrecondition(error);
}
