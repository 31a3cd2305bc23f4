import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";

/** `suture explain`; --json prints the livepatch's metadata, with all of it whatever is given. */
export const explainCommand = command({
  name: "explain",
  summary: "say what a livepatch does: its functions, why each is in it, what it needs, what was proved",
  arguments: [{ name: "FILE", kind: "file", summary: "a livepatch that suture built" }],
  options: {
    all: { kind: "flag", summary: "also list what became of each piece of each section that differs" },
    diff: { kind: "flag", summary: "print the source diffs that it was built from, and nothing else" },
  },
  async run(given, { signal }) {
    const [path = ""] = given.arguments;
    const { readGivenFile } = await import("../../lib/read-file.ts");
    const { readSealed } = await import("../../patch/digest.ts");
    const { isForProgram, metadataJson } = await import("../../patch/metadata-section.ts");
    const { diffLines, explanation, fateLines, programExplanation } = await import("../explanation.ts");
    const file = readSealed(await readGivenFile(path, { signal }), path);
    if (isForProgram(metadataJson(file))) {
      const { readProgramMetadata } = await import("../../patch/read-program-metadata.ts");
      const metadata = readProgramMetadata(file);
      const all = given.options.all ? fateLines(metadata) : [];
      const lines = given.options.diff ? diffLines(metadata, path) : [...programExplanation(metadata), ...all];
      return { exit: EXIT.done, json: metadata, lines };
    }
    const { readMetadata } = await import("../../patch/read-metadata.ts");
    const metadata = readMetadata(file);
    const all = given.options.all ? fateLines(metadata) : [];
    const lines = given.options.diff ? diffLines(metadata, path) : [...explanation(metadata), ...all];
    return { exit: EXIT.done, json: metadata, lines };
  },
});
