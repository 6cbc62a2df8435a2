// SPDX-License-Identifier: GPL-2.0
/*
 * Names: a socket of protocol WEFT_PROTO_INET6 answers in AF_INET6, one of
 * protocol 0 in weft's own family, and both take either.
 *
 * weft-cflags: -pthread
 */
#include "weft_test.h"

FIXTURE(naming)
{
	int lis;
	int fd;
	struct addr addr;
	int family;
};

FIXTURE_VARIANT(naming)
{
	int type;
	int protocol;
};

FIXTURE_VARIANT_ADD(naming, stream_own)
{
	.type = SOCK_STREAM, .protocol = WEFT_PROTO_DEFAULT,
};

FIXTURE_VARIANT_ADD(naming, stream_inet6)
{
	.type = SOCK_STREAM, .protocol = WEFT_PROTO_INET6,
};

FIXTURE_VARIANT_ADD(naming, seqpacket_own)
{
	.type = SOCK_SEQPACKET, .protocol = WEFT_PROTO_DEFAULT,
};

FIXTURE_VARIANT_ADD(naming, seqpacket_inet6)
{
	.type = SOCK_SEQPACKET, .protocol = WEFT_PROTO_INET6,
};

FIXTURE_SETUP(naming)
{
	struct addr own;

	ROAD_OR_SKIP();
	if (is_unix(variant->type))
		SKIP(return, "AF_UNIX has other names");
	self->family = variant->protocol ? AF_INET6 : road()->family;
	self->lis = end_socket_proto(END_B, variant->type, variant->protocol);
	self->fd = end_socket_proto(END_A, variant->type, variant->protocol);
	ASSERT_LE(0, self->lis);
	ASSERT_LE(0, self->fd);
	any_addr(&own, variant->type, 0);
	ASSERT_EQ(0, bind_to(self->lis, &own));
	ASSERT_EQ(0, listen(self->lis, 4));
	ASSERT_EQ(0, own_addr(self->lis, &own));
	end_addr(&self->addr, END_B, variant->type, addr_port(&own));
}

FIXTURE_TEARDOWN(naming)
{
	close(self->fd);
	close(self->lis);
}

TEST_F(naming, getsockname_of_unbound)
{
	struct addr addr;

	ASSERT_EQ(0, own_addr(self->fd, &addr));
	EXPECT_EQ(self->family, addr.sa.sa_family);
	EXPECT_EQ(28, addr.len);
}

TEST_F(naming, getsockname_of_bound)
{
	struct addr addr;

	ASSERT_EQ(0, own_addr(self->lis, &addr));
	EXPECT_EQ(self->family, addr.sa.sa_family);
	EXPECT_EQ(0, addr.in6.sin6_flowinfo);
	EXPECT_EQ(0, addr.in6.sin6_scope_id);
}

TEST_F(naming, getpeername)
{
	struct addr addr;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	ASSERT_EQ(0, peer_addr(self->fd, &addr));
	EXPECT_EQ(self->family, addr.sa.sa_family);
	EXPECT_EQ(self->addr.in6.sin6_port, addr.in6.sin6_port);
	EXPECT_EQ(0, memcmp(&self->addr.in6.sin6_addr, &addr.in6.sin6_addr,
			    16));
}

TEST_F(naming, accept_and_what_it_returns)
{
	struct addr from = { .len = sizeof(from.bytes) }, addr;
	int fd;

	ASSERT_EQ(0, connect_to(self->fd, &self->addr));
	ASSERT_EQ(POLLIN, wait_events(self->lis, POLLIN));
	fd = accept(self->lis, &from.sa, &from.len);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->family, from.sa.sa_family);
	ASSERT_EQ(0, own_addr(fd, &addr));
	EXPECT_EQ(self->family, addr.sa.sa_family);
	ASSERT_EQ(0, peer_addr(fd, &addr));
	EXPECT_EQ(self->family, addr.sa.sa_family);
	close(fd);
}

TEST_F(naming, bind_takes_both_families)
{
	const int families[] = { road()->family, AF_INET6 };
	struct addr addr;
	int i, fd;

	for (i = 0; i < 2; i++) {
		fd = end_socket_proto(END_B, variant->type, variant->protocol);
		any_addr(&addr, variant->type, 0);
		addr.sa.sa_family = families[i];
		EXPECT_EQ(0, ERR(bind_to(fd, &addr)));
		ASSERT_EQ(0, own_addr(fd, &addr));
		EXPECT_EQ(self->family, addr.sa.sa_family);
		close(fd);
	}
}

TEST_F(naming, connect_takes_both_families)
{
	const int families[] = { road()->family, AF_INET6 };
	int i, fd;

	for (i = 0; i < 2; i++) {
		fd = end_socket_proto(END_A, variant->type, variant->protocol);
		self->addr.sa.sa_family = families[i];
		EXPECT_EQ(0, ERR(connect_to(fd, &self->addr)));
		close(fd);
	}
}

TEST_F(naming, SO_PROTOCOL_tells)
{
	if (!road()->oracle)
		EXPECT_EQ(variant->protocol, get_int(self->fd, SO_PROTOCOL));
}

TEST_F(naming, ends_may_differ)
{
	int other = variant->protocol ? WEFT_PROTO_DEFAULT : WEFT_PROTO_INET6;
	int fd = end_socket_proto(END_A, variant->type, other), server;

	ASSERT_EQ(0, connect_to(fd, &self->addr));
	server = accepted(self->lis);
	ASSERT_LE(0, server);
	ASSERT_EQ(5, SEND(fd, "hello"));
	EXPECT_MESSAGE(server, "hello");
	close(server);
	close(fd);
}

FIXTURE(dgram)
{
	int a;
	int b;
	struct addr addr;
	int family;
};

FIXTURE_VARIANT(dgram)
{
	int protocol;
};

FIXTURE_VARIANT_ADD(dgram, own) { .protocol = WEFT_PROTO_DEFAULT };
FIXTURE_VARIANT_ADD(dgram, inet6) { .protocol = WEFT_PROTO_INET6 };

FIXTURE_SETUP(dgram)
{
	struct addr own;

	ROAD_OR_SKIP();
	self->family = variant->protocol ? AF_INET6 : road()->family;
	self->a = end_socket_proto(END_A, SOCK_DGRAM, variant->protocol);
	self->b = end_socket_proto(END_B, SOCK_DGRAM, variant->protocol);
	ASSERT_LE(0, self->a);
	ASSERT_LE(0, self->b);
	any_addr(&own, SOCK_DGRAM, 0);
	ASSERT_EQ(0, bind_to(self->b, &own));
	ASSERT_EQ(0, own_addr(self->b, &own));
	end_addr(&self->addr, END_B, SOCK_DGRAM, addr_port(&own));
}

FIXTURE_TEARDOWN(dgram)
{
	close(self->a);
	close(self->b);
}

TEST_F(dgram, recvfrom)
{
	struct addr from = { .len = sizeof(from.bytes) };
	char got;

	ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	ASSERT_EQ(1, recvfrom(self->b, &got, 1, 0, &from.sa, &from.len));
	EXPECT_EQ(self->family, from.sa.sa_family);
	EXPECT_EQ(28, from.len);
}

TEST_F(dgram, recvmsg)
{
	struct addr from;
	char got;
	struct iovec iov = { &got, 1 };
	struct msghdr msg = {
		.msg_name = from.bytes, .msg_namelen = sizeof(from.bytes),
		.msg_iov = &iov, .msg_iovlen = 1,
	};

	ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr));
	ASSERT_EQ(POLLIN, wait_events(self->b, POLLIN));
	ASSERT_EQ(1, recvmsg(self->b, &msg, 0));
	EXPECT_EQ(self->family, from.sa.sa_family);
	EXPECT_EQ(28, msg.msg_namelen);
}

TEST_F(dgram, sendto_takes_both_families)
{
	const int families[] = { road()->family, AF_INET6 };
	int i;

	for (i = 0; i < 2; i++) {
		self->addr.sa.sa_family = families[i];
		ASSERT_EQ(1, send_to(self->a, "x", 1, &self->addr));
		EXPECT_MESSAGE(self->b, "x");
	}
}

/* --- options of IPv6, which programs set on whatever has its names --- */

FIXTURE(ipv6)
{
	int fd;
	int own;		/* of the family's own naming */
};

FIXTURE_VARIANT(ipv6)
{
	int type;
};

FIXTURE_VARIANT_ADD(ipv6, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(ipv6, seqpacket) { .type = SOCK_SEQPACKET };
FIXTURE_VARIANT_ADD(ipv6, dgram) { .type = SOCK_DGRAM };

FIXTURE_SETUP(ipv6)
{
	ROAD_OR_SKIP();
	if (is_unix(variant->type))
		SKIP(return, "AF_UNIX has other names");
	self->fd = end_socket_proto(END_A, variant->type, WEFT_PROTO_INET6);
	self->own = end_socket(END_A, variant->type);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, self->own);
}

FIXTURE_TEARDOWN(ipv6)
{
	close(self->fd);
	close(self->own);
}

static int set_ipv6(int fd, int option, int value)
{
	return setsockopt(fd, IPPROTO_IPV6, option, &value, sizeof(value));
}

static int get_ipv6(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value = -1;

	return getsockopt(fd, IPPROTO_IPV6, option, &value, &len) ? -1 : value;
}

TEST_F(ipv6, V6ONLY_is_taken)
{
	EXPECT_EQ(0, ERR(set_ipv6(self->fd, IPV6_V6ONLY, 0)));
	/* There are no addresses of IPv4 that it could take. */
	EXPECT_EQ(!road()->oracle, get_ipv6(self->fd, IPV6_V6ONLY));
	EXPECT_EQ(0, ERR(set_ipv6(self->fd, IPV6_V6ONLY, 77)));
	EXPECT_EQ(1, get_ipv6(self->fd, IPV6_V6ONLY));
}

TEST_F(ipv6, V6ONLY_comes_before_bind)
{
	struct addr addr;

	ASSERT_EQ(0, set_ipv6(self->fd, IPV6_V6ONLY, 1));
	any_addr(&addr, variant->type, 0);
	ASSERT_EQ(0, bind_to(self->fd, &addr));
	EXPECT_EQ(EINVAL, ERR(set_ipv6(self->fd, IPV6_V6ONLY, 1)));
	EXPECT_EQ(1, get_ipv6(self->fd, IPV6_V6ONLY));
}

TEST_F(ipv6, marks_of_packets_are_taken_in_their_ranges)
{
	const int options[] = { IPV6_TCLASS, IPV6_UNICAST_HOPS };
	const struct {
		int value;
		int error;
	} values[] = {
		{ -2, EINVAL }, { 256, EINVAL }, { INT_MIN, EINVAL },
		{ INT_MAX, EINVAL }, { 255, 0 }, { 1, 0 }, { 0, 0 }, { -1, 0 },
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		for (j = 0; j < ARRAY_SIZE(values); j++)
			EXPECT_EQ(values[j].error,
				  ERR(set_ipv6(self->fd, options[i],
					       values[j].value)));
	/* What -1 stands for. */
	EXPECT_EQ(0, get_ipv6(self->fd, IPV6_TCLASS));
	EXPECT_EQ(64, get_ipv6(self->fd, IPV6_UNICAST_HOPS));
}

/* Programs of datagrams give up when one of these is refused. */
TEST_F(ipv6, what_tells_of_packets_is_taken)
{
	const struct {
		int level;
		int name;
	} options[] = {
		{ IPPROTO_IPV6, IPV6_MTU_DISCOVER },
		{ IPPROTO_IPV6, IPV6_DONTFRAG },
		{ IPPROTO_IPV6, IPV6_RECVERR },
		{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT },
		{ IPPROTO_IPV6, IPV6_RECVPKTINFO },
		{ IPPROTO_IPV6, IPV6_RECVTCLASS },
		{ IPPROTO_IP, IP_TOS }, { IPPROTO_IP, IP_TTL },
		{ IPPROTO_IP, IP_MTU_DISCOVER }, { IPPROTO_IP, IP_PKTINFO },
		{ IPPROTO_IP, IP_RECVERR }, { IPPROTO_IP, IP_RECVTOS },
		{ IPPROTO_IP, IP_RECVTTL },
	};
	int one = 1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		EXPECT_EQ(0, ERR(setsockopt(self->fd, options[i].level,
					    options[i].name, &one,
					    sizeof(one)))) {
			TH_LOG("level %d, option %d", options[i].level,
			       options[i].name);
		}
	}
	EXPECT_EQ(EINVAL, ERR(set_ipv6(self->fd, IPV6_MTU_DISCOVER, 6)));
	EXPECT_EQ(EINVAL, ERR(set_ipv6(self->fd, IPV6_MTU_DISCOVER, -1)));
	/* Of IPv4 a byte will do. */
	EXPECT_EQ(0, ERR(setsockopt(self->fd, IPPROTO_IP, IP_TOS, &one, 1)));
	EXPECT_EQ(ENOPROTOOPT, ERR(setsockopt(self->fd, IPPROTO_IP, 9999, &one,
					      sizeof(one))));
}

TEST_F(ipv6, short_lengths_are_EINVAL)
{
	const int options[] = { IPV6_V6ONLY, IPV6_TCLASS, IPV6_UNICAST_HOPS };
	int zero = 0;
	socklen_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		for (len = 0; len < sizeof(zero); len++)
			EXPECT_EQ(EINVAL, ERR(setsockopt(self->fd, IPPROTO_IPV6,
							 options[i], &zero,
							 len)));
}

/* A socket that is not called as one of IPv6 has none, and no other has all. */
TEST_F(ipv6, others_are_refused)
{
	const int options[] = { IPV6_V6ONLY, IPV6_TCLASS, IPV6_UNICAST_HOPS };
	int value = 0;
	socklen_t len;
	size_t i;

	EXPECT_EQ(ENOPROTOOPT, ERR(set_ipv6(self->fd, 9999, 1)));
	if (road()->oracle)
		return;
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		len = sizeof(value);
		EXPECT_EQ(ENOPROTOOPT, ERR(set_ipv6(self->own, options[i], 1)));
		EXPECT_EQ(ENOPROTOOPT, ERR(getsockopt(self->own, IPPROTO_IPV6,
						      options[i], &value,
						      &len)));
	}
	EXPECT_EQ(ENOPROTOOPT, ERR(setsockopt(self->own, IPPROTO_IP, IP_TOS,
					      &value, sizeof(value))));
}

/* --- what programs take from getaddrinfo() --- */

TEST(protocol_of_the_model_is_taken)
{
	const struct {
		int type;
		int protocol;
		int error;
	} table[] = {
		{ SOCK_STREAM, IPPROTO_TCP, 0 },
		{ SOCK_DGRAM, IPPROTO_UDP, 0 },
		{ SOCK_STREAM, IPPROTO_UDP, EPROTONOSUPPORT },
		{ SOCK_DGRAM, IPPROTO_TCP, EPROTONOSUPPORT },
		{ SOCK_STREAM, 253, EPROTONOSUPPORT },
		{ SOCK_DGRAM, 253, EPROTONOSUPPORT },
	};
	size_t i;
	int fd;

	ROAD_OR_SKIP();
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		fd = socket(road()->family, table[i].type, table[i].protocol);
		EXPECT_EQ(table[i].error, fd < 0 ? errno : 0) {
			TH_LOG("type %d, protocol %d", table[i].type,
			       table[i].protocol);
		}
		if (fd < 0)
			continue;
		/* It stands for WEFT_PROTO_DEFAULT. */
		EXPECT_EQ(road()->oracle ? table[i].protocol : 0,
			  get_int(fd, SO_PROTOCOL));
		close(fd);
	}
}

TEST(protocol_of_a_model_is_none_of_messages)
{
	const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	size_t i;

	ROAD_OR_SKIP();
	ONLY_IF(!road()->oracle);
	for (i = 0; i < ARRAY_SIZE(protocols); i++)
		EXPECT_EQ(EPROTONOSUPPORT,
			  ERR(socket(road()->family, SOCK_SEQPACKET,
				     protocols[i])));
}

/* What answers by the name of the model talks to what does not. */
TEST(protocol_of_the_model_is_only_a_name)
{
	struct addr addr;
	int pair[2], lis, fd;

	ROAD_OR_SKIP();
	if (!road()->oracle) {
		ASSERT_EQ(0, socketpair(road()->family, SOCK_STREAM,
					IPPROTO_TCP, pair));
		ASSERT_EQ(5, SEND(pair[0], "hello"));
		EXPECT_MESSAGE(pair[1], "hello");
		close(pair[0]);
		close(pair[1]);
	}
	lis = listener(END_B, SOCK_STREAM, 1, &addr);
	fd = end_socket_proto(END_A, SOCK_STREAM, IPPROTO_TCP);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, connect_to(fd, &addr));
	ASSERT_EQ(0, own_addr(fd, &addr));
	EXPECT_EQ(road()->family, addr.sa.sa_family);
	close(fd);
	close(lis);
}

TEST_HARNESS_MAIN
