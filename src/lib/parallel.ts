import { throwIfAborted } from "./interrupt.ts";

/**
 * `fn` of every item, at most `limit` at a time; the results are in the order
 * of the items. The first failure aborts the signal that the others were given;
 * it is thrown when all that had begun have ended.
 */
export async function mapParallel<Item, Result>(
  items: readonly Item[],
  limit: number,
  fn: (item: Item, index: number, signal: AbortSignal) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result[]> {
  const controller = new AbortController();
  const both = signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]);
  const results: Result[] = new Array(items.length);
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const work = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const index = next++;
      try {
        throwIfAborted(signal);
        results[index] = await fn(items[index] as Item, index, both);
      } catch (error) {
        failure ??= { error };
        controller.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(limit, items.length)) }, work));
  if (failure !== undefined) throw failure.error;
  return results;
}
