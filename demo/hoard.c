/*
 * Takes lease after lease on one IPv6 flow label, as a user without any
 * privilege, and says how far it came and what that costs the kernel.
 *
 *     hoard LEASES
 *
 * prints `{"leases":N,"kilobytes":N,"refused":"ERRNO"}`, with an empty string if it got all of
 * them. The kernel has everything back when it ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <linux/in6.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODY 65534
#define LABEL 0x0beef

/* Memory that the kernel uses for itself and cannot give back, from /proc/meminfo. */
static long kernel_kilobytes(void)
{
	char line[128];
	long kilobytes = -1;
	FILE *meminfo = fopen("/proc/meminfo", "r");

	while (meminfo && fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "SUnreclaim: %ld kB", &kilobytes) == 1)
			break;
	if (meminfo)
		fclose(meminfo);
	return kilobytes;
}

static int lease(int fd, int flags)
{
	struct in6_flowlabel_req request = {
		.flr_dst.s6_addr[15] = 1, /* ::1 */
		.flr_label = __builtin_bswap32(LABEL),
		.flr_action = IPV6_FL_A_GET,
		.flr_share = IPV6_FL_S_USER,
		.flr_flags = flags,
	};

	return setsockopt(fd, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, &request, sizeof(request));
}

int main(int argc, char **argv)
{
	long wanted = argc == 2 ? atol(argv[1]) : 0, held = 0, before;
	int fd;

	if (wanted <= 0 || setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		return 1;
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	before = kernel_kilobytes();
	while (held < wanted && lease(fd, held == 0 ? IPV6_FL_F_CREATE : 0) == 0)
		held++;
	printf("{\"leases\":%ld,\"kilobytes\":%ld,\"refused\":\"%s\"}\n", held, kernel_kilobytes() - before,
	       held < wanted ? strerrorname_np(errno) : "");
	return 0;
}
