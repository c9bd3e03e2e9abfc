/**
 * Loaded before every test file: frees DuckDB's results when the file is through. Those that are
 * left to the end of the file's isolate crash Deno 2.9.5 (a finalizer runs after its data is gone).
 * Programs are not concerned: they end with their process.
 */

addEventListener("unload", () => {
  const collect: unknown = Reflect.get(globalThis, "gc"); // there with --expose-gc
  if (typeof collect === "function") collect();
});
