/**
 * A source diff in, a livepatch for a program out, and what was found as data:
 *
 *     node examples/build-livepatch.ts COMPILE_COMMANDS EXECUTABLE DIFF OUTPUT
 */
import { readFile } from "node:fs/promises";
import { buildForProgram, formatProblem, SutureError } from "suture";

const [commands = "", executable = "", diff = "", output = ""] = process.argv.slice(2);

try {
  const result = await buildForProgram({
    diffs: [{ name: diff, data: await readFile(diff) }],
    program: { kind: "commands", commands, executables: [executable], source: undefined },
    output,
  });
  switch (result.kind) {
    case "built":
      for (const { name, funcs } of result.metadata.objects)
        for (const func of funcs) console.log(`${name}: ${func.name} is replaced: ${func.why}`);
      break;
    case "refused":
      for (const refusal of result.refusals) console.log(`refused: ${refusal.code}: ${refusal.what}`);
      break;
    case "no-change":
      console.log("the diff changes no code");
  }
} catch (error) {
  if (!(error instanceof SutureError)) throw error;
  console.error(formatProblem({ code: error.code, what: error.message, where: error.where }).join("\n"));
  process.exitCode = 1;
}
