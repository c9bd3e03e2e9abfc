/** Keys to an object store, looked up again and again: they are rotated while a program runs. */
import { defaultProvider } from "@aws-sdk/credential-provider-node";
import { LogvendError } from "../errors.ts";
import { reasonOf } from "../file_error.ts";
import type { ArchiveStore, SecretReference } from "./archive_config.ts";

/** The SDK asks again five minutes before what it has expires: so it does every half a minute. */
const CHAIN_EXPIRES_MS = 330_000;

/** As the SDK takes them. */
export interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  expiration?: Date;
}

/** What the SDK calls for credentials. */
export function credentialsOf(
  configured: ArchiveStore["credentials"],
): () => Promise<Keys> {
  return async () => {
    if (configured === undefined) {
      const found = await defaultProvider({ ignoreCache: true })();
      const expiration = found.expiration ?? new Date(Date.now() + CHAIN_EXPIRES_MS);
      return { ...found, expiration };
    }
    const { access_key_id, secret_access_key, session_token } = configured;
    return {
      accessKeyId: await secret(access_key_id),
      secretAccessKey: await secret(secret_access_key),
      ...(session_token === undefined ? {} : { sessionToken: await secret(session_token) }),
      expiration: new Date(), // they are read for every request
    };
  };
}

async function secret({ file, env }: SecretReference): Promise<string> {
  const from = file === undefined ? `environment variable ${env}` : file;
  let text: string | undefined;
  try {
    text = file === undefined ? Deno.env.get(env ?? "") : await Deno.readTextFile(file);
  } catch (cause) {
    throw new LogvendError("bad_config", `Cannot read ${from}: ${reasonOf(cause)}`, { cause });
  }
  if (text === undefined || text.trim() === "") {
    throw new LogvendError("bad_config", `No key to the object store in ${from}: put it there`);
  }
  return text.trim();
}
