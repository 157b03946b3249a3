// What node.js uses of Node and of optional packages, which are not installed for this check.

declare module "node:*";
declare module "@smithy/*";
declare module "@aws-sdk/*";
declare const process: { env: Record<string, string | undefined> };
declare const Buffer: { concat(chunks: Uint8Array[]): Uint8Array<ArrayBuffer> };
interface ReadableStream<R> {
  [Symbol.asyncIterator](): AsyncIterableIterator<R>;
}

declare module "react" {
  export function useState<T>(initial: T): [T, (value: T) => void];
  export function useEffect(effect: () => (() => void) | undefined, uses: readonly unknown[]): void;
}
