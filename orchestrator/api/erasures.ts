/** `/v1/erasures`: what is to be erased for good, and which hosts have done it. */
import type { Hono } from "hono";
import type { Erasures } from "../fleet/erasures.ts";
import { signedText } from "./signed_text.ts";

/** Adds the routes. `POST` takes the condition as its body, signed. */
export function addErasures(app: Hono, erasures: Erasures) {
  app.post("/v1/erasures", async (context) => {
    return Response.json(await erasures.take(await signedText(context.req.raw)));
  });
  app.get("/v1/erasures", () => Response.json({ erasures: erasures.list() }));
  app.get("/v1/erasures/:id", (context) => Response.json(erasures.find(context.req.param("id"))));
}
