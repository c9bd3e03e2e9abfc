/** `logvend-agent views`: SQL by which other engines read this host's chunks. */
import { resolve } from "node:path";
import { LogvendError } from "../../protocol/errors.ts";
import { streamSchema } from "../../protocol/schema/streams.ts";
import { viewSql } from "../../queries/views/views.ts";
import type { EngineName } from "../../queries/views/views.ts";
import { readAgentConfig } from "../config.ts";
import { readShape } from "../store/files/stored_files.ts";
import { shapeOfFormat } from "../stream_format.ts";
import { chosenStream } from "./streams.ts";

export interface ViewsOptions {
  config: string;
  stream?: string;
  engine: EngineName;
  location?: string;
}

/** @throws {LogvendError} usage, bad_config or unavailable */
export async function viewsCommand(options: ViewsOptions): Promise<void> {
  const config = await readAgentConfig(options.config);
  const { name, format } = chosenStream(config, options.stream);
  const location = options.location?.replace(/\/+$/, "") ?? resolve(config.data_dir);
  if (location === "" || /['\s]/.test(location)) {
    throw new LogvendError(
      "usage",
      `--location "${location}": wanted a URL without blanks or quotes`,
    );
  }
  const shape = readShape(config.data_dir, name) ?? shapeOfFormat(format);
  console.log(viewSql(options.engine, { stream: name, schema: streamSchema(shape), location }));
}
