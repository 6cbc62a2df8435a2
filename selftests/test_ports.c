// SPDX-License-Identifier: GPL-2.0
/*
 * Who may have which port, whom a name means, and what a socket is called that
 * was not told: as TCP and UDP answer it.
 *
 * weft-timeout: 300
 * weft-cflags: -pthread
 */
#include <net/if.h>
#include <sys/resource.h>

#include "weft_test.h"

#define PORTS	(60999 - 32768 + 1)

FIXTURE(ports)
{
	int one;		/* of end B */
	int two;
	struct addr addr;
};

FIXTURE_VARIANT(ports)
{
	int type;
};

FIXTURE_VARIANT_ADD(ports, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(ports, seqpacket) { .type = SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(ports, dgram) { .type = SOCK_DGRAM };

FIXTURE_SETUP(ports)
{
	ROAD_OR_SKIP();
	if (is_unix(variant->type))
		SKIP(return, "AF_UNIX has no ports");
	self->one = end_socket(END_B, variant->type);
	self->two = end_socket(END_B, variant->type);
	ASSERT_LE(0, self->one);
	ASSERT_LE(0, self->two);
}

FIXTURE_TEARDOWN(ports)
{
	close(self->one);
	close(self->two);
}

/* A port that nobody has: somebody had it until now. */
static unsigned int free_port(int type)
{
	struct addr addr;
	int fd = bound_socket(END_B, type, &addr);

	close(fd);
	return fd < 0 ? 0 : addr_port(&addr);
}

static int bind_at(int fd, const struct in6_addr *node, unsigned int port)
{
	struct addr addr;

	set_addr(&addr, node, port);
	return bind_to(fd, &addr);
}

static int bind_any(int fd, unsigned int port)
{
	return bind_at(fd, &in6addr_any, port);
}

TEST_F(ports, are_shared_by_sockets_that_both_allow_it)
{
	int allowed, fd;

	for (allowed = 0; allowed < 4; allowed++) {
		unsigned int port = free_port(variant->type);

		fd = end_socket(END_B, variant->type);
		ASSERT_EQ(0, set_int(fd, SO_REUSEADDR, allowed & 1));
		ASSERT_EQ(0, bind_any(fd, port));
		CLOSE(self->two);
		self->two = end_socket(END_B, variant->type);
		ASSERT_EQ(0, set_int(self->two, SO_REUSEADDR, allowed >> 1));
		EXPECT_EQ(allowed == 3 ? 0 : EADDRINUSE,
			  ERR(bind_any(self->two, port))) {
			TH_LOG("allowed by %d", allowed);
		}
		close(fd);
	}
}

TEST_F(ports, of_a_listener_are_shared_with_nobody)
{
	unsigned int port = free_port(variant->type);

	ONLY_IF(variant->type != SOCK_DGRAM);
	ASSERT_EQ(0, set_int(self->one, SO_REUSEADDR, 1));
	ASSERT_EQ(0, set_int(self->two, SO_REUSEADDR, 1));
	ASSERT_EQ(0, bind_any(self->one, port));
	ASSERT_EQ(0, listen(self->one, 1));
	EXPECT_EQ(EADDRINUSE, ERR(bind_any(self->two, port)));
}

/* Of two that have it already the first that listens is the one. */
TEST_F(ports, have_one_listener)
{
	unsigned int port = free_port(variant->type);
	struct addr addr;
	int fd;

	ONLY_IF(variant->type != SOCK_DGRAM);
	ASSERT_EQ(0, set_int(self->one, SO_REUSEADDR, 1));
	ASSERT_EQ(0, set_int(self->two, SO_REUSEADDR, 1));
	ASSERT_EQ(0, bind_any(self->one, port));
	ASSERT_EQ(0, bind_any(self->two, port));
	ASSERT_EQ(0, listen(self->one, 1));
	EXPECT_EQ(EADDRINUSE, ERR(listen(self->two, 1)));
	end_addr(&addr, END_B, variant->type, port);
	fd = connected(variant->type, &addr);
	ASSERT_LE(0, fd);
	EXPECT_EQ(POLLIN, wait_events(self->one, POLLIN));
	close(fd);
}

/* TCP and UDP with the addresses of one machine; ::1 is all the oracle has. */
TEST_F(ports, of_different_addresses_are_different)
{
	unsigned int port = free_port(variant->type);
	int third = end_socket(END_B, variant->type);

	ASSERT_EQ(0, bind_at(self->one, &in6addr_loopback, port));
	EXPECT_EQ(EADDRINUSE, ERR(bind_any(third, port)));
	EXPECT_EQ(EADDRINUSE, ERR(bind_at(third, &in6addr_loopback, port)));
	if (!road()->oracle) {
		EXPECT_EQ(0, ERR(bind_at(self->two, &road()->node[END_B],
					 port)));
	}
	/* The second takes nothing from the first. */
	EXPECT_EQ(EADDRINUSE, ERR(bind_at(third, &in6addr_loopback, port)));
	EXPECT_EQ(EADDRINUSE, ERR(bind_any(third, port)));
	close(third);
}

TEST_F(ports, of_any_address_are_of_every_one)
{
	unsigned int port = free_port(variant->type);

	ASSERT_EQ(0, bind_any(self->one, port));
	EXPECT_EQ(EADDRINUSE, ERR(bind_at(self->two, &road()->node[END_B],
					  port)));
}

static int reach(int fd, const struct addr *addr, int type)
{
	return type == SOCK_DGRAM ? send_to(fd, "x", 1, addr) :
				    connect_to(fd, addr);
}

/* Who is bound to the very address hears it, whoever else has the port. */
TEST_F(ports, of_each_address_hear_what_is_for_it)
{
	const struct in6_addr *nodes[] = { &in6addr_loopback,
					   &road()->node[END_B] };
	int fds[] = { self->one, self->two }, i, fd;
	unsigned int port = free_port(variant->type);
	struct addr addr;

	ONLY_IF(!road()->oracle);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, bind_at(fds[i], nodes[i], port));
		if (variant->type != SOCK_DGRAM)
			ASSERT_EQ(0, listen(fds[i], 1));
	}
	for (i = 0; i < 2; i++) {
		fd = end_socket(END_B, variant->type);
		set_addr(&addr, nodes[i], port);
		EXPECT_LE(0, reach(fd, &addr, variant->type));
		EXPECT_EQ(POLLIN, wait_events(fds[i], POLLIN));
		if (!i)
			EXPECT_EQ(0, events_now(fds[1], POLLIN));
		close(fd);
	}
}

TEST_F(ports, number_0_has_no_listener)
{
	struct addr addr;

	ONLY_IF(variant->type != SOCK_DGRAM);
	end_addr(&addr, END_B, variant->type, 0);
	EXPECT_EQ(ECONNREFUSED, ERR(connect_to(self->one, &addr)));
}

TEST_F(ports, of_any_address_are_those_of_this_node)
{
	struct addr addr;

	ASSERT_EQ(0, bind_any(self->one, 0));
	ASSERT_EQ(0, own_addr(self->one, &addr));
	if (variant->type != SOCK_DGRAM)
		ASSERT_EQ(0, listen(self->one, 1));
	ASSERT_EQ(0, connect_to(self->two, &addr));
	ASSERT_EQ(0, peer_addr(self->two, &addr));
	EXPECT_EQ(0, memcmp(&addr.in6.sin6_addr, &in6addr_loopback, 16));
	if (variant->type != SOCK_DGRAM) {
		EXPECT_EQ(POLLIN, wait_events(self->one, POLLIN));
		return;
	}
	ASSERT_EQ(4, SEND(self->two, "text"));
	EXPECT_MESSAGE(self->one, "text");
}

TEST_F(ports, of_a_client_stay_after_a_refusal)
{
	unsigned int port = free_port(variant->type);
	struct addr own, nobody;

	ONLY_IF(variant->type != SOCK_DGRAM);
	ASSERT_EQ(0, bind_any(self->one, port));
	end_addr(&nobody, END_B, variant->type, free_port(variant->type));
	ASSERT_EQ(ECONNREFUSED, ERR(connect_to(self->one, &nobody)));
	ASSERT_EQ(0, own_addr(self->one, &own));
	EXPECT_EQ(port, addr_port(&own));
	EXPECT_EQ(EADDRINUSE, ERR(bind_any(self->two, port)));
}

TEST_F(ports, of_a_client_have_the_address_that_it_chose)
{
	struct addr own, seen, to;
	int lis, fd;

	ONLY_IF(variant->type != SOCK_DGRAM);
	lis = listener(END_B, variant->type, 1, &to);
	fd = end_socket(END_A, variant->type);
	ASSERT_LE(0, lis);
	ASSERT_EQ(0, bind_at(fd, &road()->node[END_A], 0));
	ASSERT_EQ(0, connect_to(fd, &to));
	ASSERT_EQ(0, own_addr(fd, &own));
	EXPECT_EQ(0, memcmp(&own.in6.sin6_addr, &road()->node[END_A], 16));
	CLOSE(self->two);
	self->two = accepted(lis);
	ASSERT_EQ(0, peer_addr(self->two, &seen));
	EXPECT_TRUE(addr_equal(&own, &seen));
	close(fd);
	close(lis);
}

/* --- names that are none, and which devices they mean; no oracle's --- */

/* A name of the node itself is good for a peer on the node alone. */
TEST_F(ports, of_loopback_lead_nowhere_else)
{
	int fd = end_socket(END_A, variant->type);
	struct addr addr;

	ONLY_IF(road()->wire);
	ASSERT_EQ(0, bind_at(fd, &in6addr_loopback, 0));
	end_addr(&addr, END_B, variant->type, 1024);
	EXPECT_EQ(EINVAL, ERR(reach(fd, &addr, variant->type)));
	close(fd);
}

TEST_F(ports, of_what_is_no_node_are_EHOSTUNREACH)
{
	static const char * const others[] = { "ff02::1", "2001:db8::1",
					       "fd77:6566:7401::1" };
	struct in6_addr node;
	struct addr addr;
	size_t i;

	ONLY_IF(!road()->oracle);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		ASSERT_EQ(1, inet_pton(AF_INET6, others[i], &node));
		set_addr(&addr, &node, 1024);
		EXPECT_EQ(EHOSTUNREACH,
			  ERR(reach(self->one, &addr, variant->type)));
	}
}

TEST_F(ports, with_a_reserved_field_are_EINVAL)
{
	struct addr addr;

	ONLY_IF(!road()->oracle);
	any_addr(&addr, variant->type, 0);
	addr.weft.sw_reserved = 1;
	EXPECT_EQ(EINVAL, ERR(bind_to(self->one, &addr)));
	end_addr(&addr, END_B, variant->type, 1024);
	addr.weft.sw_reserved = 1;
	EXPECT_EQ(EINVAL, ERR(reach(self->one, &addr, variant->type)));
}

/* A scope is a device that there is, and stays a part of the name. */
TEST_F(ports, of_a_device_that_is_not_there_are_EHOSTUNREACH)
{
	int fd = end_socket(END_A, variant->type);
	struct addr addr;

	ONLY_IF(road()->wire);
	end_addr(&addr, END_B, variant->type, 1024);
	addr.in6.sin6_scope_id = 9999;
	EXPECT_EQ(EHOSTUNREACH, ERR(reach(fd, &addr, variant->type)));
	close(fd);
}

static unsigned int device_of(enum end end, const char *variable)
{
	unsigned int index;

	if (enter_end(end))
		return 0;
	index = if_nametoindex(getenv(variable) ?: "");
	return leave_end(end) ? 0 : index;
}

TEST_F(ports, of_a_device_are_told_with_it)
{
	unsigned int index = device_of(END_A, "WEFT_DEV_A");
	struct addr addr, peer;
	int lis, fd;

	ONLY_IF(road()->wire && variant->type != SOCK_DGRAM);
	ASSERT_NE(0, index);
	lis = listener(END_B, variant->type, 1, &addr);
	addr.in6.sin6_scope_id = index;
	fd = connected(variant->type, &addr);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_addr(fd, &peer));
	EXPECT_TRUE(addr_equal(&peer, &addr));
	close(fd);
	close(lis);
}

static int bind_to_device(int fd, const char *name)
{
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name));
}

/* Its device's packets alone: what stays on the node is of lo. */
TEST_F(ports, of_a_device_hear_that_device_alone)
{
	struct addr addr;
	int lis, near, far, looped;

	ONLY_IF(road()->wire && variant->type != SOCK_DGRAM);
	lis = listener(END_B, variant->type, 4, &addr);
	near = end_socket(END_B, variant->type);
	far = end_socket(END_A, variant->type);
	looped = end_socket(END_B, variant->type);
	ASSERT_EQ(0, bind_to_device(lis, "lo"));
	EXPECT_EQ(ECONNREFUSED, ERR(connect_to(far, &addr)));
	EXPECT_EQ(0, ERR(connect_to(looped, &addr)));
	ASSERT_EQ(0, bind_to_device(lis, getenv("WEFT_DEV_B")));
	EXPECT_EQ(ECONNREFUSED, ERR(connect_to(near, &addr)));
	EXPECT_EQ(0, ERR(connect_to(far, &addr)));
	close(looped);
	close(near);
	close(far);
	close(lis);
}

/* The same of datagrams, and of a receiver that the sender knows. */
TEST_F(ports, of_a_device_are_looked_up_anew)
{
	struct addr addr;
	int far;

	ONLY_IF(road()->wire && variant->type == SOCK_DGRAM);
	far = end_socket(END_A, SOCK_DGRAM);
	ASSERT_EQ(0, bind_any(self->one, 0));
	ASSERT_EQ(0, own_addr(self->one, &addr));
	end_addr(&addr, END_B, SOCK_DGRAM, addr_port(&addr));
	ASSERT_EQ(0, connect_to(self->two, &addr));
	ASSERT_EQ(3, SEND(self->two, "one"));
	EXPECT_MESSAGE(self->one, "one");
	ASSERT_EQ(0, bind_to_device(self->one, "lo"));
	ASSERT_EQ(2, SEND(self->two, "lo"));
	EXPECT_MESSAGE(self->one, "lo");
	ASSERT_EQ(0, bind_to_device(self->one, getenv("WEFT_DEV_B")));
	ASSERT_EQ(4, SEND(self->two, "lost"));
	EXPECT_EQ(ECONNREFUSED, ERR(SEND(self->two, "x")));
	ASSERT_EQ(3, send_to(far, "far", 3, &addr));
	EXPECT_MESSAGE(self->one, "far");
	close(far);
}

/* The device need not be there: an index is all that is compared. */
static int bind_to_index(int fd, int index)
{
	return set_int(fd, SO_BINDTOIFINDEX, index);
}

/* Two have a port when both name a device, and not the same. */
TEST_F(ports, of_different_devices_are_different)
{
	const struct {
		int one;
		int two;
		int error;
	} table[] = {
		{ 0, 0, EADDRINUSE }, { 0, 1001, EADDRINUSE },
		{ 1001, 0, EADDRINUSE }, { 1001, 1001, EADDRINUSE },
		{ 1001, 1002, 0 },
	};
	size_t i;
	int one, two;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		unsigned int port = free_port(variant->type);

		one = end_socket(END_B, variant->type);
		two = end_socket(END_B, variant->type);
		ASSERT_EQ(0, bind_to_index(one, table[i].one));
		ASSERT_EQ(0, bind_to_index(two, table[i].two));
		ASSERT_EQ(0, bind_any(one, port));
		EXPECT_EQ(table[i].error, ERR(bind_any(two, port))) {
			TH_LOG("devices %d and %d", table[i].one,
			       table[i].two);
		}
		close(one);
		close(two);
	}
}

/* Likewise of those that listen; and then what came first stays. */
TEST_F(ports, of_different_devices_have_listeners)
{
	unsigned int port = free_port(variant->type);

	ONLY_IF(variant->type != SOCK_DGRAM);
	ASSERT_EQ(0, bind_to_index(self->one, 1001));
	ASSERT_EQ(0, bind_to_index(self->two, 1002));
	ASSERT_EQ(0, bind_any(self->one, port));
	ASSERT_EQ(0, bind_any(self->two, port));
	EXPECT_EQ(0, ERR(listen(self->one, 1)));
	EXPECT_EQ(0, ERR(listen(self->two, 1)));
	/* As TCP: whoever changes its device is not asked again. */
	EXPECT_EQ(0, ERR(bind_to_index(self->two, 1001)));
	EXPECT_EQ(0, ERR(shutdown(self->two, SHUT_RD)));
	EXPECT_EQ(EADDRINUSE, ERR(listen(self->two, 1)));
}

/* Who is bound to the device hears before who is bound to none. */
TEST_F(ports, of_a_device_are_its_own_first)
{
	unsigned int port = free_port(SOCK_DGRAM);
	struct addr addr;
	int order, fd;

	ONLY_IF(variant->type == SOCK_DGRAM);
	ASSERT_EQ(0, set_int(self->one, SO_REUSEADDR, 1));
	ASSERT_EQ(0, set_int(self->two, SO_REUSEADDR, 1));
	ASSERT_EQ(0, bind_any(self->one, port));
	ASSERT_EQ(0, bind_any(self->two, port));
	fd = end_socket(END_B, SOCK_DGRAM);
	set_addr(&addr, &in6addr_loopback, port);
	for (order = 0; order < 2; order++) {
		int bound = order ? self->two : self->one;

		ASSERT_EQ(0, bind_to_device(bound, "lo"));
		ASSERT_EQ(3, send_to(fd, "own", 3, &addr));
		EXPECT_MESSAGE(bound, "own");
		ASSERT_EQ(0, bind_to_device(bound, ""));
	}
	close(fd);
}

/* Two that listen at one port of two devices get what comes over each. */
TEST_F(ports, of_two_devices_are_both_heard)
{
	unsigned int port = free_port(variant->type);
	int far = end_socket(END_A, variant->type);
	int near = end_socket(END_B, variant->type);
	struct addr addr;

	ONLY_IF(road()->wire);
	ASSERT_EQ(0, bind_to_device(self->one, "lo"));
	ASSERT_EQ(0, bind_to_device(self->two, getenv("WEFT_DEV_B")));
	ASSERT_EQ(0, bind_any(self->one, port));
	ASSERT_EQ(0, bind_any(self->two, port));
	if (variant->type != SOCK_DGRAM) {
		ASSERT_EQ(0, listen(self->one, 1));
		ASSERT_EQ(0, listen(self->two, 1));
	}
	end_addr(&addr, END_B, variant->type, port);
	EXPECT_LE(0, reach(near, &addr, variant->type));
	EXPECT_EQ(POLLIN, wait_events(self->one, POLLIN));
	EXPECT_EQ(0, events_now(self->two, POLLIN));
	EXPECT_LE(0, reach(far, &addr, variant->type));
	EXPECT_EQ(POLLIN, wait_events(self->two, POLLIN));
	close(far);
	close(near);
}

/* --- none is left --- */

static int allow_files(rlim_t files)
{
	struct rlimit limit = { files, files };

	return setrlimit(RLIMIT_NOFILE, &limit);
}

/* Return: how many sockets could be bound before it was EADDRINUSE, or -1. */
static int take_all_ports(int *fds, int type)
{
	struct addr addr;
	int n;

	any_addr(&addr, type, 0);
	for (n = 0; n <= PORTS; n++) {
		fds[n] = end_socket(END_A, type);
		if (fds[n] < 0)
			return -1;
		if (bind_to(fds[n], &addr))
			return errno == EADDRINUSE ? n : -1;
	}
	return n;
}

static void close_all(const int *fds, int n)
{
	while (n--)
		close(fds[n]);
}

TEST_F_TIMEOUT(ports, are_all_taken, 280)
{
	struct addr addr, own;
	int *fds, pair[2];

	/* Their number is weft's; SEQPACKET shares those of STREAM. */
	ONLY_IF(!road()->oracle && !road()->wire && variant->type != SOCK_SEQPACKET);
	fds = calloc(PORTS + 1, sizeof(*fds));
	ASSERT_EQ(0, allow_files(PORTS + 100));
	ASSERT_EQ(0, bind_any(self->one, 1024));
	ASSERT_EQ(PORTS, take_all_ports(fds, variant->type));
	end_addr(&addr, END_B, variant->type, 1024);
	if (variant->type == SOCK_DGRAM) {
		EXPECT_EQ(EADDRINUSE, ERR(connect_to(self->two, &addr)));
		EXPECT_EQ(EADDRINUSE, ERR(send_to(self->two, "x", 1, &addr)));
		EXPECT_EQ(EADDRINUSE, ERR(socketpair(road()->family, SOCK_DGRAM,
						     0, pair)));
	} else {
		EXPECT_EQ(EADDRINUSE, ERR(listen(self->two, 1)));
		/* A name that is only told needs no port of its own. */
		ASSERT_EQ(0, listen(self->one, 1));
		EXPECT_EQ(0, ERR(connect_to(self->two, &addr)));
	}
	/* To be had together is not to be free. */
	ASSERT_EQ(0, set_int(fds[77], SO_REUSEADDR, 1));
	ASSERT_EQ(0, set_int(fds[PORTS], SO_REUSEADDR, 1));
	if (variant->type == SOCK_STREAM)
		EXPECT_EQ(EADDRINUSE, ERR(bind_any(fds[PORTS], 0)));
	ASSERT_EQ(0, own_addr(fds[77], &own));
	close(fds[77]);
	fds[77] = fds[PORTS];
	EXPECT_EQ(0, bind_any(fds[77], 0));
	ASSERT_EQ(0, own_addr(fds[77], &addr));
	EXPECT_EQ(addr_port(&own), addr_port(&addr));
	close_all(fds, PORTS);
	free(fds);
}

TEST_HARNESS_MAIN
