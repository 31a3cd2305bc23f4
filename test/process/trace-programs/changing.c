/* Does one thing for ever, by its argument: threads that come and go, a filter that kills at mmap, exec, SIGTRAP blocked until SIGUSR1, a first thread that ends at SIGUSR1. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *nothing(void *arg) { return arg; }

static void *births(void *arg)
{
	for (;;) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, nothing, arg) == 0)
			pthread_join(thread, NULL);
	}
	return NULL;
}

static void forbid_mmap(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static volatile sig_atomic_t wished;

static void wish(int signal) { wished = signal; }

static void block(void)
{
	sigset_t trap;
	sigemptyset(&trap);
	sigaddset(&trap, SIGTRAP);
	signal(SIGUSR1, wish);
	sigprocmask(SIG_BLOCK, &trap, NULL);
	while (!wished)
		usleep(1000);
	sigprocmask(SIG_UNBLOCK, &trap, NULL);
	puts("unblocked");
}

static void *forever(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void leave(void)
{
	pthread_t thread;
	sigset_t user;
	int which;
	sigemptyset(&user);
	sigaddset(&user, SIGUSR1);
	sigprocmask(SIG_BLOCK, &user, NULL);
	pthread_create(&thread, NULL, forever, NULL);
	sigwait(&user, &which);
	pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	if (strcmp(what, "births") == 0)
		for (int i = 0; i < 4; i++) {
			pthread_t thread;
			pthread_create(&thread, NULL, births, NULL);
		}
	if (strcmp(what, "filter") == 0)
		forbid_mmap();
	if (strcmp(what, "blocks") == 0)
		block();
	if (strcmp(what, "leaves") == 0)
		leave();
	if (strcmp(what, "exec") == 0) {
		usleep(300000);
		execv(argv[0], (char *[]){argv[0], "", NULL});
	}
	for (;;)
		pause();
}
