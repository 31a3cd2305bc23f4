/** A fix of zlib, loaded into a web server that compresses what it answers with. */
import type { Fix } from "./fix.ts";
import { type PythonService, startPython } from "./python-site.ts";

const VERSION = "1:1.2.13.dfsg-1";

/** Level 0 and 9 of memory; z_stream is 112 bytes. */
const SITE = `
import zlib
text = b"a page of its own, " * 400
lib = ctypes.CDLL("libz.so.1")
lib.deflateBound.restype = ctypes.c_ulong
lib.deflateBound.argtypes = (ctypes.c_void_p, ctypes.c_ulong)

def work():
    return zlib.compress(text, 6)

def probe():
    stream = ctypes.create_string_buffer(112)
    lib.deflateInit2_(stream, 0, 8, 15, 9, 0, b"1.2.13", 112)
    bound = lib.deflateBound(stream, 0)
    lib.deflateEnd(stream)
    return f"{bound} bytes for a stream of {len(zlib.compress(b'', 0))}"
`;

/** What zlib 1.3 has here ("Fix bug in deflateBound() for level 0 and memLevel 9" of its ChangeLog), since commit e554695638228b846d49657f31eeff0ca4680e8a. */
const LEVEL_0 = `--- a/deflate.c
+++ b/deflate.c
@@ -734,7 +734,8 @@
 
     /* if not default parameters, return one of the conservative bounds */
     if (s->w_bits != 15 || s->hash_bits != 8 + 7)
-        return (s->w_bits <= s->hash_bits ? fixedlen : storelen) + wraplen;
+        return (s->w_bits <= s->hash_bits && s->level ? fixedlen : storelen) +
+               wraplen;
 
     /* default settings: return tight bound for that case -- ~0.03% overhead
        plus a small constant */
`;

export const ZLIB: readonly Fix[] = [
  {
    id: "zlib-1.3-deflateBound",
    what: "deflateBound() names less room than a stream of level 0 takes (a buffer of its size overflows); the diff is a cut of what 1.3 changed",
    source: { name: "zlib", version: VERSION, patchesFrom: VERSION },
    before: {
      kind: "stock",
      packages: [{ name: "zlib1g", version: VERSION }],
      object: "lib/x86_64-linux-gnu/libz.so.1",
    },
    diffs: [{ kind: "upstream", name: "deflateBound-level-0.patch", text: LEVEL_0 }],
    start: (place) => startPython(place, { program: SITE }),
    async probe(service) {
      const seen = await (service as PythonService).ask();
      return { fixed: /^13 /.test(seen), seen };
    },
  },
];
