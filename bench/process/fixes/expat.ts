/** Fixes of expat, loaded into a web server that parses XML for each answer. */
import type { Fix } from "./fix.ts";
import { type PythonService, startPython } from "./python-site.ts";

const VERSION = "2.5.0-1+deb12u2";
const source = { name: "expat", version: VERSION, patchesFrom: VERSION };
/** Its rules copy the source twice, and build each copy in a folder beside it. */
const before = {
  kind: "left-out",
  rebuild: {
    below: "src",
    strip: 2,
    command: ["make", "-C", "../build/lib"],
    program: "../build/lib/.libs/libexpat.so.1.8.10",
    as: "libexpat.so.1",
  },
} as const;

const SITE = `
import xml.etree.ElementTree as tree
text = "<all>" + "<one a='b'>c &amp; d</one>" * 100 + "</all>"
lib = ctypes.CDLL("libexpat.so.1")
lib.XML_ParserCreate.restype = ctypes.c_void_p
lib.XML_GetBuffer.restype = ctypes.c_void_p
names = {0: "XML_ERROR_NONE", 41: "XML_ERROR_INVALID_ARGUMENT"}

def work():
    return str(len(tree.fromstring(text))).encode()

def probe():
    parser = ctypes.c_void_p(lib.XML_ParserCreate(None))
    status = check(parser)
    code = lib.XML_GetErrorCode(parser)
    lib.XML_ParserFree(parser)
    return f"{'refused' if status == 0 else 'taken'}, {names.get(code, code)}"
`;
const NEGATIVE = `
def check(parser):
    lib.XML_GetBuffer(parser, 64)
    return lib.XML_ParseBuffer(parser, -1, 0)
`;
export const EXPAT: readonly Fix[] = [
  {
    id: "CVE-2024-45490",
    what: "XML_ParseBuffer() takes a negative length (out of bounds)",
    source,
    before,
    diffs: ["CVE-2024-45490.patch"],
    start: (place) => startPython(place, { program: SITE + NEGATIVE }),
    async probe(service) {
      const seen = `a length of -1: ${await (service as PythonService).ask()}`;
      return { fixed: seen.includes("INVALID_ARGUMENT"), seen };
    },
  },
];
