// SPDX-License-Identifier: GPL-2.0
/*
 * Between two namespaces of one machine bytes are handed over where nobody could
 * tell, and go as packets where somebody could: note "Hand-over" of design.rst.
 * What B's sockets hand over is in B's counter.
 *
 * weft-roads: veth bridge
 * weft-cflags: -pthread
 * weft-timeout: 240
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <stdatomic.h>

#include "weft_test.h"
#include "peer.h"

#define SWITCH		"/proc/sys/net/weft/handover"
#define ROUNDS		10

static int read_switch(enum end end)
{
	FILE *file;
	int on = -1;

	if (enter_end(end))
		return -1;
	file = fopen(SWITCH, "r");
	if (file && fscanf(file, "%d", &on) != 1)
		on = -1;
	if (file)
		fclose(file);
	leave_end(end);
	return on;
}

/* The kernel has what the module asks for: else it is off, and stays so. */
static bool is_known;

/* And no bridge is in between. */
static bool can_hand_over(void)
{
	return is_known && !strcmp(getenv("WEFT_ROAD"), "veth");
}

static const char *dev_of(enum end end)
{
	return end == END_A ? getenv("WEFT_DEV_A") ?: "a0" :
			      getenv("WEFT_DEV_B") ?: "b0";
}

/* A command has changed the road. */
static bool is_changed;

/* A command of @end, in which %1$s is its device. Return: its status. */
static int command(enum end end, const char *format)
{
	char text[256];
	int err;

	if (enter_end(end))
		return -1;
	is_changed = true;
	snprintf(text, sizeof(text), format, dev_of(end));
	err = system(text);
	return leave_end(end) ?: err;
}

FIXTURE(handover)
{
	struct conn conn;
};

FIXTURE_VARIANT(handover)
{
	int type;
};

FIXTURE_VARIANT_ADD(handover, stream)
{
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(handover, seqpacket)
{
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(handover)
{
	if (road()->oracle)
		SKIP(return, "nobody else hands over");
	ROAD_OR_SKIP();
	is_known = read_switch(END_A) == 1;
	if (is_kernel_6(7)) {
		ASSERT_TRUE(is_known);
	}
	ASSERT_EQ(0, conn_open(&self->conn, variant->type, false));
}

FIXTURE_TEARDOWN(handover)
{
	/* Also after a case that has failed. */
	if (is_changed) {
		command(END_A, "ip link set %1$s up");
		command(END_A, "tc qdisc del dev %1$s root 2>/dev/null");
		command(END_B, "tc qdisc del dev %1$s root 2>/dev/null");
		command(END_A, "tc qdisc del dev %1$s clsact 2>/dev/null");
		command(END_B, "tc qdisc del dev %1$s clsact 2>/dev/null");
	}
	set_handover(END_A, "1");
	set_handover(END_B, "1");
	conn_close(&self->conn);
}

/* The ends speak by turns. Return: how often B has handed over; -1: a wrong byte */
static long long speak(struct conn *conn)
{
	long long before = count_of("handovers");
	char got[8];
	int i;

	for (i = 0; i < ROUNDS; i++)
		if (send(conn->far, "there", 5, 0) != 5 ||
		    recv_one(conn->near, got, sizeof(got)) != 5 ||
		    memcmp(got, "there", 5) ||
		    send(conn->near, "back", 4, 0) != 4 ||
		    recv_one(conn->far, got, sizeof(got)) != 4 ||
		    memcmp(got, "back", 4))
			return -1;
	return count_of("handovers") - before;
}

/* Where they can. A reader may be awake when it is written to, and owns its socket. */
#define EXPECT_HANDED(conn) do {					\
	long long n_ = speak(conn);					\
									\
	if (can_hand_over()) {						\
		EXPECT_LT(0, n_);					\
	} else {							\
		EXPECT_EQ(0, n_);					\
	}								\
} while (0)

TEST_F(handover, what_is_said)
{
	EXPECT_HANDED(&self->conn);
}

/* The first packets of a session introduce its ends. */
static bool all_is_handed_over(void *conn)
{
	return speak(conn) == ROUNDS;
}

TEST_F(handover, without_a_packet)
{
	ONLY_IF(can_hand_over());
	EXPECT_TRUE(eventually(all_is_handed_over, &self->conn));
}

/* --- a flow that begins --- */

/* The second connection of the pair. Return: how often B has handed over; -1: none */
static long long open_another(const struct conn *conn, int type,
			      struct conn *another)
{
	long long before = count_of("handovers");

	*another = (struct conn){ .far = -1, .listener = -1 };
	another->near = connected(type, &conn->addr);
	if (another->near < 0)
		return -1;
	another->far = accepted(conn->listener);
	return another->far < 0 ? -1 : count_of("handovers") - before;
}

TEST_F(handover, a_flow_begins)
{
	struct conn another;

	/* The first packets of a session introduce its ends. */
	if (can_hand_over()) {
		ASSERT_TRUE(eventually(all_is_handed_over, &self->conn));
	}
	EXPECT_EQ(can_hand_over(),
		  open_another(&self->conn, variant->type, &another));
	EXPECT_HANDED(&another);
	conn_close(&another);
	ASSERT_EQ(0, set_handover(END_B, "0"));
	EXPECT_EQ(0, open_another(&self->conn, variant->type, &another));
	EXPECT_EQ(0, speak(&another));
	conn_close(&another);
}

/* As everywhere, who does not wait is told later, here by an edge. */
TEST_F(handover, a_flow_begins_for_who_does_not_wait)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int fd = end_socket(END_A, variant->type), far;
	int ep = epoll_create1(0);
	long long before;

	EXPECT_HANDED(&self->conn);
	ASSERT_EQ(0, set_nonblock(fd));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
	while (epoll_wait(ep, &event, 1, 0) > 0)
		;
	before = count_of("handovers");
	EXPECT_EQ(EINPROGRESS, ERR(connect_to(fd, &self->conn.addr)));
	if (can_hand_over()) {
		EXPECT_EQ(before + 1, count_of("handovers"));
	}
	EXPECT_EQ(1, epoll_wait(ep, &event, 1, DEADLINE_MS));
	EXPECT_EQ(EPOLLOUT, event.events);
	EXPECT_EQ(0, get_int(fd, SO_ERROR));
	close(ep);
	far = accepted(self->conn.listener);
	EXPECT_EQ(5, SEND(far, "there"));
	EXPECT_MESSAGE(fd, "there");
	EXPECT_EQ(0, connect_to(fd, &self->conn.addr));
	EXPECT_EQ(EISCONN, ERR(connect_to(fd, &self->conn.addr)));
	close(far);
	close(fd);
}

TEST_F(handover, no_flow_begins_where_nobody_listens)
{
	int fd = end_socket(END_A, variant->type);
	int other = variant->type == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM;

	EXPECT_HANDED(&self->conn);
	/* Of another type. */
	EXPECT_EQ(-1, connected(other, &self->conn.addr));
	EXPECT_EQ(ECONNREFUSED, errno);
	close(self->conn.listener);
	self->conn.listener = -1;
	EXPECT_EQ(ECONNREFUSED, ERR(connect_to(fd, &self->conn.addr)));
	close(fd);
}

/* What finds no place goes as a packet, which is said again until there is one. */
TEST_F(handover, a_flow_waits_for_a_place)
{
	struct conn few = { .near = -1, .far = -1 };
	int fds[3], far[3], i;

	EXPECT_HANDED(&self->conn);
	few.listener = listener(END_B, variant->type, 1, &few.addr);
	ASSERT_LE(0, few.listener);
	for (i = 0; i < 3; i++) {
		fds[i] = end_socket(END_A, variant->type);
		ASSERT_EQ(0, set_nonblock(fds[i]));
		EXPECT_EQ(EINPROGRESS, ERR(connect_to(fds[i], &few.addr)));
		/* Each of two has a place before the next comes. */
		EXPECT_EQ(i < 2 ? POLLOUT : 0,
			  i < 2 ? wait_events(fds[i], POLLOUT) :
				  events_now(fds[i], POLLOUT));
	}
	for (i = 0; i < 3; i++) {
		far[i] = accepted(few.listener);
		ASSERT_LE(0, far[i]);
		EXPECT_EQ(5, SEND(far[i], "there"));
		EXPECT_TRUE(wait_all_events(fds[i], POLLOUT | POLLIN));
		EXPECT_MESSAGE(fds[i], "there");
	}
	for (i = 0; i < 3; i++) {
		close(fds[i]);
		close(far[i]);
	}
	close(few.listener);
}

TEST_F(handover, a_flow_that_nobody_took_is_reset)
{
	long long before;
	int fd;

	EXPECT_HANDED(&self->conn);
	before = count_of("handovers");
	fd = connected(variant->type, &self->conn.addr);
	ASSERT_LE(0, fd);
	if (can_hand_over()) {
		EXPECT_EQ(before + 1, count_of("handovers"));
	}
	close(self->conn.listener);
	self->conn.listener = -1;
	EXPECT_TRUE(wait_all_events(fd, POLLHUP));
	EXPECT_EQ(ECONNRESET, get_int(fd, SO_ERROR));
	close(fd);
}

/* What goes with OPEN may be refused, and what is refused goes once more. */
TEST_F(handover, a_flow_that_takes_bytes_along_goes_as_a_packet)
{
	int fd = end_socket(END_A, variant->type), far;
	long long before;

	EXPECT_HANDED(&self->conn);
	before = count_of("opens_early");
	EXPECT_EQ(5, sendto(fd, "early", 5, MSG_FASTOPEN, &self->conn.addr.sa,
			    self->conn.addr.len));
	far = accepted(self->conn.listener);
	EXPECT_MESSAGE(far, "early");
	EXPECT_EQ(before + 1, count_of("opens_early"));
	EXPECT_EQ(4, SEND(far, "back"));
	EXPECT_MESSAGE(fd, "back");
	close(far);
	close(fd);
}

#define FLOWS		200

/* One who connects again and again, and is greeted. */
struct opener {
	enum end end;
	int type;
	struct addr to;
	int lis;
};

static long open_often(void *arg)
{
	const struct opener *o = arg;
	long n;

	for (n = 0; n < FLOWS; n++) {
		int fd = end_socket(o->end, o->type);
		char got[5] = "";
		bool good = !connect_to(fd, &o->to) &&
			    recv_exactly(fd, got, 5) == 5 &&
			    !memcmp(got, "hello", 5);

		close(fd);
		if (!good)
			break;
	}
	return n;
}

static long greet_often(void *arg)
{
	const struct opener *o = arg;
	long n;
	char c;

	for (n = 0; n < FLOWS; n++) {
		int fd = accepted(o->lis);
		bool good = fd >= 0 && SEND(fd, "hello") == 5 &&
			    recv_one(fd, &c, 1) == 0;

		close(fd);
		if (!good)
			break;
	}
	return n;
}

static long accept_one(void *lis)
{
	return accept(*(int *)lis, NULL, NULL);
}

/* Two nodes open flows to each other, and the listeners write first. */
TEST_F(handover, flows_that_begin_both_ways_at_once)
{
	struct opener opener[2] = {
		{ .end = END_A, .type = variant->type },
		{ .end = END_B, .type = variant->type },
	};
	struct task tasks[4];
	long long before;
	int i;

	EXPECT_HANDED(&self->conn);
	before = count_of("handovers");
	for (i = 0; i < 2; i++) {
		opener[i].lis = listener(i ? END_A : END_B, variant->type, 8,
					 &opener[i].to);
		ASSERT_LE(0, opener[i].lis);
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, task_start(&tasks[i], open_often, &opener[i]));
		ASSERT_EQ(0, task_start(&tasks[2 + i], greet_often, &opener[i]));
	}
	for (i = 0; i < 4; i++) {
		EXPECT_TRUE(task_join_within(&tasks[i], 10 * DEADLINE_MS));
		EXPECT_EQ(FLOWS, tasks[i].result);
	}
	if (can_hand_over()) {
		EXPECT_LT(before + FLOWS, count_of("handovers"));
	}
	for (i = 0; i < 2; i++) {
		close(opener[i].lis);
	}
}

/* As a packet would have come by B's device, and by no other. */
TEST_F(handover, a_flow_comes_by_the_device)
{
	struct conn bound = { .near = -1, .far = -1 };
	struct addr name, other;
	struct task task;
	int lis;

	EXPECT_HANDED(&self->conn);
	lis = bound_socket(END_B, variant->type, &bound.addr);
	ASSERT_LE(0, lis);
	bound.listener = lis;
	ASSERT_EQ(0, setsockopt(lis, SOL_SOCKET, SO_BINDTODEVICE, dev_of(END_B),
				strlen(dev_of(END_B))));
	ASSERT_EQ(0, listen(lis, 1));
	/* And who sleeps in accept() is woken. */
	ASSERT_EQ(0, task_start(&task, accept_one, &lis));
	ASSERT_TRUE(task_wait_asleep(&task));
	bound.near = connected(variant->type, &bound.addr);
	ASSERT_LE(0, bound.near);
	ASSERT_TRUE(task_join(&task));
	bound.far = task.result;
	ASSERT_LE(0, bound.far);
	ASSERT_EQ(0, own_addr(bound.near, &name));
	ASSERT_EQ(0, peer_addr(bound.far, &other));
	EXPECT_EQ(name.in6.sin6_port, other.in6.sin6_port);
	EXPECT_EQ(0, memcmp(&name.in6.sin6_addr, &other.in6.sin6_addr, 16));
	ASSERT_EQ(0, peer_addr(bound.near, &other));
	EXPECT_EQ(bound.addr.in6.sin6_port, other.in6.sin6_port);
	EXPECT_HANDED(&bound);
	conn_close(&bound);

	lis = bound_socket(END_B, variant->type, &name);
	ASSERT_EQ(0, setsockopt(lis, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2));
	ASSERT_EQ(0, listen(lis, 1));
	EXPECT_EQ(-1, connected(variant->type, &name));
	EXPECT_EQ(ECONNREFUSED, errno);
	close(lis);
}

TEST_F(handover, not_where_it_is_switched_off)
{
	ASSERT_EQ(0, set_handover(END_A, "0"));
	EXPECT_EQ(0, speak(&self->conn));
	EXPECT_EQ(is_known ? 0 : -1, set_handover(END_A, "1"));
	EXPECT_HANDED(&self->conn);
	ASSERT_EQ(0, set_handover(END_B, "0"));
	EXPECT_EQ(0, speak(&self->conn));
	EXPECT_EQ(-1, set_handover(END_B, "2"));
}

/* A packet socket of A, of all devices or of its own; it gets what B says. */
static int watcher(int protocol, bool of_device)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
	};
	int fd = -1, err;

	if (enter_end(END_A))
		return -1;
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	sll.sll_ifindex = of_device ? if_nametoindex(dev_of(END_A)) : 0;
	err = bind(fd, (void *)&sll, sizeof(sll));
	if (leave_end(END_A) || err) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Frames of ours of @kind that came to @fd; those before them are gone. */
static int frames_at(int fd, unsigned int kind)
{
	struct peer peer = { .fd = fd };
	int nr = 0;

	while (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 0) > 0)
		nr += take_frame(&peer, 0) && kind_of(&peer.in) == kind &&
		      get_int_at(&peer.in, 12, 2) == ETHERTYPE_WEFT;
	return nr;
}

TEST_F(handover, not_past_who_watches)
{
	static const struct {
		int	protocol;
		bool	of_device;
	} watchers[] = {
		{ ETH_P_ALL, false },
		{ ETH_P_ALL, true },
		{ ETHERTYPE_WEFT, false },
		{ ETHERTYPE_WEFT, true },
	};
	struct conn another;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(watchers); i++) {
		int fd = watcher(watchers[i].protocol, watchers[i].of_device);

		ASSERT_LE(0, fd);
		EXPECT_EQ(0, speak(&self->conn));
		EXPECT_LE(ROUNDS, frames_at(fd, DATA));
		EXPECT_EQ(0, open_another(&self->conn, variant->type, &another));
		/* It may get them a little later than the socket does. */
		EXPECT_EQ(0, speak(&another));
		EXPECT_LE(1, frames_at(fd, OPENED));
		conn_close(&another);
		close(fd);
		EXPECT_HANDED(&self->conn);
	}
}

/* Something on the way at either end, and how it is taken away again. */
struct thing {
	const char	*add;
	const char	*del;
};

static bool goes_as_packets_beside(struct conn *conn, enum end end,
				   const struct thing *thing)
{
	bool packets;

	if (command(end, thing->add))
		return false;
	packets = speak(conn) == 0;
	return !command(end, thing->del) && packets;
}

/* Each of them, at either end. */
#define EXPECT_PAST_NONE(conn, things) do {				\
	unsigned int i_;						\
	int end_;							\
									\
	for (i_ = 0; i_ < ARRAY_SIZE(things); i_++) {			\
		for (end_ = END_A; end_ <= END_B; end_++) {		\
			EXPECT_TRUE(goes_as_packets_beside(conn, end_,	\
							   &(things)[i_])); \
			EXPECT_HANDED(conn);				\
		}							\
	}								\
} while (0)

TEST_F(handover, not_past_a_queue)
{
	static const struct thing queues[] = {
		{ "tc qdisc add dev %1$s root netem delay 1ms",
		  "tc qdisc del dev %1$s root" },
		{ "tc qdisc add dev %1$s root pfifo limit 100",
		  "tc qdisc del dev %1$s root" },
	};

	EXPECT_PAST_NONE(&self->conn, queues);
}

static bool has_clsact(void)
{
	return !command(END_A, "tc qdisc add dev %1$s clsact 2>/dev/null && "
			       "tc qdisc del dev %1$s clsact");
}

TEST_F(handover, not_past_a_program)
{
	static const struct thing programs[] = {
		{ "tc qdisc add dev %1$s clsact && "
		  "tc filter add dev %1$s ingress matchall action pass",
		  "tc qdisc del dev %1$s clsact" },
		{ "tc qdisc add dev %1$s clsact && "
		  "tc filter add dev %1$s egress matchall action pass",
		  "tc qdisc del dev %1$s clsact" },
	};

	ONLY_IF(has_clsact());
	EXPECT_PAST_NONE(&self->conn, programs);
}

#define ADD_CHAIN(hook)							\
	"nft 'add table netdev weft; add chain netdev weft pass_all "	\
	"{ type filter hook " hook " device \"%1$s\" priority 0; }'"
#define DEL_CHAIN	"nft delete table netdev weft"

static bool has_netfilter(void)
{
	return !command(END_A, "nft 'add table netdev weft; "
			       "delete table netdev weft' 2>/dev/null");
}

/* A chain without a rule, which passes all. */
TEST_F(handover, not_past_netfilter)
{
	static const struct thing chains[] = {
		{ ADD_CHAIN("ingress"), DEL_CHAIN },
		{ ADD_CHAIN("egress"), DEL_CHAIN },
	};

	ONLY_IF(has_netfilter());
	EXPECT_PAST_NONE(&self->conn, chains);
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* An XDP program that passes all; in the driver or before it. -1 with errno. */
static int load_xdp(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (unsigned long)insns,
		.insn_cnt = ARRAY_SIZE(insns),
		.license = (unsigned long)"GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

/* @end's device has it until what is returned is closed. */
static int attach_xdp(enum end end, int prog, unsigned int flags)
{
	union bpf_attr attr = { .link_create = {
		.prog_fd = prog,
		.attach_type = BPF_XDP,
		.flags = flags,
	} };
	int fd;

	if (enter_end(end))
		return -1;
	attr.link_create.target_ifindex = if_nametoindex(dev_of(end));
	fd = bpf(BPF_LINK_CREATE, &attr);
	leave_end(end);
	return fd;
}

TEST_F(handover, not_past_XDP)
{
	const unsigned int modes[] = { XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE };
	int prog = load_xdp(), end, fd;
	unsigned int i;

	ASSERT_LE(0, prog);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		for (end = END_A; end <= END_B; end++) {
			fd = attach_xdp(end, prog, modes[i]);
			ASSERT_LE(0, fd);
			EXPECT_EQ(0, speak(&self->conn));
			close(fd);
			EXPECT_HANDED(&self->conn);
		}
	}
	close(prog);
}

/* What is said while the wire is cut comes when it is mended. */
TEST_F(handover, not_over_a_wire_that_is_cut)
{
	long long before;

	EXPECT_HANDED(&self->conn);
	ASSERT_EQ(0, command(END_A, "ip link set %1$s down"));
	before = count_of("handovers");
	EXPECT_EQ(5, SEND(self->conn.far, "there"));
	EXPECT_EQ(0, events_now(self->conn.near, POLLIN));
	EXPECT_EQ(before, count_of("handovers"));
	ASSERT_EQ(0, command(END_A, "ip link set %1$s up"));
	EXPECT_MESSAGE(self->conn.near, "there");
	EXPECT_HANDED(&self->conn);
}

static long long received_by_a(void)
{
	long long n = -1, value;
	char line[256], name[32];
	FILE *file;

	if (enter_end(END_A))
		return -1;
	file = fopen("/proc/net/dev", "r");
	while (n < 0 && file && fgets(line, sizeof(line), file))
		if (sscanf(line, " %31[^:]: %lld", name, &value) == 2 &&
		    !strcmp(name, dev_of(END_A)))
			n = value;
	if (file)
		fclose(file);
	leave_end(END_A);
	return n;
}

/* Whoever counts what a container gets counts this as well. */
TEST_F(handover, the_device_counts_it)
{
	long long before;

	if (can_hand_over()) {
		ASSERT_TRUE(eventually(all_is_handed_over, &self->conn));
	}
	before = received_by_a();
	ASSERT_LE(0, before);
	EXPECT_HANDED(&self->conn);
	EXPECT_LE(before + ROUNDS * 50, received_by_a());
}

TEST_F(handover, the_end)
{
	long long before;

	EXPECT_HANDED(&self->conn);
	before = count_of("handovers");
	ASSERT_EQ(0, shutdown(self->conn.far, SHUT_WR));
	EXPECT_EOF(self->conn.near);
	if (can_hand_over()) {
		EXPECT_EQ(before + 1, count_of("handovers"));
	}
	EXPECT_EQ(4, SEND(self->conn.near, "back"));
	EXPECT_MESSAGE(self->conn.far, "back");
	ASSERT_EQ(0, shutdown(self->conn.near, SHUT_WR));
	EXPECT_EOF(self->conn.far);
}

/* --- a mixture --- */

struct talk {
	int fd;
	size_t most;
	uint64_t seed;
	long bytes;
	const atomic_bool *enough;	/* for who writes */
};

#define TALK_BYTES	3000000

static size_t piece_of(struct prng *prng, size_t most)
{
	return 1 + prng_below(prng, prng_below(prng, 2) ? most : 100);
}

static bool all_has_arrived(void *arg)
{
	int unsent = -1;

	return !ioctl(*(int *)arg, SIOCOUTQ, &unsent) && !unsent;
}

/* At times the peer has all: what comes then need not go as a packet. */
static long talk(void *arg)
{
	struct talk *talk = arg;
	struct prng prng = { .seed = talk->seed };
	unsigned char *buf = malloc(talk->most);

	while (talk->bytes < TALK_BYTES || !*talk->enough) {
		size_t len = piece_of(&prng, talk->most);

		pattern_fill(buf, len, talk->seed, talk->bytes);
		if (send(talk->fd, buf, len, MSG_NOSIGNAL) != (ssize_t)len)
			break;
		talk->bytes += len;
		if (!prng_below(&prng, 16) &&
		    !eventually(all_has_arrived, &talk->fd))
			break;
	}
	free(buf);
	shutdown(talk->fd, SHUT_WR);
	return talk->bytes;
}

static long hear(void *arg)
{
	struct talk *talk = arg;
	struct prng prng = { .seed = ~talk->seed };
	unsigned char *buf = malloc(talk->most);
	ssize_t n;

	do {
		/* At times the writer runs ahead, at times it waits. */
		size_t len = talk->most < 65536 ? talk->most :
						  piece_of(&prng, talk->most);

		n = recv_one(talk->fd, buf, len);
		if (n <= 0 || pattern_check(buf, n, talk->seed, talk->bytes) != (size_t)n)
			break;
		talk->bytes += n;
	} while (n);
	free(buf);
	return n ? -1 : talk->bytes;
}

/* What B has sent since, by hand and in all. */
struct sent {
	long long by_hand;
	long long all;
};

static struct sent sent_since(const struct sent *before)
{
	return (struct sent){
		.by_hand = count_of("handovers") - before->by_hand,
		.all = count_of("out_packets") - before->all,
	};
}

static bool went_both_ways(const struct sent *sent)
{
	return sent->by_hand < sent->all &&
	       (sent->by_hand >= 10 || !can_hand_over());
}

/* Both ends write at once, and between two writes the road is another. */
TEST_F_TIMEOUT(handover, and_packets_in_turn, 200)
{
	size_t most = variant->type == SOCK_STREAM ? 65536 : 20000;
	struct sent before = sent_since(&(struct sent){ 0, 0 }), sent;
	long long end = now_ms() + DEADLINE_MS;
	atomic_bool enough = false;
	struct talk out[2] = {
		{ self->conn.near, most, 1, 0, &enough },
		{ self->conn.far, most, 2, 0, &enough },
	};
	struct talk in[2] = {
		{ self->conn.far, most, 1, 0, NULL },
		{ self->conn.near, most, 2, 0, NULL },
	};
	struct task tasks[4];
	int i, turn;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, task_start(&tasks[i], talk, &out[i]));
		ASSERT_EQ(0, task_start(&tasks[2 + i], hear, &in[i]));
	}
	for (turn = 0; !task_join_within(&tasks[3], 5); turn++) {
		set_handover(turn % 4 < 2 ? END_A : END_B, turn % 2 ? "1" : "0");
		sent = sent_since(&before);
		enough = went_both_ways(&sent) || now_ms() > end;
	}
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(task_join(&tasks[i]));
	}
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(tasks[i].result, tasks[2 + i].result);
		EXPECT_LE(TALK_BYTES, tasks[i].result);
	}
	sent = sent_since(&before);
	EXPECT_TRUE(went_both_ways(&sent)) {
		TH_LOG("%lld of %lld by hand", sent.by_hand, sent.all);
	}
}

TEST_HARNESS_MAIN
