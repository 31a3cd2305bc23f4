import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";

export const explainCommand = command({
  name: "explain",
  summary: "say what a livepatch does: its functions, why each is in it, what it needs, what was proved",
  arguments: [{ name: "FILE.ko", kind: "file", summary: "a livepatch that suture built" }],
  options: {},
  async run(given) {
    const [path = ""] = given.arguments;
    const { readInput } = await import("../input.ts");
    const { readElf } = await import("../../elf/read.ts");
    const { readMetadata } = await import("../../patch/read-metadata.ts");
    const { explanation } = await import("../explanation.ts");
    const metadata = readMetadata(readElf(readInput(path), path));
    return { exit: EXIT.done, json: metadata, lines: explanation(metadata) };
  },
});
