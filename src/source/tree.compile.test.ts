import { execFileSync, spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseDependencies } from "./dependencies.ts";
import { changesOf, type FileChange, layOutView, readingInView, type TreeView, viewDirectory } from "./tree.ts";

const FILES: Record<string, string> = {
  Makefile: "",
  "include/linux/a.h": "#define A 1\n",
  "net/ipv4/tcp.c": '#include <linux/a.h>\n#include "local.h"\n#include "sub/up.h"\nint tcp = A + LOCAL + UP;\n',
  "net/ipv4/local.h": "#define LOCAL 10\n",
  "net/ipv4/other.c": "int other;\n",
  "net/ipv4/sub/up.h": '#include "../top.h"\n#define UP TOP\n',
  "net/ipv4/top.h": "#define TOP 100\n",
  "mm/slub.c": "int slub;\n",
};
const UNIT = { source: "net/ipv4/tcp.c" };
let root = "";
let tree = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "suture-test-"));
  tree = join(root, "tree");
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
});
afterEach(() => rmSync(root, { recursive: true }));

let views = 0;
function viewOf(changes: readonly FileChange[]): TreeView {
  const directory = join(root, `view${++views}`);
  mkdirSync(directory);
  return layOutView(tree, directory, changes);
}

/** Preprocesses in the view, as compiles run in it: the line that defines `tcp`, or undefined where gcc fails. */
async function compile(view: TreeView): Promise<string | undefined> {
  return await readingInView(view, UNIT, async () => {
    const list = join(root, "list.d");
    const args = ["-E", "-P", "-I./include", `-Wp,-MMD,${list}`, UNIT.source];
    const { status, stdout } = spawnSync("gcc", args, { cwd: view.directory, encoding: "utf8" });
    const result = status === 0 ? /int tcp.*/.exec(stdout)?.[0] : undefined;
    return { result, dependencies: status === 0 ? parseDependencies(readFileSync(list, "utf8")) : undefined };
  });
}

/** Every file of the tree with its text. */
function contents(): string {
  return execFileSync("bash", ["-c", "find . | sort; find . -type f | sort | xargs cat"], {
    cwd: tree,
    encoding: "utf8",
  });
}

describe("a compile in a view sees the changes", () => {
  test("of a source", async () => {
    expect(await compile(viewOf([{ path: "net/ipv4/tcp.c", text: "int tcp = 7;\n" }]))).toBe("int tcp = 7;");
  });

  test("of headers, found by -I and beside the source", async () => {
    const changes = [
      { path: "include/linux/a.h", text: "#define A 2\n" },
      { path: "net/ipv4/local.h", text: "#define LOCAL 20\n" },
    ];
    expect(await compile(viewOf(changes))).toBe("int tcp = 2 + 20 + 100;");
  });

  test("of a header that another directory includes by way of ..", async () => {
    const view = viewOf([{ path: "net/ipv4/top.h", text: "#define TOP 200\n" }]);
    expect(lstatSync(join(view.directory, "net/ipv4/sub")).isSymbolicLink()).toBe(true);
    expect(await compile(view)).toBe("int tcp = 1 + 10 + 200;");
    expect(lstatSync(join(view.directory, "net/ipv4/sub")).isDirectory()).toBe(true);
  });

  test("also where another compile changed the view meanwhile", async () => {
    const view = viewOf([{ path: "net/ipv4/top.h", text: "#define TOP 200\n" }]);
    const { generation } = view;
    view.makeReal(["net/ipv4/sub"]);
    const around = ["net/ipv4/sub/../top.h"];
    expect(view.escapes(around, generation)).toEqual(["net/ipv4/sub"]);
    expect(view.escapes(around, view.generation)).toEqual([]);
  });

  test("of a new file, in a new directory", async () => {
    const changes = [
      { path: "include/new/n.h", text: "#define NEW 5\n" },
      { path: "net/ipv4/tcp.c", text: "#include <new/n.h>\nint tcp = NEW;\n" },
    ];
    expect(await compile(viewOf(changes))).toBe("int tcp = 5;");
  });

  test("of a file that is gone", async () => {
    expect(await compile(viewOf([{ path: "net/ipv4/local.h", text: undefined }]))).toBeUndefined();
  });
});

test("the tree is as it was, whatever a view shows and whatever is written in it", async () => {
  const before = contents();
  const view = viewOf([
    { path: "net/ipv4/top.h", text: "#define TOP 200\n" },
    { path: "mm/slub.c", text: undefined },
  ]);
  await compile(view);
  writeFileSync(join(view.directory, "net/ipv4/new.o"), "x");
  rmSync(view.directory, { recursive: true });
  expect(contents()).toBe(before);
});

test("only directories that lead to a change are real", () => {
  const view = viewOf([{ path: "net/ipv4/tcp.c", text: "" }]);
  const kinds = (path: string): string[] =>
    readdirSync(join(view.directory, path), { withFileTypes: true }).map(
      (each) => `${each.name}${each.isSymbolicLink() ? "@" : ""}`,
    );
  expect(kinds(".").sort()).toEqual(["Makefile@", "include@", "mm@", "net"]);
  expect(kinds("net/ipv4").sort()).toEqual(["local.h@", "other.c@", "sub@", "tcp.c", "top.h@"]);
});

test("two views of one tree are apart", async () => {
  const [one, two] = [
    viewOf([{ path: UNIT.source, text: "int tcp = 1;\n" }]),
    viewOf([{ path: UNIT.source, text: "int tcp = 2;\n" }]),
  ];
  expect(await Promise.all([compile(one), compile(two)])).toEqual(["int tcp = 1;", "int tcp = 2;"]);
});

test("a directory for a view is gone when its user is done", async () => {
  let path = "";
  {
    await using directory = await viewDirectory();
    path = directory.path;
    layOutView(tree, path, []);
    expect(readdirSync(path).length).toBeGreaterThan(0);
  }
  expect(lstatSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

test("texts go into a view as their bytes, with line marks unless their lines may move", () => {
  const file = {
    path: "a.c",
    kind: "source",
    original: "int a;\nint \xe9;\n",
    patched: "int a;\nint b;\nint \xe9;\n",
  } as const;
  const text = (areMoved: boolean): string =>
    Buffer.from(changesOf([file], areMoved)[0]?.text ?? "").toString("latin1");
  expect(text(true)).toBe(file.patched);
  expect(text(false)).toBe("int a;\nint b;\n#line 2\nint \xe9;\n");
});
