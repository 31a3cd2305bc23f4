import { command } from "../command.ts";
import { usage } from "../usage.ts";

/** `suture boot`, for systemd: suture-boot.service and suture-lived.service call it. */
export const bootCommand = command({
  name: "boot",
  summary: "load what is installed, in order, leaving out what a boot has died of",
  description:
    "For systemd, early at boot. Before each load it is brought to the disk which one it is; where a boot ended without a word while that was loaded, or soon after, it is left out from then on, and that is said. Exit code 2 if something was refused; the others are loaded all the same.",
  arguments: [],
  options: {
    lived: {
      kind: "flag",
      summary:
        "load nothing: this boot has lived for long enough with what it has loaded; what nothing needs any more is dropped",
    },
    ended: { kind: "flag", summary: "load nothing: the machine is being shut down in order" },
  },
  async run({ options: { lived, ended } }, context) {
    if (lived && ended) throw usage("--lived and --ended exclude each other", "boot");
    const { runBoot, endBoot } = await import("../run-boot.ts");
    return lived || ended ? await endBoot(lived, context) : await runBoot(context);
  },
});
