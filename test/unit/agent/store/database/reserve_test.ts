import assert from "node:assert/strict";
import { join } from "node:path";
import { Reserve } from "../../../../../agent/store/database/reserve.ts";
import { folder } from "../scene.ts";

Deno.test("a commit that finds no room gets the reserve's, which is made again after it", async () => {
  await using data = await folder();
  const reserve = new Reserve(data.path);
  reserve.fill();
  const size = () => Deno.statSync(join(data.path, "reserve")).size;
  const whole = size();
  assert.ok(whole >= 2 ** 20);
  let tries = 0;
  const done = reserve.spend(() => {
    if (tries++ === 0) throw new Error("database or disk is full");
    assert.throws(size, Deno.errors.NotFound);
    return "committed";
  });
  assert.equal(done, "committed");
  assert.equal(size(), whole);
  reserve.fill();
  assert.equal(size(), whole);
});

Deno.test("what room cannot heal is not tried again", async () => {
  await using data = await folder();
  const reserve = new Reserve(data.path);
  let tries = 0;
  const fail = () => {
    tries++;
    throw new Error("UNIQUE constraint failed");
  };
  assert.throws(() => reserve.spend(fail), /UNIQUE/);
  assert.equal(tries, 1);
});
