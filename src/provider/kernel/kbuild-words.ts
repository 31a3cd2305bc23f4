/**
 * The words of a command as kbuild writes it: single and double quotes,
 * backslashes, and `;`, which is a word of its own. No expansions: kbuild's
 * compile commands have none.
 */
export function splitWords(command: string): string[] {
  const words: string[] = [];
  let word = "";
  let inWord = false;
  const end = (): void => {
    if (inWord) words.push(word);
    word = "";
    inWord = false;
  };
  for (let i = 0; i < command.length; i++) {
    const character = command[i] as string;
    if (character === "'" || character === '"') {
      inWord = true;
      for (i++; i < command.length && command[i] !== character; i++) {
        if (character === '"' && command[i] === "\\" && /["\\$`]/.test(command[i + 1] ?? "")) i++;
        word += command[i] ?? "";
      }
    } else if (character === "\\") {
      inWord = true;
      word += command[++i] ?? "";
    } else if (character === ";") {
      end();
      words.push(";");
    } else if (/\s/.test(character)) {
      end();
    } else {
      inWord = true;
      word += character;
    }
  }
  end();
  return words;
}
