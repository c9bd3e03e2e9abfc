/** Near misses: slips of the finger find their word, other words find none. */
import assert from "node:assert/strict";
import { nearMiss } from "../../../../protocol/config/near_miss.ts";

Deno.test("a slip of the finger finds the word that was meant", () => {
  const check = (word: string, expected: string | null) =>
    assert.equal(nearMiss(word, ["auto", "combined", "json", "jsonl", "nginx"]), expected, word);
  check("ngnix", "nginx"); // swapped
  check("combned", "combined"); // left out
  check("jsson", "json"); // added
  check("AUTO", "auto");
  check("outo", "auto"); // changed
  check("json", "json");
  check("syslog", null);
  check("", null);
  check("a", null);
});
