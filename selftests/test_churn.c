// SPDX-License-Identifier: GPL-2.0
/*
 * What goes away while others use it: connections, devices, the other end's
 * cable, namespaces, the module. Threads of two nodes talk all the while, by
 * wire and on their own node; each removal takes less than two seconds, and
 * what is left goes on. The end of a namespace is much work for the rest of the
 * kernel: it has half a minute, and is told beside one where nobody speaks; that
 * ours takes less than two seconds is test_unload's.
 *
 * WEFT_CHURN: how many of each, 20 by default.
 * WEFT_CHURN_LANES: namespaces that end beside each other, 1 by default; an end
 * is mostly waiting.
 *
 * weft-roads: none
 * weft-kernels: 6.12
 * weft-cflags: -pthread
 * weft-timeout: 600
 */
#include <linux/if_ether.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "weft_test.h"
#include "ko.h"
#include "rtnl.h"

#define MOST_MS		2000
#define PORT		4000
#define THREADS		6
#define MOST_LANES	16
/* One end where nobody speaks for so many others. */
#define IDLE_ROUNDS	5

enum { NODE_A, NODE_B, NODES };

/**
 * struct board - what all processes see
 * @wire: bytes that came over the wire
 * @closes: connections that were closed with bytes under way
 * @shutdowns: that were shut down while a reader slept
 * @worst_ms: the longest of these calls
 * @ends: of namespaces, those where nobody speaks and the others
 * @end_ms: what these took, together
 */
struct board {
	atomic_ulong wire;
	atomic_ulong closes;
	atomic_ulong shutdowns;
	atomic_long worst_ms;
	atomic_long ends[2];
	atomic_long end_ms[2];
};

static struct board *board;

/* Of a node's process. */
static int family;

static struct board *new_board(void)
{
	void *new = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return new == MAP_FAILED ? NULL : new;
}

static int setting(const char *name, int otherwise)
{
	const char *text = getenv(name);

	return text ? atoi(text) : otherwise;
}

static int churns(void)
{
	return setting("WEFT_CHURN", 20);
}

static void note_time(long long begun)
{
	long took = now_ms() - begun;

	if (took > atomic_load(&board->worst_ms))
		atomic_store(&board->worst_ms, took);
}

/* --- those who talk; no error is one, for everything may go at any time --- */

struct talker {
	struct sockaddr_weft to;
	unsigned int dice;
};

static int talker_socket(int type)
{
	struct timeval patience = { .tv_usec = 500000 };
	int fd = socket(family, type, 0);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* STREAM is at PORT, SEQPACKET at the next. */
static int talker_connected(struct talker *t)
{
	bool packets = rand_r(&t->dice) & 1;
	int fd = talker_socket(packets ? SOCK_SEQPACKET : SOCK_STREAM);

	t->to.sw_port = htons(PORT + packets);
	if (connect(fd, (void *)&t->to, sizeof(t->to))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void send_some(int fd, struct talker *t)
{
	static const char zeros[20000];
	int n = rand_r(&t->dice) % 20;

	while (n-- && send(fd, zeros, 1 + rand_r(&t->dice) % sizeof(zeros),
			   MSG_NOSIGNAL) > 0)
		;
}

static void *read_to_the_end(void *arg)
{
	int fd = (long)arg;
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
	return NULL;
}

/* A reader sleeps, or reads, when the connection is shut. */
static void shut_under_a_reader(int fd, struct talker *t)
{
	long long begun;
	pthread_t reader;

	if (pthread_create(&reader, NULL, read_to_the_end, (void *)(long)fd))
		return;
	send_some(fd, t);
	begun = now_ms();
	shutdown(fd, rand_r(&t->dice) & 1 ? SHUT_RDWR : SHUT_WR);
	note_time(begun);
	atomic_fetch_add(&board->shutdowns, 1);
	pthread_join(reader, NULL);
	close(fd);
}

/* Bytes are under way, and may be lost. */
static void close_at_once(int fd, struct talker *t)
{
	struct linger hard = { .l_onoff = 1 };
	long long begun;

	send_some(fd, t);
	if (rand_r(&t->dice) & 1)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	begun = now_ms();
	close(fd);
	note_time(begun);
	atomic_fetch_add(&board->closes, 1);
}

static void *connect_and_talk(void *arg)
{
	struct talker *t = arg;

	for (;;) {
		int fd = talker_connected(t);

		if (fd < 0)
			continue;
		if (rand_r(&t->dice) & 1)
			shut_under_a_reader(fd, t);
		else
			close_at_once(fd, t);
	}
	return NULL;
}

static void *send_datagrams(void *arg)
{
	static const char zeros[30000];
	struct talker *t = arg;
	int fd = talker_socket(SOCK_DGRAM);

	t->to.sw_port = htons(PORT);
	for (;;)
		sendto(fd, zeros, rand_r(&t->dice) % sizeof(zeros),
		       MSG_NOSIGNAL, (void *)&t->to, sizeof(t->to));
	return NULL;
}

static bool is_of_another(int fd)
{
	struct sockaddr_weft own, peer;
	socklen_t len = sizeof(own);

	if (getsockname(fd, (void *)&own, &len) ||
	    getpeername(fd, (void *)&peer, &len))
		return false;
	return memcmp(own.sw_node, peer.sw_node, sizeof(own.sw_node));
}

static void *accept_and_hear(void *arg)
{
	int lis = (long)arg, fd;
	char buf[8192];
	ssize_t n;

	for (;;) {
		bool wire;

		fd = accept(lis, NULL, NULL);
		if (fd < 0)
			continue;
		wire = is_of_another(fd);
		while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
			if (wire)
				atomic_fetch_add(&board->wire, n);
			send(fd, buf, n / 16, MSG_DONTWAIT | MSG_NOSIGNAL);
		}
		close(fd);
	}
	return NULL;
}

/*
 * A reset that finds no device is lost, and its peer reads on for ever, as with
 * TCP: so those that are accepted read with a limit, which they inherit.
 */
static int bind_port(int type, unsigned int port)
{
	struct timeval patience = { .tv_sec = 2 };
	struct sockaddr_weft own = {
		.sw_family = family, .sw_port = htons(port),
	};
	int fd = socket(family, type, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(fd, (void *)&own, sizeof(own)) ||
	    (type != SOCK_DGRAM && listen(fd, 8))) {
		perror("# bind");
		exit(1);
	}
	return fd;
}

static void go(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, arg))
		exit(1);
}

static void go_and_talk(void *(*fn)(void *), const struct in6_addr *to)
{
	struct talker *t = calloc(1, sizeof(*t));

	t->to.sw_family = family;
	memcpy(t->to.sw_node, to, sizeof(*to));
	t->dice = now_ms() + getpid() + (long)t;
	go(fn, t);
}

/* A node's process, to its death; @ns, of @all, lives as long as something uses it. */
static void be_node(int ns, const int *all, const struct in6_addr *other)
{
	int i, stream, packet, dgram;

	/* What removes things has work to do, too. */
	if (setns(ns, CLONE_NEWNET) || nice(19) < 0)
		exit(1);
	/*
	 * Asked once: it is a file of /sys, and who is so nice and has the lock
	 * of these keeps every device from coming and going.
	 */
	family = weft_family();
	for (i = 0; i < NODES; i++)
		close(all[i]);
	stream = bind_port(SOCK_STREAM, PORT);
	packet = bind_port(SOCK_SEQPACKET, PORT + 1);
	dgram = bind_port(SOCK_DGRAM, PORT);
	for (i = 0; i < THREADS; i++) {
		go(accept_and_hear, (void *)(long)(i & 1 ? stream : packet));
		go_and_talk(connect_and_talk, other);
	}
	go_and_talk(connect_and_talk, &in6addr_loopback);
	go_and_talk(send_datagrams, other);
	for (;;)
		recv(dgram, &i, sizeof(i), 0);
}

/* --- two nodes --- */

/**
 * struct world - two namespaces joined by a veth, and who talks there
 * @ns: the namespaces
 * @pids: the processes, 0: none
 */
struct world {
	int home;
	int ns[NODES];
	pid_t pids[NODES];
};

static const char * const devs[NODES] = { "a0", "b0" };

static int enter(const struct world *w, int node)
{
	return setns(node < NODES ? w->ns[node] : w->home, CLONE_NEWNET);
}

static int leave(const struct world *w)
{
	return enter(w, NODES);
}

static int make_namespace(void)
{
	if (unshare(CLONE_NEWNET) || rtnl_set("lo", true))
		return -1;
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* From A's side. */
static int join_nodes(struct world *w)
{
	return enter(w, NODE_A) ?:
	       rtnl_add_veth(devs[NODE_A], devs[NODE_B], w->ns[NODE_B]) ?:
	       rtnl_set(devs[NODE_A], true) ?:
	       enter(w, NODE_B) ?:
	       rtnl_set(devs[NODE_B], true) ?:
	       leave(w);
}

static int read_address(struct world *w, int node, struct in6_addr *addr)
{
	int err = enter(w, node) ?: own_node(addr);

	return leave(w) ?: err;
}

static int open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	w->ns[NODE_A] = make_namespace();
	w->ns[NODE_B] = make_namespace();
	if (w->ns[NODE_A] < 0 || w->ns[NODE_B] < 0)
		return -1;
	return join_nodes(w);
}

static int start_talk(struct world *w)
{
	struct in6_addr addr[NODES];
	int i;

	if (read_address(w, NODE_A, &addr[NODE_A]) ||
	    read_address(w, NODE_B, &addr[NODE_B]))
		return -1;
	for (i = 0; i < NODES; i++) {
		w->pids[i] = fork();
		if (w->pids[i] < 0)
			return -1;
		if (!w->pids[i])
			be_node(w->ns[i], w->ns, &addr[!i]);
	}
	return 0;
}

/* Return: how long the last thread took to be gone, ms. */
static long long end_talk(struct world *w)
{
	long long begun = now_ms();
	int i;

	for (i = 0; i < NODES; i++)
		if (w->pids[i] > 0)
			kill(w->pids[i], SIGKILL);
	for (i = 0; i < NODES; i++)
		if (w->pids[i] > 0)
			waitpid(w->pids[i], NULL, 0);
	w->pids[0] = 0;
	w->pids[1] = 0;
	return now_ms() - begun;
}

static void close_world(struct world *w)
{
	end_talk(w);
	close(w->ns[NODE_A]);
	close(w->ns[NODE_B]);
	close(w->home);
}

static bool is_moving(void *arg)
{
	return atomic_load(&board->wire) > *(unsigned long *)arg;
}

/* A path that was away is asked for again when a second is over: be patient. */
static bool talk_goes_on(void)
{
	unsigned long wire = atomic_load(&board->wire);
	int i;

	for (i = 0; i < 3; i++)
		if (eventually(is_moving, &wire))
			return true;
	return false;
}

FIXTURE(churn)
{
	struct world world;
};

FIXTURE_SETUP(churn)
{
	if (road()->oracle)
		SKIP(return, "weft's own life");
	board = new_board();
	ASSERT_NE(NULL, board);
	ASSERT_EQ(0, open_world(&self->world));
	ASSERT_EQ(0, start_talk(&self->world));
	ASSERT_TRUE(talk_goes_on());
}

FIXTURE_TEARDOWN(churn)
{
	close_world(&self->world);
}

static bool has_closed_enough(void *arg)
{
	unsigned long most = churns();

	return atomic_load(&board->closes) >= most &&
	       atomic_load(&board->shutdowns) >= most;
}

TEST_F_TIMEOUT(churn, close_and_shutdown, 86400)
{
	while (!has_closed_enough(NULL))
		ASSERT_TRUE(talk_goes_on());
	EXPECT_GT(MOST_MS, end_talk(&self->world));
	EXPECT_GT(MOST_MS, atomic_load(&board->worst_ms));
	TH_LOG("%lu closes, %lu shutdowns, the longest %ld ms",
	       atomic_load(&board->closes), atomic_load(&board->shutdowns),
	       atomic_load(&board->worst_ms));
}

/* Something was begun to be removed: is that over in time? */
static bool in_time(long long begun, long long *worst)
{
	long long took = now_ms() - begun;

	if (took > *worst)
		*worst = took;
	if (took >= MOST_MS)
		fprintf(stderr, "# took %lld ms\n", took);
	return took < MOST_MS;
}

TEST_F_TIMEOUT(churn, device_removal, 86400)
{
	long long begun, worst = 0;
	int i;

	for (i = 0; i < churns(); i++) {
		ASSERT_EQ(0, enter(&self->world, i & 1));
		begun = now_ms();
		ASSERT_EQ(0, rtnl_del(devs[i & 1]));
		ASSERT_TRUE(in_time(begun, &worst));
		ASSERT_EQ(0, leave(&self->world));
		ASSERT_EQ(0, join_nodes(&self->world));
		ASSERT_TRUE(talk_goes_on());
	}
	TH_LOG("the longest of %d took %lld ms", i, worst);
}

TEST_F_TIMEOUT(churn, carrier_loss, 86400)
{
	long long begun, worst = 0;
	int i;

	for (i = 0; i < churns(); i++) {
		ASSERT_EQ(0, enter(&self->world, i & 1));
		begun = now_ms();
		ASSERT_EQ(0, rtnl_set(devs[i & 1], false));
		ASSERT_TRUE(in_time(begun, &worst));
		ASSERT_EQ(0, rtnl_set(devs[i & 1], true));
		ASSERT_EQ(0, leave(&self->world));
		ASSERT_TRUE(talk_goes_on());
	}
	TH_LOG("the longest of %d took %lld ms", i, worst);
}

static bool is_gone(void *arg)
{
	return !if_nametoindex(arg);
}

/*
 * The last file of a namespace is closed. Return: ms until the veth's other
 * end, @dev, which is here, went with it; -1: it did not.
 */
static long long time_to_go(int ns, const char *dev)
{
	long long begun = now_ms();
	int i;

	close(ns);
	for (i = 0; i < 3; i++)
		if (eventually(is_gone, (void *)dev))
			return now_ms() - begun;
	return -1;
}

enum { IDLE, BUSY };

static bool note_end(struct board *total, int kind, long long took)
{
	atomic_fetch_add(&total->ends[kind], 1);
	atomic_fetch_add(&total->end_ms[kind], took);
	return took >= 0;
}

/* A namespace where nobody speaks: what its end costs on this machine. In B. */
static long long time_of_an_idle_one(struct world *w)
{
	int ns = make_namespace();

	if (ns < 0 || rtnl_add_veth("c0", "d0", w->ns[NODE_B]) ||
	    enter(w, NODE_B))
		return -1;
	return time_to_go(ns, "d0");
}

/* B's threads go on talking to what is not there. In B. */
static long long time_of_a_busy_one(struct world *w)
{
	kill(w->pids[NODE_A], SIGKILL);
	waitpid(w->pids[NODE_A], NULL, 0);
	w->pids[NODE_A] = 0;
	return time_to_go(w->ns[NODE_A], devs[NODE_B]);
}

static int begin_anew(struct world *w)
{
	end_talk(w);
	w->ns[NODE_A] = make_namespace();
	return w->ns[NODE_A] < 0 || join_nodes(w) || start_talk(w);
}

/* Return: what went wrong, or NULL. */
static const char *end_one(struct board *total, struct world *w, bool idle_too)
{
	if (idle_too && !note_end(total, IDLE, time_of_an_idle_one(w)))
		return "the end of an idle one";
	if (enter(w, NODE_B) ||
	    !note_end(total, BUSY, time_of_a_busy_one(w)) || leave(w))
		return "the end of a busy one";
	if (begin_anew(w))
		return "a new one";
	return talk_goes_on() ? NULL : "the talk after it";
}

/* A lane has a world and a board of its own; what it met is told in @total. */
static bool ends_namespaces(struct board *total, int rounds)
{
	const char *wrong = NULL;
	struct world w = {};
	int i;

	board = new_board();
	if (!board || open_world(&w) || start_talk(&w) || !talk_goes_on())
		wrong = "the talk before";
	for (i = 0; !wrong && i < rounds; i++)
		wrong = end_one(total, &w, i % IDLE_ROUNDS == 0);
	if (wrong)
		fprintf(stderr, "# round %d: %s: %s\n", i, wrong,
			strerror(errno));
	close_world(&w);
	return !wrong;
}

static long mean_ms(int kind)
{
	return atomic_load(&board->end_ms[kind]) /
	       (atomic_load(&board->ends[kind]) ?: 1);
}

TEST_F_TIMEOUT(churn, namespace_deletion, 86400)
{
	int i, status, nr = setting("WEFT_CHURN_LANES", 1);
	int rounds = (churns() + nr - 1) / nr;
	pid_t lanes[MOST_LANES];

	ASSERT_GE(MOST_LANES, nr);
	end_talk(&self->world);
	for (i = 0; i < nr; i++) {
		lanes[i] = fork();
		if (!lanes[i])
			exit(!ends_namespaces(board, rounds));
		ASSERT_LT(0, lanes[i]);
	}
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(lanes[i], waitpid(lanes[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	EXPECT_EQ(rounds * nr, atomic_load(&board->ends[BUSY]));
	/* What of it is ours is not known: with all CPUs busy both take long. */
	TH_LOG("%ld took %ld ms on average, idle ones %ld ms",
	       atomic_load(&board->ends[BUSY]), mean_ms(BUSY), mean_ms(IDLE));
}

TEST_F_TIMEOUT(churn, module_unloading, 86400)
{
	long long begun, worst = 0;
	int i;

	for (i = 0; i < churns(); i++) {
		end_talk(&self->world);
		begun = now_ms();
		ASSERT_EQ(0, ko_unload());
		EXPECT_TRUE(in_time(begun, &worst));
		ASSERT_EQ(0, ko_load());
		ASSERT_EQ(0, start_talk(&self->world));
		ASSERT_TRUE(talk_goes_on());
	}
	TH_LOG("the longest of %d took %lld ms", i, worst);
}

TEST_HARNESS_MAIN
