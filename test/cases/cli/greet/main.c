#include "greet.h"
int main(int argc, char **argv)
{
	(void)argv;
	for (unsigned i = 0; i < (unsigned)argc; i++) greet(i);
	return 0;
}
