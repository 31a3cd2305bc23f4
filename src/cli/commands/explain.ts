import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";

/** `suture explain`; --json prints the livepatch's metadata, with all of it whether --all is given or not. */
export const explainCommand = command({
  name: "explain",
  summary: "say what a livepatch does: its functions, why each is in it, what it needs, what was proved",
  arguments: [{ name: "FILE", kind: "file", summary: "a livepatch that suture built" }],
  options: {
    all: { kind: "flag", summary: "also list what became of each piece of each section that differs" },
  },
  async run(given, { signal }) {
    const [path = ""] = given.arguments;
    const { readGivenFile } = await import("../../lib/read-file.ts");
    const { readSealed } = await import("../../patch/digest.ts");
    const { isForProgram, metadataJson } = await import("../../patch/metadata-section.ts");
    const { explanation, fateLines, programExplanation } = await import("../explanation.ts");
    const file = readSealed(await readGivenFile(path, { signal }), path);
    if (isForProgram(metadataJson(file))) {
      const { readProgramMetadata } = await import("../../patch/read-program-metadata.ts");
      const metadata = readProgramMetadata(file);
      const all = given.options.all ? fateLines(metadata) : [];
      return { exit: EXIT.done, json: metadata, lines: [...programExplanation(metadata), ...all] };
    }
    const { readMetadata } = await import("../../patch/read-metadata.ts");
    const metadata = readMetadata(file);
    const all = given.options.all ? fateLines(metadata) : [];
    return { exit: EXIT.done, json: metadata, lines: [...explanation(metadata), ...all] };
  },
});
