/** Lines for the journal, on standard error. */
import { printableLine } from "../lib/printable.ts";

/** Levels of syslog(3). */
const LEVELS = { problem: 4, note: 6 } as const;

/** Under systemd each line begins with its level, which sd-daemon(3) describes; elsewhere it is the line alone. */
export function journalTo(
  stream: { write(text: string): unknown },
  env: Readonly<NodeJS.ProcessEnv>,
): (kind: keyof typeof LEVELS, text: string) => void {
  const isJournal = env["JOURNAL_STREAM"] !== undefined;
  return (kind, text) => {
    stream.write(`${isJournal ? `<${LEVELS[kind]}>` : ""}${printableLine(text)}\n`);
  };
}
