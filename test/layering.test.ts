import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

interface Part {
  /** Below src/: a folder, or a folder in one. */
  readonly name: string;
  /** The parts that it may import from: by default all that come before it. */
  readonly only?: readonly string[];
  /** Those before it that it may not import from. */
  readonly not?: readonly string[];
}

/** From the lowest to the highest. A folder that has parts in it is one itself, of the files that lie in none of them. */
const PARTS: readonly Part[] = [
  { name: "lib", only: [] },
  { name: "elf", only: ["lib"] },
  { name: "btf", only: ["elf", "lib"] },
  { name: "dwarf", only: ["elf", "lib"] },
  { name: "image", only: ["elf", "lib"] },
  { name: "arch" },
  { name: "patch" },
  { name: "diff" },
  { name: "link" },
  { name: "source/reach", only: ["patch", "lib"] },
  { name: "source/mention", only: ["source/reach"] },
  { name: "source/diffs", only: ["patch", "lib"] },
  { name: "source", only: ["source/reach", "source/diffs", "patch", "lib"] },
  { name: "provider/toolchain", only: ["lib"] },
  { name: "provider/kernel", not: ["diff", "link"] },
  { name: "provider/program", not: ["diff", "link", "provider/kernel"] },
  { name: "provider", only: ["provider/kernel", "provider/program", "provider/toolchain", "lib"] },
  { name: "provider/debian", not: ["diff", "link"] },
  { name: "provider/custom", not: ["diff", "link", "provider/debian"] },
  { name: "provider/registry", not: ["diff", "link", "source"] },
  { name: "builder", not: ["provider/debian"] },
  { name: "subject/kernel", not: ["provider/debian"] },
  { name: "subject/program", not: ["subject/kernel", "provider/debian"] },
  { name: "fixes", not: ["diff", "link", "provider/debian", "provider/custom"] },
  { name: "audit", not: ["diff", "link", "fixes", "provider/debian"] },
  { name: "core", only: ["patch", "lib"] },
  { name: "process", only: ["core", "patch", "arch", "dwarf", "elf", "lib"] },
  { name: "targets", not: ["provider/debian"] },
  { name: "rehearse", not: ["provider/debian"] },
  { name: "host", not: ["provider/debian"] },
  { name: "cli", not: ["provider/debian"] },
];

/** The rooms of a part that has some: each may import from those before it alone. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  process: ["os", "tracer", "maps", "stack", "store", "hooks", "loader", "machine"],
  host: [
    "paths.ts",
    "configuration.ts",
    "trust",
    "store",
    "supervise",
    "boot",
    "catch-up",
    "status",
    "daemon",
    "monitor",
  ],
};

/** What the package shows to those who import it, and nothing in src/ may. */
const FACES = ["src/index.ts", "src/builder.ts", "src/process.ts", "src/core/index.ts", "src/elf/index.ts"];

const MAX_LINES = 400;
const SHAPELESS = /^(utils?|helpers?|common|managers?|misc|shared)(\.|$)/;

interface SourceFile {
  /** Relative to the checkout. */
  readonly path: string;
  readonly text: string;
  /** Relative to the checkout; packages left out. */
  readonly imports: readonly string[];
}

function filesBelow(directory: string): SourceFile[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => sourceFile(join(directory, name)));
}

function sourceFile(path: string): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]*)"/g)].map((match) => match[1] as string);
  const imports = specifiers.map((specifier) => relative(root, resolve(root, dirname(path), specifier)));
  return { path, text, imports };
}

/** The innermost one. */
function partOf(path: string): string {
  const inside = PARTS.filter(({ name }) => path.startsWith(`src/${name}/`));
  const [innermost] = inside.toSorted((a, b) => b.name.length - a.name.length);
  return innermost?.name ?? path;
}

/** The folder, or the file, within a part. */
function roomOf(path: string): string {
  return (path.split("/")[2] ?? "").replace(/\.test\.ts$/, ".ts");
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  const index = PARTS.findIndex((part) => part.name === from);
  const { only, not = [] } = PARTS[index] ?? {};
  const allowed = only ?? PARTS.slice(0, index).map((part) => part.name);
  return allowed.includes(to) && !not.includes(to);
}

/** What only tests use lies outside of the parts. */
function isFixture(from: string, to: string): boolean {
  return from.endsWith(".test.ts") && to.startsWith("test/");
}

const sources = filesBelow("src").filter(({ path }) => !FACES.includes(path));
const everything = [
  ...sources,
  ...["test", "bench", "demo", "examples"].filter((each) => existsSync(join(root, each))).flatMap(filesBelow),
];

test("the scan sees what is imported", () => {
  const main = sources.find((file) => file.path === "src/cli/main.ts");
  expect(main?.imports).toContain("src/cli/parse.ts");
  const explain = sources.find((file) => file.path === "src/cli/commands/explain.ts");
  expect(explain?.imports).toContain("src/patch/read-metadata.ts");
});

test("every file of src is in a part", () => {
  const outside = sources.filter(({ path }) => !PARTS.some(({ name }) => name === partOf(path)));
  expect(outside.map(({ path }) => path)).toEqual([]);
});

test("no part imports what the package shows to others", () => {
  expect(sources.filter(({ imports }) => imports.some((to) => FACES.includes(to)))).toEqual([]);
});

test("a part imports only from parts below it", () => {
  const wrong = sources.flatMap((file) =>
    file.imports
      .filter((to) => !isFixture(file.path, to) && !mayImport(partOf(file.path), partOf(to)))
      .map((to) => `${file.path} imports ${to}`),
  );
  expect(wrong).toEqual([]);
});

test("a room of a part imports only from rooms before it", () => {
  const wrong = sources.flatMap((file) => {
    const rooms = ROOMS[partOf(file.path)];
    if (rooms === undefined) return [];
    const own = rooms.indexOf(roomOf(file.path));
    if (own < 0) return [`${file.path} is in no room`];
    return file.imports
      .filter((to) => partOf(to) === partOf(file.path) && rooms.indexOf(roomOf(to)) > own)
      .map((to) => `${file.path} imports ${to}`);
  });
  expect(wrong).toEqual([]);
});

/** Of one machine: its folder, its relocations and registers, its byte order, where its addresses end, its trap. */
const OF_ONE_MACHINE =
  /\barch\/(?:x86_64|s390x)\/|\bR_X86_64|\bEM\.|\b(?:e?[abcd]x|r[abcd]x|r[sd]i|r[bs]p|rip|r1[0-5]|fs_?base)\b|\.(?:read|write)(?:U?Int(?:16|32)|BigU?Int64)LE\(|2 \*\* 47\b|\b0xcc\b/i;

test("what patches processes knows no machine", () => {
  const isRoom = ({ path }: SourceFile): boolean => /^src\/(?:process|targets\/process|core)\//.test(path);
  const wrong = sources
    .filter((file) => isRoom(file) && !/\.(?:test|fixture)\.ts$/.test(file.path))
    .flatMap(({ path, text }) =>
      text.split("\n").flatMap((line, at) => (OF_ONE_MACHINE.test(line) ? `${path}:${at + 1}` : [])),
    );
  expect(wrong).toEqual([]);
});

test("one place loads the library that calls the C library, and not before it is called", () => {
  const loads = /^import (?!type\b).*"koffi"|\(\s*"koffi"\s*\)/m;
  expect(sources.filter(({ text }) => loads.test(text)).map(({ path }) => path)).toEqual(["src/process/os/libc.ts"]);
});

test("no file imports itself by way of others", () => {
  const imports = new Map(sources.map((file) => [file.path, file.imports]));
  const finished = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(" -> "));
    if (finished.has(path) || trail.includes(path)) return;
    for (const to of imports.get(path) ?? []) visit(to, [...trail, path]);
    finished.add(path);
  };
  for (const file of sources) visit(file.path, []);
  expect(cycles).toEqual([]);
});

test(`no file is longer than ${MAX_LINES} lines`, () => {
  const lengths = everything.map((file) => ({ path: file.path, lines: file.text.split("\n").length - 1 }));
  expect(lengths.filter(({ lines }) => lines > MAX_LINES)).toEqual([]);
});

test("no file or folder has a name that says nothing", () => {
  const shapeless = everything.filter((file) => file.path.split("/").some((word) => SHAPELESS.test(word)));
  expect(shapeless.map((file) => file.path)).toEqual([]);
});

test("no file only passes on what others export", () => {
  const barrels = everything.filter((file) => {
    const lines = file.text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "").trim();
    return (
      lines !== "" &&
      lines.split(/;\s*/).every((each) => each === "" || /^export\s+(?:type\s+)?[*{][\s\S]*\bfrom\b/.test(each))
    );
  });
  expect(barrels.map((file) => file.path)).toEqual([]);
});
