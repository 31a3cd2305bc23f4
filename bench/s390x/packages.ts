/** Packages of another architecture, by an apt configuration of our own beside the machine's. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../src/lib/run.ts";
import { OWN_USER, parseStanzas, privateState, updateLists } from "../../src/provider/debian/debian-archive.ts";

const ARCHITECTURE = "s390x";

export interface Packages {
  /** As uname -r prints it. */
  readonly release: string;
  readonly version: string;
  /** Paths of the .deb files. */
  readonly image: string;
  readonly headers: string;
  readonly kbuild: string;
  readonly source: string;
}

/** The packages of the newest stock kernel that the machine's own archive has for the architecture, in `directory`. */
export async function fetched(directory: string): Promise<Packages> {
  const options = await configured(join(directory, "apt"));
  const show = async (name: string) =>
    parseStanzas((await run("apt-cache", [...options, "show", name], { check: true })).stdout);
  const [meta] = await show(`linux-image-${ARCHITECTURE}:${ARCHITECTURE}`);
  const image = /linux-image-\S+/.exec(meta?.["Depends"] ?? "")?.[0] ?? "";
  const release = image.replace("linux-image-", "");
  const version = meta?.["Version"] ?? "";
  const series = /^\d+\.\d+/.exec(version)?.[0];
  const download = async (name: string, architecture = ""): Promise<string> =>
    await downloaded(`${name}${architecture}=${version}`, join(directory, "packages"), options);
  return {
    release,
    version,
    image: await download(image, `:${ARCHITECTURE}`),
    headers: await download(`linux-headers-${release}`, `:${ARCHITECTURE}`),
    kbuild: await download(`linux-kbuild-${series}`),
    source: await download(`linux-source-${series}`),
  };
}

/** The machine's own sources, for both architectures: kbuild's programs have to run here. */
async function configured(directory: string): Promise<string[]> {
  for (const each of ["lists/partial", "cache/archives/partial", "state"])
    mkdirSync(join(directory, each), { recursive: true });
  const format = "$(SITE)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)";
  const targets = await run("apt-get", ["indextargets", "--format", format, "Created-By: Packages"], { check: true });
  const lines = new Set(targets.stdout.split("\n").filter((line) => line.endsWith("|Debian")));
  const native = (await run("dpkg", ["--print-architecture"], { check: true })).stdout.trim();
  const sources = [...lines].map((line) => {
    const [site, suite, component] = line.split("|");
    return `deb [arch=${native},${ARCHITECTURE} signed-by=${KEYS}] ${site} ${suite} ${component}\n`;
  });
  writeFileSync(join(directory, "sources.list"), sources.join(""));
  const own = [
    `Dir::Etc::sourcelist=${join(directory, "sources.list")}`,
    "Dir::Etc::sourceparts=/dev/null",
    `APT::Architectures::=${native}`,
    `APT::Architectures::=${ARCHITECTURE}`,
  ];
  const options = [...OWN_USER, ...privateState(directory), ...own.flatMap((option) => ["-o", option])];
  await updateLists(directory, options, undefined);
  return options;
}

const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

async function downloaded(spec: string, directory: string, options: readonly string[]): Promise<string> {
  mkdirSync(directory, { recursive: true });
  const start = spec.replace(/(:\w+)?=/, "_").replaceAll(":", "%3a");
  const found = () => readdirSync(directory).find((name) => name.startsWith(start) && name.endsWith(".deb"));
  if (found() === undefined)
    await run("apt-get", [...options, "-q", "download", spec], { check: true, cwd: directory });
  const path = join(directory, found() ?? start);
  if (!existsSync(path)) throw new Error(`${spec} was not downloaded`);
  return path;
}
