/*
 * A service of many threads: each settles one order after the other, and is
 * nearly always inside settle. Ten times a second it says how it stands.
 *
 *     workers THREADS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a piece costs, in hundredths of a cent, and how long an order takes. */
#define PRICE 333
#define MICROSECONDS 2000

/* Orders; hundredths of a cent that rounding swallowed; orders of which more was taken than given, or less. */
static atomic_long settled, lost, torn;

/* In whole cents. */
__attribute__((noinline)) static long debit(long pieces)
{
	return pieces * PRICE / 100;
}

__attribute__((noinline)) static long credit(long *account, long pieces)
{
	long amount = pieces * PRICE / 100;

	*account += amount;
	return amount;
}

__attribute__((noinline)) static void settle(long *account, long pieces)
{
	long taken = debit(pieces);
	usleep(MICROSECONDS);
	long given = credit(account, pieces);

	if (taken != given)
		atomic_fetch_add(&torn, 1);
	atomic_fetch_add(&lost, labs(pieces * PRICE - taken * 100));
	atomic_fetch_add(&settled, 1);
}

static void *work(void *name)
{
	long account = 0;

	for (long pieces = (long)name;; pieces++)
		settle(&account, pieces % 1000 + 1);
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 8;

	for (long each = 0; each < threads; each++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, work, (void *)each) != 0)
			return 1;
	}
	for (;;) {
		usleep(100000);
		printf("%ld settled, %ld lost, %ld torn\n", atomic_load(&settled), atomic_load(&lost), atomic_load(&torn));
		fflush(stdout);
	}
}
