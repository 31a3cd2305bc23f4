import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";

export const explainCommand = command({
  name: "explain",
  summary: "say what a livepatch does: its functions, why each is in it, what it needs, what was proved",
  arguments: [{ name: "FILE", kind: "file", summary: "a livepatch that suture built" }],
  options: {},
  async run(given) {
    const [path = ""] = given.arguments;
    const { readInput } = await import("../input.ts");
    const { readElf } = await import("../../elf/read.ts");
    const { isForProgram, metadataJson } = await import("../../patch/metadata-section.ts");
    const { explanation, programExplanation } = await import("../explanation.ts");
    const file = readElf(readInput(path), path);
    if (isForProgram(metadataJson(file))) {
      const { readProgramMetadata } = await import("../../patch/read-program-metadata.ts");
      const metadata = readProgramMetadata(file);
      return { exit: EXIT.done, json: metadata, lines: programExplanation(metadata) };
    }
    const { readMetadata } = await import("../../patch/read-metadata.ts");
    const metadata = readMetadata(file);
    return { exit: EXIT.done, json: metadata, lines: explanation(metadata) };
  },
});
