/** Whether and how a load is watched, as it was typed. */
import type { Options, OptionValues } from "./command.ts";

/** Of a load that is watched. */
export const watchOptions = {
  supervise: {
    kind: "seconds",
    value: "S",
    summary: "then watch the machine for so long, and take the livepatch away should it do harm; with --health, 30",
  },
  health: {
    kind: "text",
    value: "COMMAND",
    summary: "for the shell, while it is watched: harm is done where it does not exit with 0 within 10 seconds",
  },
} as const satisfies Options;

const DEFAULT_SECONDS = 30;

/** How a load is watched afterwards. */
export interface Supervision {
  readonly seconds: number;
  readonly health: string | undefined;
}

/** undefined: not at all. */
export function supervisionChoice({ supervise, health }: OptionValues<typeof watchOptions>): Supervision | undefined {
  if (supervise === undefined && health === undefined) return undefined;
  return { seconds: supervise ?? DEFAULT_SECONDS, health };
}
