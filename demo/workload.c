/*
 * A service that uses IPv6 flow labels as it may: opens a socket, leases a
 * label, sends a datagram that carries it, checks the label on arrival, gives
 * the lease back. Again and again, until SIGTERM.
 *
 *     workload FILE
 *
 * FILE always holds `{"rounds":N,"errors":N,"first":"what failed first"}`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <linux/in6.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LABELS 16
#define FIRST_LABEL 0x05e00

static volatile sig_atomic_t ending;
static struct sockaddr_in6 server_address;
static const char *first_failure = "";
static int first_errno;

static void end(int signal)
{
	(void)signal;
	ending = 1;
}

static int failed(const char *what)
{
	if (!*first_failure) {
		first_failure = what;
		first_errno = errno;
	}
	return 1;
}

static int flow_label(int fd, int action, int flags, __be32 label)
{
	struct in6_flowlabel_req request = {
		.flr_dst = server_address.sin6_addr,
		.flr_label = label,
		.flr_action = action,
		.flr_share = IPV6_FL_S_PROCESS,
		.flr_flags = flags,
	};

	return setsockopt(fd, SOL_IPV6, IPV6_FLOWLABEL_MGR, &request, sizeof(request));
}

/* The label of the next datagram, or 0. */
static __be32 received_label(int fd)
{
	char byte, control[CMSG_SPACE(sizeof(__be32))];
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	__be32 label = 0;

	if (recvmsg(fd, &message, 0) != 1)
		return 0;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_IPV6 && header->cmsg_type == IPV6_FLOWINFO)
		memcpy(&label, CMSG_DATA(header), sizeof(label));
	return label;
}

static int round_trip(int server, int fd, __be32 label)
{
	struct sockaddr_in6 to = server_address;
	int on = 1;

	if (setsockopt(fd, SOL_IPV6, IPV6_FLOWINFO_SEND, &on, sizeof(on)))
		return failed("ask to send labels");
	if (flow_label(fd, IPV6_FL_A_GET, IPV6_FL_F_CREATE, label))
		return failed("lease a label");
	to.sin6_flowinfo = label;
	if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1)
		return failed("send");
	if (received_label(server) != label)
		return failed("receive the label");
	if (flow_label(fd, IPV6_FL_A_PUT, 0, label))
		return failed("give the lease back");
	return 0;
}

int main(int argc, char **argv)
{
	socklen_t size = sizeof(server_address);
	long rounds = 0, errors = 0;
	int server = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;
	int report = argc == 2 ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;
	struct timeval patience = { .tv_sec = 5 };

	signal(SIGTERM, end);
	server_address.sin6_family = AF_INET6;
	server_address.sin6_addr = in6addr_loopback;
	if (report < 0 || bind(server, (struct sockaddr *)&server_address, size) ||
	    getsockname(server, (struct sockaddr *)&server_address, &size) ||
	    setsockopt(server, SOL_IPV6, IPV6_FLOWINFO, &on, sizeof(on)) ||
	    setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience))) {
		perror("workload");
		return 1;
	}
	while (!ending) {
		__be32 label = htonl(FIRST_LABEL + rounds % LABELS);
		int fd = socket(AF_INET6, SOCK_DGRAM, 0);
		char text[160];
		int length;

		errors += fd < 0 ? failed("open a socket") : round_trip(server, fd, label);
		if (fd >= 0)
			close(fd);
		rounds++;
		length = snprintf(text, sizeof(text), "{\"rounds\":%ld,\"errors\":%ld,\"first\":\"%s%s%s\"}%40s\n",
				  rounds, errors, first_failure, first_errno ? ": " : "",
				  first_errno ? strerrorname_np(first_errno) : "", "");
		if (pwrite(report, text, length, 0) != length)
			return 1;
	}
	return errors != 0;
}
