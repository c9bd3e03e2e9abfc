/** `logvend-agent validate`: is this configuration right, and what would it read? */
import { glob } from "tinyglobby";
import { readAgentConfig } from "../config.ts";

export async function validateCommand(configPath: string): Promise<void> {
  const config = await readAgentConfig(configPath);
  console.log(`${configPath} is right: host ${config.host} in ${config.region}`);
  for (const stream of config.streams) {
    const files = await glob(stream.files, { absolute: true, expandDirectories: false });
    console.log(`stream ${stream.name}: ${files.length} files now`);
    for (const file of files.toSorted()) console.log(`  ${file}`);
  }
}
