/** The running kernel as commands speak to it: each of its transitions is shown while it goes on. */
import { KernelTarget } from "../targets/kernel/kernel-target.ts";
import type { TransitionLook, Watch } from "../targets/kernel/transition.ts";
import type { VerbRun } from "./run-in-processes.ts";
import { transitionPicture } from "./transition-picture.ts";

/** The running kernel, with what was typed. */
export function kernelTarget({ transition, context: { signal, progress } }: VerbRun): KernelTarget {
  const { timeoutSeconds, keep } = transition;
  const timeoutMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
  const watch = progress.picture === undefined ? undefined : watchBy((picture) => progress.picture?.(picture), keep);
  return new KernelTarget({ timeoutMs, onDeadline: keep ? "keep" : "reverse", signal, watch });
}

/** Of several transitions in a row each has a picture of its own. */
function watchBy(picture: (picture: ReturnType<typeof transitionPicture>) => void, keep: boolean): Watch {
  const looks: TransitionLook[] = [];
  return (look) => {
    const last = looks.at(-1);
    if (last?.patch !== look.patch || last.going !== look.going) looks.length = 0;
    looks.push(look);
    picture(transitionPicture(looks, keep));
  };
}
