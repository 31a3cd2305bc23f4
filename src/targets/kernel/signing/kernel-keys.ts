/** The keys that the running kernel has, as /proc/keys shows them (keyrings(7)). */
import { join } from "node:path";
import { keysIn } from "../../../process/os/keyring.ts";
import { readIfThere } from "../sysfs.ts";

/** A key that verifies. */
export interface KernelKey {
  /** As the kernel words it: of the certificate's subject. */
  readonly subject: string;
  /** The certificate's subject key identifier or, where it has none, its serial number, hexadecimal. */
  readonly id: string;
}

interface Row {
  readonly number: number;
  readonly type: string;
  readonly description: string;
}

/** Those in which the kernel looks for who signed a module; the platform's with a patch that distributions have. */
const TRUSTED = [".builtin_trusted_keys", ".secondary_trusted_keys", ".machine", ".platform"];

/**
 * The keys of the keyrings that count for modules; all that verify anything where this user may not read those.
 * undefined where no key can be seen. `root` is the root of the file system.
 */
export async function kernelKeys(root: string): Promise<KernelKey[] | undefined> {
  const rows = (await readIfThere(join(root, "proc/keys")))?.split("\n").flatMap(rowOf);
  const keys = rows?.filter(({ type }) => type === "asymmetri");
  if (rows === undefined || keys === undefined || keys.length === 0) return undefined;
  const trusted = root === "/" ? trustedNumbers(rows) : undefined;
  return keys.filter(({ number }) => trusted?.has(number) ?? true).flatMap(keyOf);
}

/** Source: proc_keys_show, security/keys/proc.c: number, flags, uses, time, rights, owner, group, type, description. */
function rowOf(line: string): Row[] {
  const [, number, type, description] = /^([0-9a-f]{8})(?: +\S+){6} +(\S+) +(.*)$/.exec(line) ?? [];
  if (number === undefined || type === undefined || description === undefined) return [];
  return [{ number: Number.parseInt(number, 16), type, description }];
}

/** Source: x509_key_preparse and asymmetric_key_describe: `SUBJECT: ID: X509.rsa 01234567 []`. */
function keyOf({ description }: Row): KernelKey[] {
  const [, subject, id] = /^(.*): ([0-9a-f]+): \S+ [0-9a-f]* ?\[.*\]$/.exec(description) ?? [];
  return subject === undefined || id === undefined ? [{ subject: description, id: "" }] : [{ subject, id }];
}

/** undefined where one of them may not be read. */
function trustedNumbers(rows: readonly Row[]): ReadonlySet<number> | undefined {
  const numbers = new Set<number>();
  for (const { number, type, description } of rows) {
    if (type !== "keyring" || !TRUSTED.includes(description.replace(/: .*$/, ""))) continue;
    const inIt = keysIn(number);
    if (inIt === undefined) return undefined;
    for (const each of inIt) numbers.add(each);
  }
  return numbers;
}
