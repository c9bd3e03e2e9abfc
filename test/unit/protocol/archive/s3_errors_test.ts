import assert from "node:assert/strict";
import { ObjectStoreError } from "../../../../protocol/archive/object_store.ts";
import { s3Error } from "../../../../protocol/archive/s3_errors.ts";

const TARGET = {
  url: "s3://acme-logs/prod",
  bucket: "acme-logs",
  region: "eu-west-1",
  endpoint: undefined,
};

/** An error as the SDK throws it. */
function thrown(name: string, status: number | undefined, more: object = {}) {
  const error = Object.assign(new Error(`${name}: as S3 says it`), more);
  error.name = name;
  return Object.assign(error, { $metadata: { httpStatusCode: status } });
}

Deno.test("what S3 refuses is said with what to do about it", () => {
  const check = (error: Error, short: string, code: string, expected: RegExp) => {
    const mapped = s3Error("store x", error, TARGET);
    assert.ok(mapped instanceof ObjectStoreError);
    assert.match(mapped.message, /^Cannot store x in s3:\/\/acme-logs\/prod: /);
    assert.match(mapped.message, expected);
    assert.deepEqual([mapped.short, mapped.code], [short, code]);
  };
  check(
    thrown("NoSuchBucket", 404),
    "S3 404",
    "bad_config",
    /there is no bucket acme-logs; make it, or correct archive\.url/,
  );
  check(
    thrown("PermanentRedirect", 301, {
      $response: { headers: { "x-amz-bucket-region": "us-west-2" } },
    }),
    "S3 301",
    "bad_config",
    /the bucket is not in eu-west-1; set archive\.region to us-west-2/,
  );
  check(
    thrown("AuthorizationHeaderMalformed", 400, { Region: "us-east-2" }),
    "S3 400",
    "bad_config",
    /set archive\.region to us-east-2/,
  );
  check(
    thrown("AccessDenied", 403),
    "S3 403",
    "not_permitted",
    /access denied \(AccessDenied\); the rights it takes: logvend archive policy/,
  );
  check(
    thrown("InvalidObjectState", 403),
    "S3 403",
    "unavailable",
    /its storage class has to be thawed first: restore it in the store/,
  );
  check(
    thrown("ExpiredToken", 400),
    "S3 400",
    "not_permitted",
    /the credentials expired \(ExpiredToken\); renew what archive\.credentials names/,
  );
  check(
    thrown("InvalidAccessKeyId", 403),
    "S3 403",
    "not_permitted",
    /the credentials are wrong \(InvalidAccessKeyId\); renew/,
  );
  check(
    thrown("CredentialsProviderError", undefined),
    "no credentials",
    "not_permitted",
    /no credentials were found; name them under archive\.credentials, or give them as the AWS/,
  );
  check(
    thrown("RequestTimeTooSkewed", 403),
    "S3 403",
    "not_permitted",
    /the clock of this machine is too far off; set it \(NTP\)/,
  );
  check(
    thrown("NotImplemented", 501),
    "S3 501",
    "unavailable",
    /does not know a header of the request; try archive\.checksums: required/,
  );
  check(thrown("SlowDown", 503), "S3 503", "unavailable", /the store is busy \(SlowDown\)/);
  check(
    thrown("Error", undefined),
    "no answer",
    "unavailable",
    /no answer from S3 in eu-west-1 \(.*\); is it up, and archive\.endpoint right\?/,
  );
  check(
    thrown("EntityTooLarge", 400),
    "S3 400",
    "unavailable",
    /EntityTooLarge: as S3 says it/,
  );
});

Deno.test("of an archive that an operator reads it is said where that is set, and what it takes", () => {
  const check = (name: string, status: number | undefined, expected: RegExp) => {
    const mapped = s3Error("list x", thrown(name, status), { ...TARGET, use: "operator" });
    assert.match(mapped.message, expected);
  };
  check("NoSuchBucket", 404, /; make it, or correct its url \(archives: in orchestrator\.yaml\)$/);
  check("AccessDenied", 403, /; to read takes s3:ListBucket and s3:GetObject, to erase also /);
  check("InvalidAccessKeyId", 403, /; renew its credentials \(archives: in orchestrator\.yaml\)$/);
  check("CredentialsProviderError", undefined, /; name them under its credentials \(archives: /);
});

Deno.test("of a place that results go to it is said where that is set", () => {
  const check = (name: string, status: number, expected: RegExp) => {
    const mapped = s3Error("list objects", thrown(name, status), { ...TARGET, use: "publish" });
    assert.match(mapped.message, expected);
  };
  check("NoSuchBucket", 404, /there is no bucket acme-logs; make it, or correct --publish$/);
  check("AccessDenied", 403, /access denied .*; it takes s3:ListBucket, s3:GetObject, /);
  check("PermanentRedirect", 301, /set its region \(publish: .*, else AWS_REGION\) to that of the/);
  check("ExpiredToken", 400, /the credentials expired .*; renew its keys \(publish: in orch/);
  check("CredentialsProviderError", 400, /; name the bucket and its credentials under publish: /);
});
