import { EXIT, SutureError } from "../../lib/error.ts";
import { command } from "../command.ts";
import { kernelChoice, kernelOptions } from "../kernel-choice.ts";
import { usage } from "../usage.ts";

/**
 * `suture rehearse`; --json prints a `RehearsalResult`. Throws `NO_KERNEL_IMAGE` where
 * the kernel has none that boots.
 */
export const rehearseCommand = command({
  name: "rehearse",
  summary: "try a livepatch in a virtual machine with the stock kernel",
  description:
    "Loads the livepatch in a virtual machine with the stock kernel, with the modules that it patches loaded before it and, in a second boot, after it; waits for the transition, disables it, enables it again, unloads it, and watches the kernel's log. " +
    "Scripts run in the guest with its /bin/sh. Exit code 2 if the livepatch fails.",
  arguments: [{ name: "FILE.ko", kind: "file", summary: "a livepatch" }],
  options: {
    ...kernelOptions,
    before: { kind: "file", value: "SCRIPT", summary: "run before the livepatch is loaded" },
    during: { kind: "file", value: "SCRIPT", summary: "run as a workload from then on until it is disabled again" },
    after: { kind: "file", value: "SCRIPT", summary: "run while it is enabled" },
    unloaded: { kind: "file", value: "SCRIPT", summary: "run after it was unloaded" },
    memory: {
      kind: "flag",
      summary: "also compare the guest's memory with a livepatch that suture built: its code, and what leads to it",
    },
    file: { kind: "text", value: "HOST:GUEST", many: true, summary: "copy a file into the guest" },
    timeout: { kind: "seconds", value: "S", summary: "for each transition and each script; default 60" },
    log: { kind: "file", value: "FILE", summary: "where to keep the guest's kernel log; default: NAME.rehearsal.log" },
  },
  async run(given, context) {
    const [path = ""] = given.arguments;
    const { options } = given;
    const files = filesOf(options.file);
    const choice = kernelChoice(options, "rehearse");
    const { openKernel } = await import("../../subject/kernel/open-kernel.ts");
    const { readLivepatchFile } = await import("../../patch/livepatch-file.ts");
    const { rehearse } = await import("../../rehearse/rehearse.ts");
    const { formatRehearsal } = await import("../../rehearse/report.ts");
    const livepatch = await readLivepatchFile(path, context.signal);
    const release = livepatch.vermagic.split(" ")[0] ?? "";
    const kernel = await openKernel(choice ?? { kind: "release", release }, context);
    const image = kernel.vmlinuz;
    if (image === undefined) {
      throw new SutureError("NO_KERNEL_IMAGE", "the kernel has no image that can be booted", {
        where: kernel.vmlinux,
        hint: "give its vmlinuz with --vmlinux",
      });
    }
    context.progress.step(`rehearsing ${livepatch.name} in Linux ${kernel.release}`);
    const { RehearsalStages } = await import("../rehearsal-stages.ts");
    const stages = new RehearsalStages();
    const { unlessDamaged } = await import("../../subject/kernel/kernel-damage.ts");
    const work = async () =>
      await rehearse({
        kernel: { arch: kernel.arch, release: kernel.release, image, modules: kernel.modules },
        livepatch: path,
        before: options.before,
        during: options.during,
        after: options.after,
        unloaded: options.unloaded,
        layouts: options.memory ? kernel.layouts : undefined,
        files,
        timeoutSeconds: options.timeout,
        signal: context.signal,
        onStep: (boot, step) => context.progress.picture?.(stages.at(boot, step)),
        log: options.log ?? `${livepatch.name}.rehearsal.log`,
      });
    const result = await unlessDamaged(kernel, work, (it) => it.kind !== "refused" && it.ok);
    if (result.kind === "refused") {
      return { exit: EXIT.refused, json: result, lines: [], problems: [result.refusal] };
    }
    return { exit: result.ok ? EXIT.done : EXIT.refused, json: result, lines: formatRehearsal(result) };
  },
});

/** HOST:GUEST pairs; the guest's path is absolute, so the last `:/` is the border. */
function filesOf(pairs: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    pairs.map((pair) => {
      const border = pair.lastIndexOf(":/");
      if (border <= 0)
        throw usage(`--file takes HOST:GUEST with an absolute path of the guest, not '${pair}'`, "rehearse");
      return [pair.slice(0, border), pair.slice(border + 1)];
    }),
  );
}
