/** The server's side of PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677): strict, one account. */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";

export interface Account {
  mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  username: string;
  password: string;
}

/** What is said back; `isDone`: the client is who it says. */
export interface Said {
  text: string;
  isDone: boolean;
}

/** Takes the client's messages one by one. @throws when it is not who it says, or speaks otherwise */
export type Conversation = (message: string) => Said;

const ITERATIONS = 8_192;

/** The server's side of one connection. */
export function conversation(account: Account): Conversation {
  return account.mechanism === "PLAIN" ? plain(account) : scram(account);
}

function plain({ username, password }: Account): Conversation {
  return (message) => {
    const [authorize, name, secret, ...more] = message.split("\0");
    const isRight = authorize === "" && name === username && secret === password;
    if (!isRight || more.length > 0) throw new Error("wrong name or password");
    return { text: "", isDone: true };
  };
}

function scram({ mechanism, username, password }: Account): Conversation {
  const [digest, length] = mechanism === "SCRAM-SHA-256" ? ["sha256", 32] : ["sha512", 64];
  const hash = (data: Uint8Array) => createHash(String(digest)).update(data).digest();
  const hmac = (key: Uint8Array, text: string) =>
    createHmac(String(digest), key).update(text).digest();
  const salt = randomBytes(24);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, Number(length), String(digest));
  const storedKey = hash(hmac(salted, "Client Key"));
  const own = randomBytes(18).toString("base64");
  let bare = "";
  let first = "";
  return (message) => {
    if (first === "") {
      const [, rest = "", name, nonce = ""] =
        /^n,,(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]{8,}))$/.exec(message) ?? [];
      const isKnown = name?.replaceAll("=2C", ",").replaceAll("=3D", "=") === username;
      if (!isKnown) throw new Error(`no such account, or no first message: ${message}`);
      bare = rest;
      first = `r=${nonce}${own},s=${salt.toString("base64")},i=${ITERATIONS}`;
      return { text: first, isDone: false };
    }
    const nonce = /^r=([^,]+)/.exec(first)?.[1];
    const [, final = "", proof = ""] = /^(c=biws,r=[^,]+),p=([A-Za-z0-9+/=]+)$/.exec(message) ?? [];
    if (final !== `c=biws,r=${nonce}`) throw new Error(`no final message: ${message}`);
    const whole = `${bare},${first},${final}`;
    const signature = hmac(storedKey, whole);
    const given = Buffer.from(proof, "base64");
    const clientKey = given.map((byte, i) => byte ^ (signature[i] ?? 0));
    if (given.length !== length || !timingSafeEqual(hash(clientKey), storedKey)) {
      throw new Error("wrong password");
    }
    const verifier = hmac(hmac(salted, "Server Key"), whole).toString("base64");
    return { text: `v=${verifier}`, isDone: true };
  };
}
