/**
 * Checks a signature of AWS, version 4, from its specification.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHmac } from "node:crypto";
import { sha256Hex } from "../../../protocol/sha256.ts";

export interface SigningKey {
  secret: string;
  region: string;
  service: string;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=[^/]+\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;

/** Whether the request was signed with this key, for this region and service. */
export function isSigned(request: Request, body: string, key: SigningKey): boolean {
  const [, day = "", region, service, names = "", signature] =
    AUTHORIZATION.exec(request.headers.get("authorization") ?? "") ?? [];
  if (region !== key.region || service !== key.service) return false;
  const { pathname, host } = new URL(request.url);
  const headers = names.split(";").map((name) => {
    const value = name === "host" ? host : request.headers.get(name) ?? "";
    return `${name}:${value.trim()}\n`;
  });
  const canonical = ["POST", pathname, "", headers.join(""), names, sha256Hex(body)].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const date = request.headers.get("x-amz-date") ?? "";
  const text = ["AWS4-HMAC-SHA256", date, scope, sha256Hex(canonical)].join("\n");
  const hmac = (secret: string | Uint8Array, data: string) =>
    createHmac("sha256", secret).update(data).digest();
  const signing = [region, service, "aws4_request"].reduce(hmac, hmac(`AWS4${key.secret}`, day));
  return createHmac("sha256", signing).update(text).digest("hex") === signature;
}
