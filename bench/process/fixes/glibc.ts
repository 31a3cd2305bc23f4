/** Fixes of glibc, loaded into a web server that runs with the libc before them. */
import { join } from "node:path";
import type { Fix, Place } from "./fix.ts";
import { type PythonService, type PythonSite, startPython } from "./python-site.ts";

const VERSION = "2.36-9+deb12u7";
const source = { name: "glibc", version: VERSION, patchesFrom: "2.36-9+deb12u14" };
const before = {
  kind: "stock",
  packages: [{ name: "libc6", version: VERSION }],
  object: "lib/x86_64-linux-gnu/libc.so.6",
} as const;

const SITE = `
lib = ctypes.CDLL(None)

def work():
    return b"".join(bytes([i % 256]) * (i % 997) for i in range(100))
`;
/** WRDE_APPEND with WRDE_REUSE. */
const WORDEXP = `
class Words(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("words", ctypes.c_void_p), ("offset", ctypes.c_size_t)]

def probe():
    words = Words()
    lib.wordexp(b"one", ctypes.byref(words), 0)
    lib.wordexp(b"two", ctypes.byref(words), 2 | 8)
    return f"{words.count} words"
`;

/** Alignment and size whose sum is small again. */
const MEMALIGN = `
lib.aligned_alloc.restype = ctypes.c_void_p
lib.aligned_alloc.argtypes = (ctypes.c_size_t, ctypes.c_size_t)

def probe():
    return "no memory" if lib.aligned_alloc(2 ** 63, 2 ** 63 - 1) is None else "memory"
`;

/** A libc works with its own dynamic loader alone. */
async function startWithOwnLoader(place: Place, program: string): Promise<PythonService> {
  const loader = join(place.root, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
  const site: PythonSite = {
    program,
    interpreter: [loader, "--library-path", place.libraries, "/usr/bin/python3"],
    env: {},
  };
  return await startPython(place, site);
}

export const GLIBC: readonly Fix[] = [
  {
    id: "CVE-2025-15281",
    what: "wordexp() with WRDE_REUSE and WRDE_APPEND gives words that it never wrote",
    source,
    before,
    diffs: [{ kind: "changed", files: ["posix/wordexp.c"] }],
    start: (place) => startWithOwnLoader(place, SITE + WORDEXP),
    async probe(service) {
      const seen = `"one", and "two" in its place: ${await (service as PythonService).ask()}`;
      return { fixed: seen.endsWith(": 1 words"), seen };
    },
  },
  {
    id: "CVE-2026-0861",
    what: "aligned_alloc() adds alignment and size beyond what there is (heap corruption)",
    source,
    before,
    diffs: [{ kind: "changed", files: ["malloc/malloc.c"] }],
    lethal: true,
    start: (place) => startWithOwnLoader(place, SITE + MEMALIGN),
    async probe(service) {
      const answer = await (service as PythonService).ask();
      return { fixed: answer === "no memory", seen: answer === "" ? "the server dies" : answer };
    },
  },
];
