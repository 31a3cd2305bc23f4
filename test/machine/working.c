/* Work of three kinds, over and over: files, the network, forks. Rounds of each are counted in the file that is named. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void files(void)
{
	static char text[10000], back[sizeof text];
	int file = open("working.file", O_RDWR | O_CREAT | O_TRUNC, 0600);

	memset(text, 'x', sizeof text);
	if (file < 0 || write(file, text, sizeof text) != sizeof text || lseek(file, 0, SEEK_SET) != 0)
		fail("write");
	if (read(file, back, sizeof back) != sizeof back || memcmp(text, back, sizeof back) != 0)
		fail("read");
	close(file);
	if (rename("working.file", "working.moved") || unlink("working.moved"))
		fail("rename");
}

static void network(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof address;
	int listening = socket(AF_INET, SOCK_STREAM, 0), near = socket(AF_INET, SOCK_STREAM, 0), far;
	char byte = 'a', back = 0;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listening, (void *)&address, length) || listen(listening, 1) ||
	    getsockname(listening, (void *)&address, &length) || connect(near, (void *)&address, length))
		fail("connect");
	far = accept(listening, NULL, NULL);
	if (far < 0 || write(near, &byte, 1) != 1 || read(far, &back, 1) != 1 || back != byte)
		fail("send");
	/* The side that resets keeps no port busy. */
	setsockopt(near, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(near);
	close(far);
	close(listening);
}

static void forks(void)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		execl("/bin/true", "true", NULL);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		fail("fork");
}

int main(int argc, char **argv)
{
	static void (*const work[])(void) = { files, network, forks };
	int file = open(argv[argc - 1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned long *rounds;

	if (file < 0 || ftruncate(file, 4096))
		fail(argv[argc - 1]);
	rounds = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	for (int kind = 0; kind < 3; kind++)
		if (fork() == 0)
			for (;; rounds[kind]++)
				work[kind]();
	wait(NULL);
	/* One of them has failed. */
	kill(0, 9);
	return 1;
}
