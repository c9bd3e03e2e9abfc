/** How a server of a sink treats the requests that come next, one after the other. */

/** `reset`: the connection is closed without an answer, before or after the request was worked on. */
export type Mood =
  | { kind: "answer"; status: number; body?: string; headers?: Record<string, string> }
  | { kind: "reset" }
  | { kind: "reset after" }
  | { kind: "slow"; ms: number };

/** A server's next moods; then it is as it should be. */
export class Moods {
  private readonly next: Mood[] = [];

  push(...moods: readonly Mood[]) {
    this.next.push(...moods);
  }

  /** Works on a request in the mood that is next. */
  async answer(request: Request, work: () => Response | Promise<Response>): Promise<Response> {
    const mood = this.next.shift();
    switch (mood?.kind) {
      case undefined:
        return await work();
      case "answer":
        return new Response(mood.body ?? "", {
          status: mood.status,
          headers: mood.headers ?? {},
        });
      case "slow":
        await new Promise((resolve) => setTimeout(resolve, mood.ms));
        return await work();
      case "reset":
        return broken(request);
      case "reset after":
        await (await work()).body?.cancel();
        return broken(request);
      default:
        return mood satisfies never;
    }
  }
}

/** Ends the connection in the middle of an answer. */
function broken(_: Request): Response {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("{"));
    },
    pull(controller) {
      controller.error(new Error("the test resets this connection"));
    },
  });
  return new Response(body, { headers: { "content-length": "1000" } });
}
