/** Who is at the other end of a socket of the UNIX domain. */
import { residentLibc } from "./libc.ts";

/** As the kernel knows it since the connection was made: SO_PEERCRED, unix(7). */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** undefined where the kernel does not say. @param fd of the connection */
export function peerOf(fd: number): Peer | undefined {
  const value = new Uint32Array(3);
  const size = Uint32Array.of(value.byteLength);
  if (residentLibc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, value, size) !== 0) return undefined;
  const [pid = 0, uid = 0, gid = 0] = value;
  return { pid, uid, gid };
}
