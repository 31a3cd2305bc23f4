/** A fix of Python itself, loaded into a web server that it runs. */
import type { Fix } from "./fix.ts";
import { type PythonService, startPython } from "./python-site.ts";

const VERSION = "3.11.2-6+deb12u8";
/** Debian links it with optimization of the whole, which no livepatch can be proved against. */
const source = {
  name: "python3.11",
  version: VERSION,
  patchesFrom: VERSION,
  target: "stamps/stamp-build-static",
  options: ["nolto", "nopgo"],
};
const before = {
  kind: "left-out",
  rebuild: { command: ["make", "-C", "build-static", "python"], program: "build-static/python" },
} as const;

const SITE = `
import json
from xml.parsers import expat
page = {"numbers": list(range(100)), "text": "a page of its own"}

def work():
    return json.dumps(json.loads(json.dumps(page))).encode()

def probe():
    parser = expat.ParserCreate()
    parser.ElementDeclHandler = lambda name, model: None
    depth = 200_000
    try:
        parser.Parse(b"<!DOCTYPE r [<!ELEMENT r " + b"(a, " * depth + b"a" + b")" * depth + b">]><r/>", True)
    except RecursionError as error:
        return f"{type(error).__name__}: {error}"
    return "parsed"
`;

export const PYTHON: readonly Fix[] = [
  {
    id: "CVE-2026-4224",
    what: "a content model of many levels in an XML document overflows the stack; built without link-time optimization",
    source,
    before,
    diffs: ["CVE-2026-4224.patch"],
    lethal: true,
    start: (place) =>
      startPython(place, { program: SITE, interpreter: [place.program("python")], env: { PYTHONHOME: "/usr" } }),
    async probe(service) {
      const answer = await (service as PythonService).ask();
      return { fixed: answer.startsWith("RecursionError"), seen: answer === "" ? "the server dies" : answer };
    },
  },
];
