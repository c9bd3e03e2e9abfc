import assert from "node:assert/strict";
import { ChunkRoom } from "../../../../protocol/archive/chunk_room.ts";

Deno.test("a question may name so many chunks, and all that run together no more", () => {
  const room = new ChunkRoom(10);
  const first = room.open();
  first.take(4);
  first.take(6);
  assert.throws(() => first.take(1), { code: "bad_sql", message: /more than 10 archived chunks/ });
  const second = room.open();
  assert.throws(() => second.take(1), { code: "unavailable", message: /ask again later/ });
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  second.take(10);
  assert.throws(() => room.open().take(1), { code: "unavailable" });
});
