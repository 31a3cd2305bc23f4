/** Datagrams to a socket of the UNIX domain, which Node has no interface for: what a service tells its manager. */
import { closeSync } from "node:fs";
import { residentLibc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2_000_000;
const MSG_DONTWAIT = 0x40;
/** struct sockaddr_un: unix(7). */
const MOST_PATH = 107;

/**
 * Sends one datagram and waits for nothing. @param path of the socket; one that begins with `@` is abstract
 * @returns whether it was sent. Source: sd_notify(3).
 */
export function sendDatagram(path: string, message: string): boolean {
  const name = Buffer.from(path);
  if (name.length === 0 || name.length > MOST_PATH) return false;
  if (path.startsWith("@")) name[0] = 0;
  const address = Buffer.alloc(2 + name.length + (path.startsWith("@") ? 0 : 1));
  address.set(new Uint8Array(Uint16Array.of(AF_UNIX).buffer));
  address.set(name, 2);
  const { socket, sendto } = residentLibc();
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  try {
    const bytes = Buffer.from(message);
    return Number(sendto(fd, bytes, bytes.length, MSG_DONTWAIT, address, address.length)) === bytes.length;
  } finally {
    closeSync(fd);
  }
}
