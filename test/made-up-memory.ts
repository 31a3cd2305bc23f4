/** Files by which a kernel that is made up shows its memory and its symbols. */

/** Bytes at an address. */
export interface MadeUpPart {
  readonly address: bigint;
  readonly bytes: Buffer;
}

/** An ELF core file with these parts of memory. */
export function coreOf(parts: readonly MadeUpPart[]): Buffer {
  const header = Buffer.alloc(64 + 56 * parts.length);
  header.write("7f454c46020101", 0, "hex");
  header.writeUInt16LE(4, 16);
  header.writeUInt16LE(62, 18);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(parts.length, 56);
  let offset = header.length;
  for (const [i, { address, bytes }] of parts.entries()) {
    const at = 64 + 56 * i;
    header.writeUInt32LE(1, at);
    header.writeBigUInt64LE(BigInt(offset), at + 8);
    header.writeBigUInt64LE(address, at + 16);
    header.writeBigUInt64LE(BigInt(bytes.length), at + 32);
    header.writeBigUInt64LE(BigInt(bytes.length), at + 40);
    offset += bytes.length;
  }
  return Buffer.concat([header, ...parts.map(({ bytes }) => bytes)]);
}

/** /proc/kallsyms: address, name, and the module that it is in. */
export function kallsymsOf(
  symbols: readonly (readonly [address: bigint, name: string, module?: string | undefined])[],
): string {
  return symbols
    .map(([address, name, module]) => {
      const tag = module === undefined ? "" : `\t[${module}]`;
      return `${address.toString(16).padStart(16, "0")} t ${name}${tag}\n`;
    })
    .join("");
}
