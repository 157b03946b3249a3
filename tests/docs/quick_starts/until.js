/** Resolves when the condition is true. */
export async function until(isSo) {
  while (!isSo()) await new Promise(setImmediate);
}
