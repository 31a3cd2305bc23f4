/** A program that answers each digit that it reads with twice as much, and, with its fix, one more. */
export const TWICE = `
#include <stdio.h>
__attribute__((noinline)) int twice(int n) { return printf("%d\\n", 2 * n); }
int main(void)
{
	char line[64];
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof line, stdin)) twice(line[0] - '0');
	return 0;
}
`;

export const TWICE_FIXED = TWICE.replace("2 * n", "2 * n + 1");
