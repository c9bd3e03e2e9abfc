/** POST requests of sinks, to servers of a trusted authority. */
import { inWords } from "./authority.ts";
import { SinkError } from "./sink.ts";

/** What is sent. */
export interface PostRequest {
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** Sends it. @throws {SinkError} when there is no answer, saying why; the signal's reason */
export type Post = (url: URL, request: PostRequest, signal: AbortSignal) => Promise<Response>;

/** Keeps connections until it is closed. */
export interface PostClient extends Disposable {
  post: Post;
}

/** @param authority certificates, PEM, that are trusted too */
export function postClient(authority: readonly string[]): PostClient {
  const client = Deno.createHttpClient({ caCerts: [...authority] });
  return {
    post: async (url, { headers, body }, signal) => {
      try {
        return await fetch(url, {
          client,
          method: "POST",
          headers,
          body,
          signal,
          redirect: "error",
        });
      } catch (error) {
        signal.throwIfAborted();
        throw new SinkError(`${url.host}: ${reasonOf(error)}`);
      }
    },
    [Symbol.dispose]: () => client.close(),
  };
}

/** `Connection refused`, of `error sending request for url (…): client error (Connect): tcp connect …` */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  const reason = text
    .replace(/^.*?error sending request for url \(.*?\): /s, "") // its path may hold a key
    .replace(/^client error \(\w+\): /, "")
    .replace(/ \(os error \d+\)$/, "");
  return inWords(reason);
}
