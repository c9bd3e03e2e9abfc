/** Finds the word that somebody probably meant. */

/**
 * The candidate with the fewest typing slips (letters changed, added, left out or swapped) from
 * `word`, at most one in every three letters; null when none is that near.
 */
export function nearMiss(word: string, candidates: readonly string[]): string | null {
  let best: { candidate: string; slips: number } | null = null;
  const slipsMax = Math.max(1, Math.floor(word.length / 3));
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > slipsMax) continue;
    const slips = countSlips(word.toLowerCase(), candidate.toLowerCase());
    if (slips <= slipsMax && slips < (best?.slips ?? Infinity)) best = { candidate, slips };
  }
  return best?.candidate ?? null;
}

/** Optimal string alignment distance; `rows[i][j]` is that of the first i and j letters. */
function countSlips(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= a.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j++) {
      const changed = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? at(i - 2, j - 2) + 1 : Infinity;
      rows[i]?.push(Math.min(changed, swapped, at(i - 1, j) + 1, at(i, j - 1) + 1));
    }
  }
  return at(a.length, b.length);
}
