/* A service that says one number, over and over. */
#include <stdio.h>
#include <unistd.h>

#ifndef ANSWER
#define ANSWER 1
#endif

static int asked;

__attribute__((noinline)) int answer(int question)
{
	asked++;
	return question + ANSWER;
}

int main(int argc, char **argv)
{
	(void)argv;
	for (;;) {
		FILE *file = fopen("/run/answering.new", "w");
		if (file == NULL)
			return 1;
		fprintf(file, "%d\n", answer(argc));
		fclose(file);
		rename("/run/answering.new", "/run/answering");
		usleep(100 * 1000);
	}
}
