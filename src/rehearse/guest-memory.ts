/** The guest's kernel memory and symbols, as its root sees them: /proc/kcore, /proc/kallsyms and /sys/module. */

import type { KernelMemory } from "../audit/memory.ts";
import { type CoreSegment, coreSegments, coreTable, fileOffset } from "../elf/core-segments.ts";
import { SutureError } from "../lib/error.ts";
import { quoted } from "./guest.ts";
import type { Vm } from "./vm.ts";

/** In base64 they fit into a job's output. */
const PAGES_AT_ONCE = 10;
/** Of the names in one command. */
const NAME_BYTES = 2000;

/**
 * Reads through commands in the guest, and keeps each page that it has read: for a time
 * in which nothing is patched. Throws `GUEST_MEMORY_UNREADABLE`, and `GuestLost` where
 * the guest has died.
 */
export class GuestMemory implements KernelMemory {
  readonly #vm: Vm;
  /** Bytes. */
  readonly #pageSize: bigint;
  #segments: readonly CoreSegment[] | undefined;
  readonly #pages = new Map<bigint, Buffer>();

  constructor(vm: Vm) {
    this.#vm = vm;
    this.#pageSize = BigInt(vm.arch.kernel.pageSize);
  }

  async symbols(names: readonly string[]) {
    const found = new Map<string, { address: bigint; object: string }[]>();
    await this.#output("cat /proc/kallsyms > /suture/kallsyms");
    for (const chunk of chunks(names)) {
      const words = quoted(chunk.join(" "));
      const program = `'BEGIN { split(words, list, " "); for (i in list) wanted[list[i]] } $3 in wanted { print $1, $3, $4 }'`;
      const output = await this.#output(`awk -v words=${words} ${program} /suture/kallsyms`);
      for (const [, address, name = "", module] of output.matchAll(/^([0-9a-f]+) (\S+) ?(?:\[(\S+)\])?$/gm)) {
        const each = { address: BigInt(`0x${address}`), object: module ?? "vmlinux" };
        found.set(name, [...(found.get(name) ?? []), each]);
      }
    }
    return found;
  }

  async sections(module: string): Promise<ReadonlyMap<string, bigint>> {
    const directory = quoted(`/sys/module/${module}/sections`);
    const output = await this.#output(`cd ${directory} && grep -H . .[!.]* * 2> /dev/null; true`);
    return new Map(
      [...output.matchAll(/^([^\n:]+):0x([0-9a-f]+)$/gm)].map(([, name = "", address]) => [
        name,
        BigInt(`0x${address}`),
      ]),
    );
  }

  async read(address: bigint, length: number): Promise<Buffer> {
    const first = address / this.#pageSize;
    const last = (address + BigInt(length) - 1n) / this.#pageSize;
    const pages: Buffer[] = [];
    for (let page = first; page <= last; page++) pages.push(await this.#page(page, last));
    const from = Number(address - first * this.#pageSize);
    return Buffer.concat(pages).subarray(from, from + length);
  }

  async #page(page: bigint, last: bigint): Promise<Buffer> {
    const known = this.#pages.get(page);
    if (known !== undefined) return known;
    const count = Math.min(Number(last - page) + 1, PAGES_AT_ONCE);
    const size = this.#pageSize;
    const skip = (await this.#offsetOf(page * size)) / size;
    const command = `dd if=/proc/kcore bs=${size} skip=${skip} count=${count} 2> /dev/null | base64 -w 0`;
    const data = Buffer.from(await this.#output(command), "base64");
    for (let i = 0; (i + 1) * Number(size) <= data.length; i++)
      this.#pages.set(page + BigInt(i), data.subarray(i * Number(size), (i + 1) * Number(size)));
    const read = this.#pages.get(page);
    if (read === undefined) throw unreadable(page * size);
    return read;
  }

  async #offsetOf(address: bigint): Promise<bigint> {
    this.#segments ??= segmentsIn(Buffer.from(await this.#output("head -c 8192 /proc/kcore | base64 -w 0"), "base64"));
    if (this.#segments.length === 0)
      throw new SutureError("GUEST_MEMORY_UNREADABLE", "the guest's kernel does not show its memory", {
        where: "/proc/kcore",
        hint: "take a kernel with CONFIG_PROC_KCORE, or rehearse without --memory",
      });
    const offset = fileOffset(this.#segments, address, 1);
    if (offset === undefined) throw unreadable(address);
    return offset;
  }

  async #output(command: string): Promise<string> {
    const { status, output } = await this.#vm.run(command);
    if (status === 0) return output;
    throw new SutureError("GUEST_MEMORY_UNREADABLE", "the guest's memory cannot be read", {
      where: command.slice(0, 200),
      hint: output.slice(-200),
    });
  }
}

function segmentsIn(start: Buffer): CoreSegment[] {
  const table = coreTable(start);
  if (table === undefined) return [];
  const offset = Number(table.offset);
  return coreSegments(start, start.subarray(offset, offset + table.size));
}

function* chunks(names: readonly string[]): Generator<string[]> {
  let chunk: string[] = [];
  let bytes = 0;
  for (const name of names) {
    if (bytes + name.length + 1 > NAME_BYTES) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(name);
    bytes += name.length + 1;
  }
  if (chunk.length > 0) yield chunk;
}

function unreadable(address: bigint): SutureError {
  return new SutureError("GUEST_MEMORY_UNREADABLE", "the guest's memory cannot be read", {
    where: `0x${address.toString(16)}`,
  });
}
