/** What a fault scenario is, what it needs of the machine, and what it says in the end. */
import { findProgram } from "../../deploy/build/debian_package.ts";
import { isCephThere } from "../harness/ceph/root.ts";
import { faketimeLibrary } from "./faketime.ts";
import type { Random } from "./random.ts";

/** How much a run may take. */
export interface Form {
  random: Random;
  /** A test suite's share: small numbers. */
  short: boolean;
  /** Of kills in the kill rounds. */
  rounds: number;
}

/** What was done to the agent and what came of it. A promise that is broken throws instead. */
export interface Outcome {
  caused: string;
  counts: string;
  /** More lines for the report. */
  details?: readonly string[];
}

export type Need = "root" | "libfaketime" | "prlimit" | "ceph";

export interface Scenario {
  /** Two digits of the fault, and what it is: `03 rename rotation`. */
  name: string;
  needs?: readonly Need[];
  /** Takes some seconds with small numbers: part of the test suite. */
  isQuick?: boolean;
  run(form: Form): Promise<Outcome>;
}

const IS_MET: Readonly<Record<Need, () => boolean>> = {
  root: () => Deno.uid() === 0,
  libfaketime: () => faketimeLibrary() !== null,
  ceph: isCephThere,
  prlimit: () => findProgram("prlimit") !== null,
};

/** What a scenario needs and this machine has not. */
export function missingNeeds({ needs = [] }: Scenario): Need[] {
  return needs.filter((need) => !IS_MET[need]());
}
