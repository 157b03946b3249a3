/** Resolves when it is so. */
export async function until(isSo) {
  while (!isSo()) await new Promise(setImmediate);
}
