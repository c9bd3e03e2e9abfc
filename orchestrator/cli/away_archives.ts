/** Archives that do not answer: said, and the others are read, so that one region holds up no other. */
import type { ObjectStore } from "../../protocol/archive/object_store.ts";
import { messageOf } from "../../protocol/errors.ts";
import type { LogvendError } from "../../protocol/errors.ts";
import type { Terminal } from "./terminal.ts";

export class AwayArchives {
  private readonly urls = new Set<string>();

  constructor(
    private readonly all: readonly ObjectStore[],
    private readonly terminal: Pick<Terminal, "error">,
  ) {}

  get count(): number {
    return this.urls.size;
  }

  /** @throws the error where no other archive is left */
  readonly note = ({ url }: ObjectStore, error: LogvendError) => {
    if (this.urls.has(url)) return;
    this.urls.add(url);
    if (this.urls.size === this.all.length) throw error;
    this.terminal.error(`left out: ${messageOf(error)}`);
  };
}
