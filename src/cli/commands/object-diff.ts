import { command } from "../command.ts";
import { usage } from "../usage.ts";

/** `suture object-diff`; --json prints an `ObjectDiffReport`. */
export const objectDiffCommand = command({
  name: "object-diff",
  summary: "say which functions differ between two objects of one translation unit",
  description:
    "Compares two objects of one translation unit, compiled with -ffunction-sections -fdata-sections before and after a change, as `suture build` does. " +
    "Exit code 2 if something cannot be patched, 3 if no function changes.",
  arguments: [
    { name: "ORIG.o", kind: "file", summary: "compiled before the change" },
    { name: "PATCHED.o", kind: "file", summary: "compiled after the change" },
  ],
  options: {
    symbols: {
      kind: "file",
      value: "FILE",
      summary: "what `readelf -sW` prints for the linked object: vmlinux, or the module",
    },
    symvers: { kind: "file", value: "FILE", summary: "Module.symvers of the kernel" },
    output: {
      kind: "file",
      short: "o",
      value: "OUT.o",
      summary: "write the new code and data as an object; what it takes from elsewhere is an undefined symbol in it",
    },
    struct: {
      kind: "text",
      value: "NAME=SIZE,...",
      summary:
        "bytes of the kernel's structs, for instance alt_instr=14,jump_entry=16; default: told by the relocations",
    },
  },
  async run(given, { signal }) {
    const [originalPath = "", patchedPath = ""] = given.arguments;
    const { options } = given;
    const sizes = options.struct === undefined ? {} : structSizes(options.struct);
    const { runObjectDiff } = await import("../run-object-diff.ts");
    return await runObjectDiff({ originalPath, patchedPath, sizes, ...options }, signal);
  },
});

function structSizes(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split(",").map((pair) => {
      const [, name, size] = /^(\w{1,64})=([1-9]\d{0,3})$/.exec(pair) ?? [];
      if (name === undefined) throw usage(`--struct takes NAME=SIZE,..., not '${pair}'`, "object-diff");
      return [name, Number(size)];
    }),
  );
}
