import { usage } from "./usage.ts";

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/**
 * The time from which on something is asked for, in milliseconds since 1970; 0 where none is
 * given. `now` is in the same unit. Throws `USAGE`.
 */
export function sinceChoice(text: string | undefined, now: number): number {
  if (text === undefined) return 0;
  const [, number, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (number !== undefined) return now - Number(number) * (UNITS[unit] ?? 0) * 1000;
  // A date alone would be taken for one of Greenwich.
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00`) : Date.parse(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(time)) return time;
  throw usage(`--since takes 30m, 12h, 7d or a date, not '${text}'`, "log");
}
