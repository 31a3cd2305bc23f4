#include <stdio.h>
#include "greet.h"
static unsigned calls;
static const char *word(unsigned i) { return i % 2 ? "odd" : "even"; }
void greet(unsigned i)
{
	calls++;
	printf("hello %u %s (%u)\n", i, word(i), calls);
	fflush(stdout);
}
