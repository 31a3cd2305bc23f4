import { EXIT } from "../../lib/error.ts";
import { command } from "../command.ts";
import { kernelChoice, kernelOptions } from "../kernel-choice.ts";
import { programChoice, programOptions } from "../program-choice.ts";
import { usage } from "../usage.ts";

/** `suture audit`; --json prints an `Audit`. */
export const auditCommand = command({
  name: "audit",
  summary: "a second opinion on a livepatch: what differs in what its diffs compile to, and what it does of that",
  description:
    "Compiles original and patched as they were shipped and compares them function by function and variable by variable, with code of its own that a build does not use. Reports each difference that the livepatch does not account for, each function that is patched and is the same, and each function of the livepatch that is not the patched source's. " +
    "The diffs are those that it was built from, in their order. Exit code 2 if anything is found.",
  arguments: [
    { name: "LIVEPATCH", kind: "file", summary: "a livepatch that suture built" },
    { name: "DIFF", kind: "file", many: true, summary: "what it was built from" },
  ],
  options: {
    ...kernelOptions,
    ...programOptions,
    strip: {
      kind: "integer",
      short: "p",
      value: "N",
      summary: "leading directories to drop from the diffs' file names; found out by default",
    },
    jobs: { kind: "integer", short: "j", value: "N", summary: "compilers at a time; default: one a processor" },
  },
  async run(given, context) {
    const { options } = given;
    if (options.jobs === 0) throw usage("--jobs takes a number from 1", "audit");
    const [livepatch = "", ...diffs] = given.arguments;
    const { runAudit } = await import("../run-audit.ts");
    const program = programChoice(options, "audit");
    const { auditLines } = await import("../audit-report.ts");
    const audit = await runAudit(
      {
        livepatch,
        diffs,
        strip: options.strip,
        jobs: options.jobs,
        kernel: program === undefined ? kernelChoice(options, "audit") : undefined,
        program,
      },
      context,
    );
    return { exit: audit.findings.length === 0 ? EXIT.done : EXIT.refused, json: audit, lines: auditLines(audit) };
  },
});
