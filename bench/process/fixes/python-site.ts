/** A web server in Python, whose process has the libraries that are patched: what it answers with goes through them. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../src/lib/run.ts";
import type { Place, Service } from "./fix.ts";
import { wrk } from "./loads.ts";
import { freePort, Server } from "./server.ts";
import { bodyOf, talk } from "./talk.ts";

export interface PythonSite {
  /** Runs once, and defines work() and probe(): bytes of an answer under load, and words of what was looked for. */
  readonly program: string;
  /** Whether the load comes by TLS. */
  readonly tls?: boolean;
  /** What starts Python; the machine's own by default. */
  readonly interpreter?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const SERVER = `import ctypes, ssl, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

exec(open("site.py").read())

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        body = probe().encode() if self.path == "/probe" else work()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

class Site(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

site, aside = (Site(("127.0.0.1", int(port)), Handler) for port in sys.argv[1:3])
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("certificate.pem", "key.pem")
    site.socket = context.wrap_socket(site.socket, server_side=True)
threading.Thread(target=aside.serve_forever, daemon=True).start()
site.serve_forever()
`;

export interface PythonService extends Service {
  /** What probe() says; empty where the server died of it. */
  ask(): Promise<string>;
}

export async function startPython(place: Place, site: PythonSite): Promise<PythonService> {
  const [port, aside] = [await freePort(), await freePort()];
  await writeFile(join(place.directory, "server.py"), SERVER);
  await writeFile(join(place.directory, "site.py"), site.program);
  if (site.tls === true) await makeCertificate(place.directory);
  const [program = "", ...first] = site.interpreter ?? ["/usr/bin/python3"];
  const server = await Server.start({
    program,
    args: [...first, "server.py", String(port), String(aside), ...(site.tls === true ? ["tls"] : [])],
    env: site.env ?? { LD_LIBRARY_PATH: place.libraries },
    directory: place.directory,
    port: aside,
  });
  return {
    server,
    pids: () => [server.pid],
    load: () => wrk(`${site.tls === true ? "https" : "http"}://127.0.0.1:${port}/`),
    generator: site.tls === true ? "wrk, TLS" : "wrk",
    ask: async () => bodyOf(await talk(aside, "GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", PATIENT)),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const PATIENT = { quiet: 5000 };

async function makeCertificate(directory: string): Promise<void> {
  const words = "req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -days 3650 -keyout key.pem -out certificate.pem";
  await run("openssl", words.split(" "), { cwd: directory, check: true });
}
