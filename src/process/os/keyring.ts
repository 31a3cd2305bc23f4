import { libc } from "./libc.ts";
import { native, nativeLinux } from "./native.ts";

/** KEYCTL_READ of include/uapi/linux/keyctl.h. */
const KEYCTL_READ = 11n;
/** Bytes of a key's number. */
const NUMBER = 4;
const MOST_KEYS = 10_000;

/** The numbers of the keys and keyrings that are linked to a keyring; undefined where this user may not read it. */
export function keysIn(keyring: number): number[] | undefined {
  const bytes = Buffer.alloc(MOST_KEYS * NUMBER);
  const { syscall, addressOf } = libc();
  const { keyctl } = nativeLinux().systemCalls;
  const length = Number(syscall(keyctl, KEYCTL_READ, BigInt(keyring), addressOf(bytes), BigInt(bytes.length), 0n, 0n));
  if (length < 0 || length > bytes.length) return undefined;
  const { words } = native();
  return Array.from({ length: length / NUMBER }, (_, index) => words.u32(bytes, index * NUMBER));
}
