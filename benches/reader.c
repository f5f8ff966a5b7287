/*
 * The yardstick of `cargo bench --bench numbers`: the least program that does
 * what `netready run -4` does on a plain host. It subscribes first, then asks
 * the kernel which route a packet to the world would take (RTM_F_FIB_MATCH);
 * the answer counts when it is a unicast default route of the main table,
 * through a link that has carrier. It says READY=1 then, and keeps reading.
 *
 * It is a limit, not a product: IPv4 only, one blocking loop, no timeout, no
 * reasons, no barrier before the lookup, no defence against more specific
 * routes over the probed address.
 *
 *   reader [--once] [--no-filter] [--receive-buffer BYTES]
 *
 *   --once                exit at once, 0 if ready, 1 if not
 *   --no-filter           take every route message (the default drops those
 *                         that are not about a default route)
 *   --receive-buffer N    SO_RCVBUF of the subscribed socket
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Any address that no route but the default covers in the bench's namespaces. */
#define PROBED_ADDRESS "203.0.113.1"
#define LINK_UP (IFF_UP | IFF_LOWER_UP | IFF_RUNNING)

static char buffer[32 * 1024];

static void die(const char *what)
{
	perror(what);
	exit(3);
}

/* Drops RTM_NEWROUTE and RTM_DELROUTE whose destination is not a default. */
static void attach_filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_dst_len)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
		die("SO_ATTACH_FILTER");
}

static int open_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		die("socket");
	return fd;
}

static int subscribe(bool filter, int receive_buffer)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE,
	};
	int fd = open_netlink();

	if (receive_buffer &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer) < 0)
		die("SO_RCVBUF");
	/* Before bind, so that nothing unfiltered can slip in. */
	if (filter)
		attach_filter(fd);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		die("bind");
	return fd;
}

/* One question, one answer; NULL where the kernel says no. */
static struct nlmsghdr *ask(int fd, void *question, size_t length)
{
	struct nlmsghdr *answer = (struct nlmsghdr *)buffer;
	ssize_t received;

	if (send(fd, question, length, 0) < 0)
		die("send");
	received = recv(fd, buffer, sizeof buffer, 0);
	if (received < 0)
		die("recv");
	if (!NLMSG_OK(answer, (size_t)received) || answer->nlmsg_type == NLMSG_ERROR)
		return NULL;
	return answer;
}

/* The ifindex that the main table's default route leaves through, or 0. */
static int default_route_link(int fd)
{
	struct {
		struct nlmsghdr header;
		struct rtmsg route;
		struct rtattr attribute;
		struct in_addr destination;
	} question = {
		.header = { .nlmsg_len = sizeof question, .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST },
		.route = { .rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE },
		.attribute = { .rta_len = RTA_LENGTH(sizeof(struct in_addr)), .rta_type = RTA_DST },
	};
	struct nlmsghdr *answer;
	struct rtmsg *route;
	int remaining;

	inet_pton(AF_INET, PROBED_ADDRESS, &question.destination);
	answer = ask(fd, &question, sizeof question);
	if (!answer)
		return 0;
	route = NLMSG_DATA(answer);
	if (route->rtm_dst_len != 0 || route->rtm_table != RT_TABLE_MAIN || route->rtm_type != RTN_UNICAST)
		return 0;
	remaining = RTM_PAYLOAD(answer);
	for (struct rtattr *a = RTM_RTA(route); RTA_OK(a, remaining); a = RTA_NEXT(a, remaining))
		if (a->rta_type == RTA_OIF)
			return *(int *)RTA_DATA(a);
	return 0;
}

static bool link_has_carrier(int fd, int ifindex)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
		struct rtattr attribute;
		__u32 mask;
	} question = {
		.header = { .nlmsg_len = sizeof question, .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST },
		.link = { .ifi_index = ifindex },
		.attribute = { .rta_len = RTA_LENGTH(sizeof(__u32)), .rta_type = IFLA_EXT_MASK },
		.mask = RTEXT_FILTER_SKIP_STATS,
	};
	struct nlmsghdr *answer = ask(fd, &question, sizeof question);

	return answer && (((struct ifinfomsg *)NLMSG_DATA(answer))->ifi_flags & LINK_UP) == LINK_UP;
}

static bool is_ready(int fd)
{
	int ifindex = default_route_link(fd);

	return ifindex && link_has_carrier(fd, ifindex);
}

/* Blocks for one notification, then takes all that is queued. An overrun
 * (ENOBUFS) is a change like any other: every change means "look again". */
static void wait_for_change(int fd)
{
	int flags = 0;

	for (;;) {
		if (recv(fd, buffer, sizeof buffer, flags) < 0) {
			if (errno == EAGAIN)
				return;
			if (errno != ENOBUFS && errno != EINTR)
				die("recv");
		}
		flags = MSG_DONTWAIT;
	}
}

static void notify(const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (!path)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	if (fd < 0 || sendto(fd, message, strlen(message), 0, (struct sockaddr *)&address, sizeof address) < 0)
		die("NOTIFY_SOCKET");
	close(fd);
}

int main(int argc, char **argv)
{
	bool once = false, filter = true, said_ready = false, ready;
	int receive_buffer = 0, events, questions;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--once"))
			once = true;
		else if (!strcmp(argv[i], "--no-filter"))
			filter = false;
		else if (!strcmp(argv[i], "--receive-buffer") && i + 1 < argc)
			receive_buffer = atoi(argv[++i]);
		else
			return 2;
	}

	events = subscribe(filter, receive_buffer);
	questions = open_netlink();
	ready = is_ready(questions);
	if (once)
		return ready ? 0 : 1;

	if (!ready)
		notify("STATUS=Waiting");
	for (bool was = false;; wait_for_change(events), ready = is_ready(questions)) {
		if (ready == was)
			continue;
		if (ready)
			notify(said_ready ? "STATUS=Ready" : "READY=1\nSTATUS=Ready");
		else
			notify("STATUS=NOT ready");
		said_ready = true;
		was = ready;
	}
}
