/** Reads the envelope of a Token04 byte by byte, which needs no secret. */

const CIPHERS = { 0: "AES-CBC", 1: "AES-GCM" };

/**
 * Returns the parts of a token in order: name, number of bytes, value.
 *
 * @returns {{name: string, bytes: number, value: string}[]}
 */
export function takeApart(token) {
  const bytes = Uint8Array.from(atob(token.slice(2)), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const expiry = Number(view.getBigInt64(0));
  const ivBytes = view.getUint16(8);
  const sealedAt = 12 + ivBytes;
  const sealedBytes = view.getUint16(sealedAt - 2);
  const rest = bytes.length - sealedAt - sealedBytes;
  const cipher = CIPHERS[rest ? bytes.at(-1) : 0] ?? "unknown";
  return [
    { name: "version", bytes: 0, value: token.slice(0, 2) },
    { name: "expiry", bytes: 8, value: String(expiry) },
    { name: "IV length", bytes: 2, value: String(ivBytes) },
    { name: "IV", bytes: ivBytes, value: hex(bytes.slice(10, 10 + ivBytes)) },
    { name: "ciphertext length", bytes: 2, value: String(sealedBytes) },
    { name: "ciphertext", bytes: sealedBytes, value: `${cipher}: the claims below` },
    { name: "mode", bytes: rest, value: rest ? `${bytes.at(-1)}: ${cipher}` : `none: ${cipher}` },
  ];
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
