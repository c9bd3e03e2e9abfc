/** Several generators as one: what any of them gives, as it comes. Those that are not through are ended. */
export async function* mergedBatches<T>(
  generators: readonly AsyncGenerator<T>[],
): AsyncGenerator<T> {
  const next = (generator: AsyncGenerator<T>) =>
    generator.next().then((result) => ({ generator, result }));
  const pending = new Map(generators.map((generator) => [generator, next(generator)]));
  try {
    while (pending.size > 0) {
      const { generator, result } = await Promise.race(pending.values());
      if (result.done) pending.delete(generator);
      else {
        pending.set(generator, next(generator));
        yield result.value;
      }
    }
  } finally {
    for (const [generator, waiting] of pending) {
      waiting.catch(() => {}); // the first error is the one
      generator.return(undefined).catch(() => {}); // when what it waits for has come
    }
  }
}
