// SPDX-License-Identifier: GPL-2.0
/*
 * How a node gets to know another that it asks for: who is believed, where it
 * is asked for, and how many it may know, seen by scripted nodes.
 *
 * weft-roads: veth
 * weft-cflags: -pthread
 */
#include <stdatomic.h>

#include "weft_test.h"
#include "peer.h"
#include "rtnl.h"

#define PORT	4001
#define NODES	"/proc/sys/net/weft/limits/nodes"
#define PENDING	"/proc/sys/net/weft/limits/pending"
#define ANSWERS	"/proc/sys/net/weft/limits/answers"
/* What may wait for all nodes is this much more than for one. */
#define PENDING_NODES	16

FIXTURE(meeting)
{
	struct peer peer;
	struct peer other;
	struct addr addr;	/* of the scripted node */
	int fd;			/* a socket of B that connects to it */
};

/* A node B that has never met anybody, on a device of its own to A. */
static int make_node_b(void)
{
	struct road *road = the_road();
	char near[16], far[16];
	int err;

	snprintf(near, sizeof(near), "m%d", getpid());
	snprintf(far, sizeof(far), "f%d", getpid());
	err = unshare(CLONE_NEWNET) ?:
	      rtnl_add_veth(far, near, road->ns[END_A]) ?:
	      rtnl_set("lo", true) ?: rtnl_set(far, true) ?:
	      own_node(&road->node[END_B]);
	road->ns[END_B] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	err = err ?: setns(road->home, CLONE_NEWNET) ?: enter_end(END_A) ?:
	      rtnl_set(near, true) ?: setenv("WEFT_DEV_A", near, 1);
	return leave_end(END_A) ?: err;
}

static int limit(const char *path, const char *text)
{
	int err = enter_end(END_B) ?: write_file(path, text);

	return leave_end(END_B) ?: err;
}

FIXTURE_SETUP(meeting)
{
	if (road()->oracle)
		SKIP(return, "sessions of weft have no oracle");
	ROAD_OR_SKIP();
	self->other.fd = -1;
	ASSERT_EQ(0, make_node_b());
	ASSERT_EQ(0, peer_open(&self->peer));
	set_addr(&self->addr, &self->peer.addr, PORT);
	self->fd = end_socket(END_B, SOCK_STREAM | SOCK_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(meeting)
{
	close(self->peer.fd);
	close(self->other.fd);
	close(self->fd);
}

/* What B sends was dropped by B once more, for @why. */
struct drop {
	const char *why;
	long long before;
};

static bool has_dropped(void *arg)
{
	struct drop *drop = arg;

	return count_of(drop->why) > drop->before;
}

static bool drops(struct peer *peer, const struct frame *f, const char *why)
{
	struct drop drop = { why, count_of(why) };

	return !emit(peer, f) && eventually(has_dropped, &drop);
}

/* An introduction that answers the question before the answer comes. */
TEST_F(meeting, introduction_is_an_answer)
{
	struct frame f;

	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(hear_question(&self->peer));
	build_introduction(&self->peer, &f, F_INTRO);
	ASSERT_EQ(0, emit(&self->peer, &f));
	EXPECT_TRUE(open_up(&self->peer, self->fd, PORT));
}

/* Whoever has heard the question may say anything, and is believed nothing. */
TEST_F(meeting, other_packets_are_no_answer)
{
	struct peer liar;
	struct frame f;

	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(hear_question(&self->peer));
	build_introduction(&self->peer, &f, 0);
	EXPECT_TRUE(drops(&self->peer, &f, "drop_session"));
	liar = self->peer;
	liar.addr.s6_addr[10] ^= 1;
	build_introduction(&liar, &f, F_INTRO);
	EXPECT_TRUE(drops(&liar, &f, "drop_session"));
	liar = self->peer;
	liar.version_min = 2;
	liar.version_max = 2;
	build_introduction(&liar, &f, F_INTRO);
	EXPECT_TRUE(drops(&liar, &f, "drop_session"));
	ASSERT_TRUE(answer(&self->peer));
	EXPECT_TRUE(open_up(&self->peer, self->fd, PORT));
}

/* B's next packet is for the session that it believes in. */
static uint64_t believed_session(struct peer *peer, int fd)
{
	if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 || !await(peer, DATA))
		return 0;
	return get_int_at(&peer->in, AT_SESSION, 8);
}

/* Its first packet may name the session anew, if it comes from its own place. */
TEST_F(meeting, first_packet_may_name_the_session)
{
	uint64_t before = self->peer.session;
	struct frame f;

	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(await_open(&self->peer, self->peer.session));
	self->peer.session ^= 1ULL << 44;
	build_introduction(&self->peer, &f, F_INTRO);
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_TRUE(open_up(&self->peer, self->fd, PORT));
	EXPECT_EQ(self->peer.session, believed_session(&self->peer, self->fd));
	EXPECT_NE(before, self->peer.session);
}

static void move_elsewhere(struct peer *p)
{
	p->mac[5] ^= 1;
}

static void take_another_address(struct peer *p)
{
	p->addr.s6_addr[10] ^= 1;
}

static void drop_the_session(struct peer *p)
{
	p->session = 0;
}

/* What B believes after the first packet that it hears is what @lie says. */
static bool is_believed(struct peer *peer, int fd, const struct addr *addr,
			void (*lie)(struct peer *p))
{
	struct peer liar;
	struct frame f;

	if (ERR(connect_to(fd, addr)) != EINPROGRESS || !answer(peer))
		return true;
	liar = *peer;
	liar.session ^= 1ULL << 44;
	lie(&liar);
	build_introduction(&liar, &f, F_INTRO);
	return emit(&liar, &f) || !open_up(peer, fd, PORT) ||
	       believed_session(peer, fd) != peer->session;
}

TEST_F(meeting, first_packet_from_elsewhere_names_nothing)
{
	EXPECT_FALSE(is_believed(&self->peer, self->fd, &self->addr,
				 move_elsewhere));
}

TEST_F(meeting, first_packet_of_another_address_names_nothing)
{
	EXPECT_FALSE(is_believed(&self->peer, self->fd, &self->addr,
				 take_another_address));
}

TEST_F(meeting, first_packet_without_a_session_names_nothing)
{
	EXPECT_FALSE(is_believed(&self->peer, self->fd, &self->addr,
				 drop_the_session));
}

/*
 * The node asks, too, after it has answered: there are two sessions, of which
 * that of the lower address counts.
 */
static bool ask_anew(struct peer *anew, const struct peer *peer, struct frame *f)
{
	*anew = *peer;
	anew->session ^= 1ULL << 45;
	if (!ask(anew))
		return false;
	build_introduction(anew, f, F_INTRO);
	return true;
}

TEST_F(meeting, crossed_questions_of_the_lower_address)
{
	struct peer anew;
	struct frame f;

	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(ask_anew(&anew, &self->peer, &f));
	ASSERT_EQ(0, emit(&anew, &f));
	EXPECT_TRUE(open_up(&anew, self->fd, PORT));
	EXPECT_EQ(anew.session, believed_session(&anew, self->fd));
}

TEST_F(meeting, crossed_questions_of_the_higher_address)
{
	struct peer anew;
	struct frame f;

	memset(self->peer.addr.s6_addr + 6, 0xff, 4);
	set_addr(&self->addr, &self->peer.addr, PORT);
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(ask_anew(&anew, &self->peer, &f));
	EXPECT_TRUE(drops(&anew, &f, "drop_session"));
	EXPECT_TRUE(open_up(&self->peer, self->fd, PORT));
	EXPECT_EQ(self->peer.session, believed_session(&self->peer, self->fd));
}

#define FLOOD	300

/* @nr times the same frame in one call. */
static int emit_often(struct peer *peer, const struct frame *f, int nr)
{
	struct iovec iov = { (void *)f->bytes, f->len };
	struct mmsghdr frames[FLOOD] = {};
	int i;

	for (i = 0; i < nr; i++)
		frames[i].msg_hdr = (struct msghdr){
			.msg_iov = &iov, .msg_iovlen = 1,
		};
	return sendmmsg(peer->fd, frames, nr, 0);
}

/* However often it is said, a session that has not begun is asked for anew at leisure. */
TEST_F(meeting, a_flood_of_BADSESSION_ends_nothing)
{
	struct frame f;

	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(answer(&self->peer));
	build_badsession(&self->peer, &f, self->peer.session);
	ASSERT_EQ(FLOOD, emit_often(&self->peer, &f, FLOOD));
	EXPECT_TRUE(open_up(&self->peer, self->fd, PORT));
}

#define STRAYS		10
/* And what one station has of them, at once and then in a second. */
#define ANSWERS_SET	"4000"
#define STRAY_PART	1000

/* Bytes for a flow that nobody opened. */
static void build_stray(struct peer *peer, struct frame *f)
{
	begin(peer, f, DATA, F_OPENER);
	put_flow(f, FLOW + 1, 0, 0);
	put_text(f, "stray");
	seal(f);
}

static bool is_dropping(void *arg)
{
	return count_of("drop_rate") > *(long long *)arg;
}

/* Its own answers are not the ones that others do not get. */
TEST_F(meeting, a_flood_of_strays_uses_up_its_own_part)
{
	long long before = count_of("drop_rate"), answered = count_of("out_reset");
	long long begun, most;
	struct frame f;
	int i;

	ASSERT_EQ(0, limit(ANSWERS, ANSWERS_SET));
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(open_up(&self->peer, self->fd, PORT));
	build_stray(&self->peer, &f);
	begun = now_ms();
	for (i = 0; i < STRAYS; i++)
		ASSERT_EQ(FLOOD, emit_often(&self->peer, &f, FLOOD));
	answered = count_of("out_reset") - answered;
	most = STRAY_PART + STRAY_PART * (now_ms() - begun + 1) / 1000 + 1;
	EXPECT_LT(0, answered);
	EXPECT_GE(most, answered);
	/* A slow machine may be within what is allowed. */
	if (most < STRAYS * FLOOD)
		EXPECT_TRUE(eventually(is_dropping, &before));
}

struct flooder {
	struct peer peer;
	atomic_bool over;
};

static long stray_without_end(void *arg)
{
	struct flooder *flooder = arg;
	struct frame f;

	build_stray(&flooder->peer, &f);
	while (!atomic_load(&flooder->over))
		emit_often(&flooder->peer, &f, FLOOD);
	return 0;
}

/* In @p's session, not another's; said seldom again, for a frame may be lost. */
static bool is_answered(struct peer *p, const struct frame *f)
{
	long long end;
	int i;

	for (i = 0; i < 5; i++) {
		if (emit(p, f))
			return false;
		for (end = now_ms() + 2000; now_ms() < end;)
			if (take_frame(p, 100) && kind_of(&p->in) == RESET &&
			    get_int_at(&p->in, AT_SESSION, 8) == p->session)
				return true;
	}
	return false;
}

/* And keeps no other station from being answered. */
TEST_F(meeting, a_flood_uses_up_its_own_part)
{
	int fd = end_socket(END_B, SOCK_STREAM | SOCK_NONBLOCK);
	long long before = count_of("drop_rate");
	struct flooder flooder = {};
	struct addr addr;
	struct task task;
	struct frame f;

	/* Of which it would use up all, were there no parts. */
	ASSERT_EQ(0, limit(ANSWERS, "40"));
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(open_up(&self->peer, self->fd, PORT));
	ASSERT_EQ(0, peer_open(&flooder.peer));
	flooder.peer.mac[5] ^= 1;
	set_addr(&addr, &flooder.peer.addr, PORT);
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(fd, &addr)));
	ASSERT_TRUE(answer(&flooder.peer));
	ASSERT_EQ(0, task_start(&task, stray_without_end, &flooder));
	ASSERT_TRUE(eventually(is_dropping, &before));

	build_stray(&self->peer, &f);
	EXPECT_TRUE(is_answered(&self->peer, &f));
	atomic_store(&flooder.over, true);
	ASSERT_TRUE(task_join(&task));
	close(flooder.peer.fd);
	close(fd);
}

static int state_of(int fd)
{
	socklen_t len = sizeof(struct weft_info);
	struct weft_info info;

	return getsockopt(fd, SOL_WEFT, WEFT_INFO, &info, &len) ? -1 : info.state;
}

TEST_F(meeting, connection_is_opening_meanwhile)
{
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	EXPECT_EQ(WEFT_STATE_OPENING, state_of(self->fd));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(open_up(&self->peer, self->fd, PORT));
	EXPECT_EQ(WEFT_STATE_OPEN, state_of(self->fd));
}

/* --- where it is asked for --- */

/* A question for us that comes within @ms. */
static bool is_asked_for(struct peer *p, int ms)
{
	long long end = now_ms() + ms;

	while (now_ms() < end)
		if (take_frame(p, 10) && kind_of(&p->in) == WHO &&
		    !memcmp(p->in.bytes + AT_PARTS + 16, &p->addr, 16))
			return true;
	return false;
}

/* Index of lo, where nobody else is. */
#define LOOPBACK	1

TEST_F(meeting, on_one_device_alone)
{
	self->addr.in6.sin6_scope_id = LOOPBACK;
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	EXPECT_FALSE(is_asked_for(&self->peer, 500));
	ASSERT_TRUE(wait_all_events(self->fd, POLLERR));
	EXPECT_EQ(EHOSTUNREACH, get_int(self->fd, SO_ERROR));
}

/* Who asks on one device does not narrow what others ask. */
TEST_F(meeting, on_every_device_when_somebody_wants_that)
{
	struct addr everywhere = self->addr;
	int fd = end_socket(END_B, SOCK_STREAM | SOCK_NONBLOCK);

	self->addr.in6.sin6_scope_id = LOOPBACK;
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(fd, &everywhere)));
	ASSERT_TRUE(answer(&self->peer));
	EXPECT_TRUE(await_open(&self->peer, self->peer.session));
	EXPECT_TRUE(await_open(&self->peer, self->peer.session));
	EXPECT_EQ(0, events_now(fd, POLLERR));
	close(fd);
}

/* --- how many it may know --- */

static void absent_addr(struct addr *addr, unsigned int nr)
{
	struct in6_addr node;

	inet_pton(AF_INET6, "fd77:6566:7400::dead:0", &node);
	node.s6_addr[12] = nr;
	set_addr(addr, &node, PORT);
}

/* A node that comes of itself, and what it says to @port. */
static bool introduce_other(struct peer *other, unsigned int port,
			    const char *why)
{
	struct frame f;

	if (peer_open(other) || !ask(other))
		return false;
	begin(other, &f, DGRAM, F_INTRO);
	put_dgram(&f, 99, port, 4);
	put_hello(other, &f);
	put_text(&f, "text");
	seal(&f);
	return why ? drops(other, &f, why) : !emit(other, &f);
}

TEST_F(meeting, no_more_than_it_may_know)
{
	int sock = end_socket(END_B, SOCK_DGRAM);
	struct addr addr;

	ASSERT_EQ(0, limit(NODES, "1"));
	ASSERT_EQ(EINPROGRESS, ERR(connect_to(self->fd, &self->addr)));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(open_up(&self->peer, self->fd, PORT));
	absent_addr(&addr, 1);
	EXPECT_EQ(ENOBUFS, ERR(send_to(sock, "x", 1, &addr)));
	EXPECT_TRUE(introduce_other(&self->other, PORT, "drop_limit"));
	/* The connection is none the worse for it. */
	EXPECT_EQ(self->peer.session, believed_session(&self->peer, self->fd));
	close(sock);
}

TEST_F(meeting, idle_ones_give_way_and_are_told)
{
	struct addr addr;
	struct frame f;
	int sock = bound_socket(END_B, SOCK_DGRAM, &addr);

	ASSERT_EQ(0, limit(NODES, "1"));
	ASSERT_TRUE(introduce_other(&self->peer, addr_port(&addr), NULL));
	EXPECT_MESSAGE(sock, "text");
	ASSERT_TRUE(introduce_other(&self->other, addr_port(&addr), NULL));
	EXPECT_MESSAGE(sock, "text");
	ASSERT_TRUE(await(&self->peer, BADSESSION));
	EXPECT_EQ(self->peer.their_session,
		  get_int_at(&self->peer.in, AT_PARTS, 8));
	build_introduction(&self->peer, &f, 0);
	EXPECT_TRUE(drops(&self->peer, &f, "drop_session"));
	close(sock);
}

/* A third node comes where there is room for two: who has to go? */
static bool is_told_to_go(struct peer *other, unsigned int port, struct peer *gone)
{
	return introduce_other(other, port, NULL) && await(gone, BADSESSION) &&
	       get_int_at(&gone->in, AT_PARTS, 8) == gone->their_session;
}

/* Strangers, however late they came, before one that a program has written to. */
TEST_F(meeting, strangers_give_way_to_one_that_was_sought)
{
	struct addr addr;
	struct peer third;
	int sock = bound_socket(END_B, SOCK_DGRAM, &addr);

	ASSERT_EQ(0, limit(NODES, "2"));
	ASSERT_EQ(1, send_to(sock, "x", 1, &self->addr));
	ASSERT_TRUE(answer(&self->peer));
	ASSERT_TRUE(await(&self->peer, DGRAM));
	ASSERT_TRUE(introduce_other(&self->other, addr_port(&addr), NULL));
	EXPECT_MESSAGE(sock, "text");
	EXPECT_TRUE(is_told_to_go(&third, addr_port(&addr), &self->other));
	EXPECT_MESSAGE(sock, "text");
	close(third.fd);
	close(sock);
}

TEST_F(meeting, strangers_give_way_to_one_that_was_accepted)
{
	struct addr addr, dgram;
	int lis = listener(END_B, SOCK_STREAM, 1, &addr);
	int sock = bound_socket(END_B, SOCK_DGRAM, &dgram);
	struct peer third;
	struct frame f;
	int fd;

	ASSERT_EQ(0, limit(NODES, "2"));
	ASSERT_TRUE(ask(&self->peer));
	build_flow_open(&self->peer, &f, addr_port(&addr), SOCK_STREAM, "x");
	ASSERT_EQ(0, emit(&self->peer, &f));
	fd = accepted(lis);
	ASSERT_LE(0, fd);
	build_flow_reset(&self->peer, &f, addr_port(&addr));
	ASSERT_EQ(0, emit(&self->peer, &f));
	ASSERT_TRUE(wait_all_events(fd, POLLERR));
	close(fd);
	ASSERT_TRUE(introduce_other(&self->other, addr_port(&dgram), NULL));
	EXPECT_MESSAGE(sock, "text");
	EXPECT_TRUE(is_told_to_go(&third, addr_port(&dgram), &self->other));
	EXPECT_MESSAGE(sock, "text");
	close(third.fd);
	close(sock);
	close(lis);
}

/* So do those whose connections are of no file any more. */
TEST_F(meeting, those_that_were_left_give_way)
{
	struct addr addr, dgram;
	int lis = listener(END_B, SOCK_STREAM, 1, &addr);
	int sock = bound_socket(END_B, SOCK_DGRAM, &dgram);
	struct frame f;
	int fd;

	ASSERT_EQ(0, limit(NODES, "1"));
	ASSERT_TRUE(ask(&self->peer));
	build_flow_open(&self->peer, &f, addr_port(&addr), SOCK_STREAM, "x");
	ASSERT_EQ(0, emit(&self->peer, &f));
	fd = accepted(lis);
	ASSERT_LE(0, fd);
	EXPECT_TEXT(fd, "x");
	EXPECT_TRUE(introduce_other(&self->other, addr_port(&dgram),
				    "drop_limit"));
	close(fd);
	close(self->other.fd);
	ASSERT_TRUE(introduce_other(&self->other, addr_port(&dgram), NULL));
	EXPECT_MESSAGE(sock, "text");
	EXPECT_TRUE(await(&self->peer, BADSESSION));
	close(sock);
	close(lis);
}

/* Programs may ask for any address: that does not cost those that exist. */
TEST_F(meeting, a_part_of_them_may_be_absent)
{
	int sock = end_socket(END_B, SOCK_DGRAM);
	struct addr addr;

	ASSERT_EQ(0, limit(NODES, "4"));
	absent_addr(&addr, 2);
	EXPECT_EQ(1, send_to(sock, "x", 1, &addr));
	absent_addr(&addr, 3);
	EXPECT_EQ(ENOBUFS, ERR(send_to(sock, "x", 1, &addr)));
	close(sock);
}

/* What cannot go yet waits, as much as may, and goes in order. */
TEST_F(meeting, so_many_datagrams_wait)
{
	long long before = count_of("drop_limit");
	int sock = end_socket(END_B, SOCK_DGRAM), i;
	struct frame *in = &self->peer.in;

	ASSERT_EQ(0, limit(PENDING, "4"));
	for (i = 0; i < 6; i++)
		ASSERT_EQ(1, send_to(sock, &"012345"[i], 1, &self->addr));
	EXPECT_EQ(before + 2, count_of("drop_limit"));
	ASSERT_TRUE(answer(&self->peer));
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(await(&self->peer, DGRAM));
		EXPECT_EQ('0' + i, in->bytes[ETH_BYTES + in->bytes[AT_HLEN]]);
	}
	ASSERT_EQ(1, send_to(sock, "6", 1, &self->addr));
	ASSERT_TRUE(await(&self->peer, DGRAM));
	EXPECT_EQ('6', in->bytes[ETH_BYTES + in->bytes[AT_HLEN]]);
	close(sock);
}

TEST_F(meeting, so_many_datagrams_wait_for_all)
{
	long long before = count_of("drop_limit");
	int sock = end_socket(END_B, SOCK_DGRAM), i;
	struct addr addr;

	ASSERT_EQ(0, limit(PENDING, "1"));
	for (i = 0; i <= PENDING_NODES; i++) {
		EXPECT_EQ(before, count_of("drop_limit"));
		absent_addr(&addr, i);
		ASSERT_EQ(1, send_to(sock, "x", 1, &addr));
	}
	EXPECT_EQ(before + 1, count_of("drop_limit"));
	close(sock);
}

TEST_HARNESS_MAIN
