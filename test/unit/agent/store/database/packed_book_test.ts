import assert from "node:assert/strict";
import { openDatabase } from "../../../../../agent/store/database/database.ts";
import { PackedBook } from "../../../../../agent/store/database/packed_book.ts";
import { TempFolder } from "../../../../harness/temp_folder.ts";

Deno.test("packed files are noted by stream, changed and forgotten, from one start to the next", async () => {
  await using folder = await TempFolder.make();
  const note = { file: "1:2", state: "10 20.5", generation: "0123456789abcdef", bytes: 2 ** 40 };
  const other = { ...note, file: "1:3" };
  {
    const database = openDatabase(folder.path, { readOnly: false });
    const book = new PackedBook(database);
    book.change("logs", { noted: [note, other], gone: [] });
    book.change("events", { noted: [note], gone: [] });
    book.change("logs", { noted: [{ ...other, bytes: 7 }], gone: ["1:2", "1:9"] });
    database.close();
  }
  const database = openDatabase(folder.path, { readOnly: false });
  const book = new PackedBook(database);
  assert.deepEqual(book.of("logs"), [{ ...other, bytes: 7 }]);
  assert.deepEqual(book.of("events"), [note]);
  assert.deepEqual(book.of("none"), []);
  database.close();
});

Deno.test("an agent.db of format 12 becomes one that notes packed files", async () => {
  await using folder = await TempFolder.make();
  const old = openDatabase(folder.path, { readOnly: false });
  old.exec("DROP TABLE packed_files");
  old.exec("UPDATE meta SET value = '12' WHERE key = 'format_version'; PRAGMA user_version = 12");
  old.close();
  const database = openDatabase(folder.path, { readOnly: false });
  assert.deepEqual(new PackedBook(database).of("logs"), []);
  assert.equal(database.prepare("PRAGMA user_version").get()?.user_version, 13);
  database.close();
});
