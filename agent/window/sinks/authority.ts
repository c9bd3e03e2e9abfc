/** Whose certificates a sink trusts beside those that the program knows, and what is wrong with others. */
import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { LogvendError, messageOf } from "../../../protocol/errors.ts";
import { reasonOf } from "../../../protocol/file_error.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs;

/** The certificates in a PEM file; none without a file. @throws {LogvendError} bad_config */
export function authorityOf(path: string | undefined): string[] {
  if (path === undefined) return [];
  const certificates = textOf(path).match(CERTIFICATE) ?? [];
  if (certificates.length === 0) throw wrongFile(path, "it holds no certificate in PEM form");
  for (const certificate of certificates) {
    try {
      new X509Certificate(certificate);
    } catch (cause) {
      throw wrongFile(path, `a certificate in it cannot be read: ${messageOf(cause)}`);
    }
  }
  return certificates;
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw wrongFile(path, reasonOf(cause));
  }
}

function wrongFile(path: string, reason: string): LogvendError {
  return new LogvendError("bad_config", `Cannot take the authority in ${path} (ca): ${reason}`);
}

/** Options of a TLS connection; those that it is given take the place of those that it knows. */
export function trusting(authority: readonly string[]): { ca?: string[] } {
  return authority.length === 0 ? {} : { ca: [...rootCertificates, ...authority] };
}

/** What libraries say of a certificate that they do not accept, and what it means. */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [
    /UnknownIssuer|unable to (verify|get)|self.signed/i,
    "the authority of its certificate is not trusted here: ca names a PEM file with the right one",
  ],
  [
    /not ?valid ?for ?name|altnames/i,
    "its certificate is for another name: connect by one that is in it",
  ],
  [/certificate.*(expired|not ?valid ?yet)/i, "its certificate is not valid at this time"],
];

/** In words, when the certificate is what is wrong. */
export function inWords(reason: string): string {
  return REFUSALS.find(([pattern]) => pattern.test(reason))?.[1] ?? reason;
}
