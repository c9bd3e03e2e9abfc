/** Operator keys in files: PKCS#8 PEM, readable by their owner alone. */
import { dirname } from "node:path";
import { LogvendError, messageOf } from "../../protocol/errors.ts";
import { reasonOf } from "../../protocol/file_error.ts";
import { newOperatorKey, readOperatorKey } from "../../protocol/signing/signature.ts";
import type { OperatorKey } from "../../protocol/signing/signature.ts";

/** Makes a key in a new file and returns its public half. @throws {LogvendError} usage */
export async function createKeyFile(path: string): Promise<string> {
  const { pem, publicKey } = await newOperatorKey();
  await writeNew(path, pem, 0o600);
  return publicKey;
}

/** @throws {LogvendError} usage, when there is no key to be read */
export async function readKeyFile(path: string): Promise<OperatorKey> {
  let pem: string;
  try {
    pem = await Deno.readTextFile(path);
  } catch (cause) {
    throw new LogvendError("usage", `Cannot read the key ${path}: ${reasonOf(cause)}`, { cause });
  }
  try {
    return await readOperatorKey(pem);
  } catch (cause) {
    throw new LogvendError("usage", `${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Writes a file that must not exist yet. @throws {LogvendError} usage */
export async function writeNew(path: string, text: string, mode = 0o644): Promise<void> {
  try {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, text, { createNew: true, mode });
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AlreadyExists
      ? "it exists already, and is not overwritten"
      : reasonOf(cause);
    throw new LogvendError("usage", `Cannot write ${path}: ${reason}`, { cause });
  }
}
