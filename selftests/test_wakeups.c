// SPDX-License-Identifier: GPL-2.0
/*
 * Whoever sleeps in a call is woken: every call that blocks against every end
 * of its sleep, and edges that must not get lost. A lost wake-up is a test that
 * meets its deadline.
 *
 * WEFT_PINGPONG is the number of rounds of each ping-pong; without, they go by
 * time.
 *
 * weft-roads: local veth
 * weft-cflags: -pthread
 * weft-timeout: 900
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "weft_test.h"

/* How long a call sleeps before its own time is over; how long edges go on. */
#define SLEEP_MS	30
#define EDGES_MS	1500

enum end_of_sleep { SIGNAL, TIMEOUT, PEER_CLOSE, OWN_SHUTDOWN, ENDS };

static const char *const end_names[] = {
	"a signal", "its time", "the peer's close", "shutdown by another thread",
};

/**
 * struct call - a call that sleeps
 * @fn: makes it, on a struct scene
 * @full: it waits for room, not for bytes
 * @listener: it is made on a listener
 * @result: errno at each end of its sleep, or what it returns
 */
struct call {
	const char *name;
	long (*fn)(void *scene);
	bool full;
	bool listener;
	int result[ENDS];
};

/* A connect() to be made. */
struct waiting {
	int fd;
	const struct addr *to;
};

struct scene {
	int fd;
	int file;
	int timeout_ms;
};

static long call_recv(void *arg)
{
	const struct scene *scene = arg;
	char byte;

	return recv(scene->fd, &byte, 1, 0);
}

static long call_recv_all(void *arg)
{
	const struct scene *scene = arg;
	char bytes[100];

	return recv(scene->fd, bytes, sizeof(bytes), MSG_WAITALL);
}

static long call_recvmmsg(void *arg)
{
	const struct scene *scene = arg;
	char bytes[2];
	struct iovec iov[2] = { { bytes, 1 }, { bytes + 1, 1 } };
	struct mmsghdr msgs[2] = {
		{ .msg_hdr = { .msg_iov = &iov[0], .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_iov = &iov[1], .msg_iovlen = 1 } },
	};

	return recvmmsg(scene->fd, msgs, 2, 0, NULL);
}

static long call_readv(void *arg)
{
	const struct scene *scene = arg;
	char bytes[2];
	struct iovec iov[2] = { { bytes, 1 }, { bytes + 1, 1 } };

	return readv(scene->fd, iov, 2);
}

static long call_splice(void *arg)
{
	const struct scene *scene = arg;
	int fds[2], error;
	long n;

	if (pipe(fds))
		return -1;
	n = splice(scene->fd, NULL, fds[1], NULL, 100, 0);
	error = errno;
	close(fds[0]);
	close(fds[1]);
	errno = error;
	return n;
}

static long call_send(void *arg)
{
	static const char bytes[1000];
	const struct scene *scene = arg;

	return send(scene->fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

static long call_writev(void *arg)
{
	static char bytes[1000];
	const struct scene *scene = arg;
	struct iovec iov[2] = { { bytes, 500 }, { bytes + 500, 500 } };

	return writev(scene->fd, iov, 2);
}

static long call_sendmmsg(void *arg)
{
	static char bytes[1000];
	const struct scene *scene = arg;
	struct iovec iov = { bytes, sizeof(bytes) };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };

	return sendmmsg(scene->fd, &msg, 1, MSG_NOSIGNAL);
}

static long call_sendfile(void *arg)
{
	const struct scene *scene = arg;

	return sendfile(scene->fd, scene->file, NULL, 1000);
}

static long call_accept(void *arg)
{
	const struct scene *scene = arg;

	return accept(scene->fd, NULL, NULL);
}

static long call_poll(void *arg)
{
	const struct scene *scene = arg;
	struct pollfd pfd = { .fd = scene->fd, .events = POLLIN };

	return poll(&pfd, 1, scene->timeout_ms);
}

static long call_poll_out(void *arg)
{
	const struct scene *scene = arg;
	struct pollfd pfd = { .fd = scene->fd, .events = POLLOUT };

	return poll(&pfd, 1, scene->timeout_ms);
}

static long call_select(void *arg)
{
	const struct scene *scene = arg;
	struct timeval tv = { scene->timeout_ms / 1000,
			      scene->timeout_ms % 1000 * 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(scene->fd, &set);
	return select(scene->fd + 1, &set, NULL, NULL, &tv);
}

static long call_epoll(void *arg)
{
	const struct scene *scene = arg;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0), error;
	long n;

	if (epoll_ctl(ep, EPOLL_CTL_ADD, scene->fd, &ev))
		return -1;
	n = epoll_wait(ep, &ev, 1, scene->timeout_ms);
	error = errno;
	close(ep);
	errno = error;
	return n;
}

/* Errno is negative here, what a call returns is not. */
static const struct call calls[] = {
	{ "recv", call_recv, .result = { -EINTR, -EAGAIN, 0, 0 } },
	{ "recv of all", call_recv_all, .result = { -EINTR, -EAGAIN, 0, 0 } },
	/* The end is a message without bytes, as often as it is asked for. */
	{ "recvmmsg", call_recvmmsg, .result = { -EINTR, -EAGAIN, 2, 2 } },
	{ "readv", call_readv, .result = { -EINTR, -EAGAIN, 0, 0 } },
	{ "splice", call_splice, .result = { -EINTR, -EAGAIN, 0, 0 } },
	{ "send", call_send, .full = true,
	  .result = { -EINTR, -EAGAIN, -ECONNRESET, -EPIPE } },
	{ "writev", call_writev, .full = true,
	  .result = { -EINTR, -EAGAIN, -ECONNRESET, -EPIPE } },
	{ "sendmmsg", call_sendmmsg, .full = true,
	  .result = { -EINTR, -EAGAIN, -ECONNRESET, -EPIPE } },
	{ "sendfile", call_sendfile, .full = true,
	  .result = { -EINTR, -EAGAIN, -ECONNRESET, -EPIPE } },
	{ "poll for room", call_poll_out, .full = true,
	  .result = { -EINTR, 0, 1, 1 } },
	{ "poll", call_poll, .result = { -EINTR, 0, 1, 1 } },
	{ "select", call_select, .result = { -EINTR, 0, 1, 1 } },
	{ "epoll_wait", call_epoll, .result = { -EINTR, 0, 1, 1 } },
	{ "accept", call_accept, .listener = true,
	  .result = { -EINTR, -EAGAIN, 0, -EINVAL } },
	{ "poll of a listener", call_poll, .listener = true,
	  .result = { -EINTR, 0, 0, 1 } },
};

/* Fill a socket until nothing more is taken. Return: bytes, or -1. */
static long fill_to_the_brim(int fd)
{
	long total = 0, n;

	/* Room for a write may be there before poll calls it room. */
	while ((n = fill_up_for_good(fd, 1000)) > 0)
		total += n;
	return n < 0 ? n : total;
}

static void ignore(int sig)
{
	(void)sig;
}

/* Signals end sleeps: no SA_RESTART. */
static void take_signals(void)
{
	struct sigaction action = { .sa_handler = ignore };

	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void set_timeouts(int fd, long ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static void end_sleep(struct conn *conn, int fd, struct task *task,
		      enum end_of_sleep end)
{
	if (end == SIGNAL)
		syscall(SYS_tgkill, getpid(), task->tid, SIGUSR1);
	else if (end == OWN_SHUTDOWN)
		shutdown(fd, SHUT_RDWR);
	else if (end == PEER_CLOSE)
		CLOSE(conn->far);
}

/* Return: what the call did; 1000 when it did not sleep, 1001 for ever. */
static int sleep_once(const struct call *call, enum end_of_sleep end, int type)
{
	struct scene scene = { .timeout_ms = DEADLINE_MS };
	struct conn conn;
	struct task task;
	int result = 1000;

	if (conn_open(&conn, type, false))
		return 1002;
	scene.fd = call->listener ? conn.listener : conn.near;
	/* In memory: a file system may sleep, too. */
	scene.file = memfd_create("file", 0);
	if (scene.file < 0 || ftruncate(scene.file, 1000))
		return 1004;
	if (call->full && fill_to_the_brim(conn.near) < 0)
		return 1003;
	if (end == TIMEOUT) {
		scene.timeout_ms = SLEEP_MS;
		set_timeouts(scene.fd, SLEEP_MS);
	}
	task_start(&task, call->fn, &scene);
	/* A short sleep may be over before it is seen. */
	if (end == TIMEOUT || task_wait_asleep(&task)) {
		end_sleep(&conn, scene.fd, &task, end);
		result = 1001;
	}
	if (task_join(&task) && result == 1001)
		result = task.result < 0 ? -task.error : (int)task.result;
	close(scene.file);
	conn_close(&conn);
	return result;
}

FIXTURE(wakeups)
{
	struct conn conn;
};

FIXTURE_VARIANT(wakeups)
{
	int type;
};

FIXTURE_VARIANT_ADD(wakeups, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(wakeups, seqpacket) { .type = SOCK_SEQPACKET };

FIXTURE_SETUP(wakeups)
{
	ROAD_OR_SKIP();
	take_signals();
	ASSERT_EQ(0, conn_open(&self->conn, variant->type, false));
}

FIXTURE_TEARDOWN(wakeups)
{
	conn_close(&self->conn);
}

TEST_F_TIMEOUT(wakeups, every_call_at_every_end, 300)
{
	const struct call *call;
	enum end_of_sleep end;

	for (call = calls; call < calls + ARRAY_SIZE(calls); call++) {
		for (end = 0; end < ENDS; end++) {
			if (call->listener && end == PEER_CLOSE)
				continue;
			EXPECT_EQ(call->result[end],
				  sleep_once(call, end, variant->type)) {
				TH_LOG("%s, ended by %s", call->name,
				       end_names[end]);
			}
		}
	}
}

/* --- connect, close and datagrams --- */

static long call_connect(void *arg)
{
	const struct waiting *waiting = arg;

	return connect_to(waiting->fd, waiting->to);
}

/* A listener whose backlog is full. Return: of whom it is full, or -1. */
static int fill_backlog(int type, int *lis, struct addr *addr)
{
	*lis = listener(END_B, type, 0, addr);
	return *lis < 0 ? -1 : connected(type, addr);
}

/* Return: what connect() did, as sleep_once() says it. */
static int connect_once(enum end_of_sleep end, int type, bool accepts)
{
	struct waiting waiting;
	struct addr addr;
	struct task task;
	int lis, first, result = 1000;

	first = fill_backlog(type, &lis, &addr);
	if (first < 0)
		return 1002;
	waiting = (struct waiting){ end_socket(END_A, type), &addr };
	if (end == TIMEOUT)
		set_timeouts(waiting.fd, SLEEP_MS);
	task_start(&task, call_connect, &waiting);
	if (end == TIMEOUT || task_wait_asleep(&task)) {
		if (end == SIGNAL)
			syscall(SYS_tgkill, getpid(), task.tid, SIGUSR1);
		else if (accepts)
			close(accepted(lis));
		else if (end == PEER_CLOSE)
			CLOSE(lis);
		result = 1001;
	}
	if (task_join(&task) && result == 1001)
		result = task.result < 0 ? -task.error : 0;
	close(waiting.fd);
	close(first);
	close(lis);
	return result;
}

/* What its own shutdown does to it is test_listen's. */
TEST_F_TIMEOUT(wakeups, connect_at_every_end, 120)
{
	int full = expected(variant->type == SOCK_STREAM ?
			    EX_STREAM_CONNECT_FULL : EX_SEQPACKET_CONNECT_FULL);

	EXPECT_EQ(-EINTR, connect_once(SIGNAL, variant->type, false));
	EXPECT_EQ(-full, connect_once(TIMEOUT, variant->type, false));
	EXPECT_EQ(-ECONNREFUSED, connect_once(PEER_CLOSE, variant->type, false));
	EXPECT_EQ(0, connect_once(PEER_CLOSE, variant->type, true));
}

static long call_close(void *arg)
{
	const struct scene *scene = arg;

	return close(scene->fd);
}

/* Return: what close() did that waits for the peer to take all. */
static int linger_once(enum end_of_sleep end, int type)
{
	struct linger linger = { 1, end == TIMEOUT ? 1 : 2 * DEADLINE_MS / 1000 };
	struct scene scene;
	struct conn conn;
	struct task task;
	int result = 1000;

	if (conn_open(&conn, type, false) || fill_to_the_brim(conn.near) < 0)
		return 1002;
	if (setsockopt(conn.near, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		return 1003;
	scene.fd = conn.near;
	task_start(&task, call_close, &scene);
	if (task_wait_asleep(&task)) {
		if (end == SIGNAL)
			syscall(SYS_tgkill, getpid(), task.tid, SIGUSR1);
		else if (end == PEER_CLOSE)
			CLOSE(conn.far);
		result = 1001;
	}
	if (task_join(&task) && result == 1001)
		result = task.result < 0 ? -task.error : 0;
	conn.near = -1;
	conn_close(&conn);
	return result;
}

/* On one node all is the peer's at once, and close() does not wait. */
TEST_F_TIMEOUT(wakeups, lingering_close_at_every_end, 120)
{
	enum end_of_sleep end;

	ONLY_IF(road()->wire);
	for (end = SIGNAL; end <= PEER_CLOSE; end++) {
		EXPECT_EQ(0, linger_once(end, variant->type)) {
			TH_LOG("ended by %s", end_names[end]);
		}
	}
}

/* Of a connected socket of datagrams; a peer that closes is not heard of. */
static int dgram_once(const struct call *call, enum end_of_sleep end)
{
	struct scene scene = { .timeout_ms = end == TIMEOUT ? SLEEP_MS : DEADLINE_MS };
	struct addr addr;
	struct task task;
	int far = bound_socket(END_B, SOCK_DGRAM, &addr), result = 1000;

	scene.fd = connected(SOCK_DGRAM, &addr);
	if (scene.fd < 0)
		return 1002;
	if (end == TIMEOUT)
		set_timeouts(scene.fd, SLEEP_MS);
	task_start(&task, call->fn, &scene);
	if (end == TIMEOUT || task_wait_asleep(&task)) {
		end_sleep(NULL, scene.fd, &task, end);
		result = 1001;
	}
	if (task_join(&task) && result == 1001)
		result = task.result < 0 ? -task.error : (int)task.result;
	close(scene.fd);
	close(far);
	return result;
}

TEST(datagrams_at_every_end)
{
	static const enum end_of_sleep ends[] = { SIGNAL, TIMEOUT, OWN_SHUTDOWN };
	const struct call *call;
	size_t i;

	ROAD_OR_SKIP();
	take_signals();
	for (call = calls; call < calls + ARRAY_SIZE(calls); call++) {
		if (call->full || call->listener || call->fn == call_splice)
			continue;
		for (i = 0; i < ARRAY_SIZE(ends); i++) {
			EXPECT_EQ(call->result[ends[i]], dgram_once(call, ends[i])) {
				TH_LOG("%s, ended by %s", call->name,
				       end_names[ends[i]]);
			}
		}
	}
}

/* --- the end of the peer's namespace --- */

/**
 * struct foreign - a process in a namespace that ends with it
 * @pid: its process
 * @to: it tells its address here, and reads that it may begin
 */
struct foreign {
	pid_t pid;
	int to;
	struct addr addr;
};

/* In a namespace of its own: listen, and read nothing, until the end. */
static void live_abroad(int to, int type)
{
	struct in6_addr node;
	struct addr addr;
	char c;
	int lis;

	if (read(to, &c, 1) != 1 || system("ip link set lo up && ip link set far up"))
		_exit(1);
	memset(&addr, 0, sizeof(addr));
	lis = socket(weft_family(), type, 0);
	set_addr(&addr, &in6addr_any, 0);
	if (bind_to(lis, &addr) || listen(lis, 64) || own_addr(lis, &addr) ||
	    own_node(&node))
		_exit(1);
	addr.in6.sin6_addr = node;
	if (write(to, &addr, sizeof(addr)) != sizeof(addr))
		_exit(1);
	for (;;)
		accept(lis, NULL, NULL);
}

static int begin_foreign(struct foreign *foreign, int type)
{
	char command[128];
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return -1;
	foreign->to = fds[0];
	foreign->pid = fork();
	if (!foreign->pid) {
		close(fds[0]);
		if (unshare(CLONE_NEWNET) || write(fds[1], "x", 1) != 1)
			_exit(1);
		live_abroad(fds[1], type);
	}
	close(fds[1]);
	snprintf(command, sizeof(command),
		 "ip link add near type veth peer name far netns %d && ip link set near up",
		 foreign->pid);
	if (read(fds[0], command + sizeof(command) - 1, 1) != 1 ||
	    (command[sizeof(command) - 1] = 0, system(command)) ||
	    write(fds[0], "x", 1) != 1)
		return -1;
	return read(fds[0], &foreign->addr, sizeof(foreign->addr)) ==
	       sizeof(foreign->addr) ? 0 : -1;
}

struct sleeper {
	struct scene scene;
	struct task task;
};

/* Return: whether the call sleeps. */
static bool begin_sleeper(struct sleeper *s, const struct call *call,
			  const struct foreign *foreign, int type)
{
	s->scene.timeout_ms = 2 * DEADLINE_MS;
	s->scene.fd = connected(type, &foreign->addr);
	s->scene.file = memfd_create("file", 0);
	if (s->scene.fd < 0 || ftruncate(s->scene.file, 1000) ||
	    (call->full && fill_to_the_brim(s->scene.fd) < 0))
		return false;
	task_start(&s->task, call->fn, &s->scene);
	return task_wait_asleep(&s->task);
}

/*
 * Nobody closes these sockets one by one: their process and its namespace go at
 * once. Whoever sleeps in a call at the other end is told of an end, or of a
 * reset that came right behind it.
 */
TEST_F_TIMEOUT(wakeups, every_call_when_the_peers_namespace_goes, 300)
{
	struct sleeper sleepers[ARRAY_SIZE(calls)] = { 0 };
	struct foreign foreign;
	int result, want;
	size_t i;

	ONLY_IF(road()->wire);
	ASSERT_EQ(0, begin_foreign(&foreign, variant->type));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].listener)
			continue;
		ASSERT_TRUE(begin_sleeper(&sleepers[i], &calls[i], &foreign,
					  variant->type)) {
			TH_LOG("%s", calls[i].name);
		}
	}
	ASSERT_EQ(0, kill(foreign.pid, SIGKILL));
	ASSERT_EQ(foreign.pid, waitpid(foreign.pid, NULL, 0));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].listener)
			continue;
		ASSERT_TRUE(task_join(&sleepers[i].task)) {
			TH_LOG("%s sleeps on", calls[i].name);
		}
		result = sleepers[i].task.result < 0 ?
			 -sleepers[i].task.error : (int)sleepers[i].task.result;
		want = calls[i].result[PEER_CLOSE];
		EXPECT_TRUE(result == want || result == -ECONNRESET) {
			TH_LOG("%s: %d", calls[i].name, result);
		}
		close(sleepers[i].scene.fd);
		close(sleepers[i].scene.file);
	}
	close(foreign.to);
}

/* --- edges --- */

/**
 * struct player - one end of a game that only edges keep going
 * @fd: its socket
 * @begins: it has the ball at first
 * @rounds: to play, 0 when time decides
 * @end: of the time
 * @played: rounds so far
 */
struct player {
	int fd;
	bool begins;
	long rounds;
	long long end;
	long played;
};

static bool is_over(const struct player *p)
{
	return p->rounds ? p->played >= p->rounds : now_ms() > p->end;
}

static int watch_edges(int fd, unsigned int events)
{
	struct epoll_event ev = { .events = events | EPOLLET };
	int ep = epoll_create1(0);

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) ? -1 : ep;
}

static bool await_edge(int ep)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, DEADLINE_MS) == 1;
}

static bool catch_ball(int fd, int ep)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) != 1)
		if (!await_edge(ep))
			return false;
	return true;
}

/* Return: 0, or -1 when no edge came. */
static long play(void *arg)
{
	struct player *p = arg;
	int ep = watch_edges(p->fd, EPOLLIN);
	long ret = -1;

	if (p->begins && send(p->fd, "x", 1, MSG_NOSIGNAL) != 1)
		goto out;
	while (catch_ball(p->fd, ep)) {
		p->played++;
		ret = is_over(p) ? 0 : -1;
		/* Whoever ends the game gives the ball back, too. */
		if (send(p->fd, "x", 1, MSG_NOSIGNAL) != 1 || !ret)
			break;
	}
	if (ret && recv(p->fd, &(char){ 0 }, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
		ret = 0;
out:
	shutdown(p->fd, SHUT_WR);
	close(ep);
	return ret;
}

static long rounds_wanted(void)
{
	const char *text = getenv("WEFT_PINGPONG");

	return text ? atol(text) : 0;
}

TEST_F_TIMEOUT(wakeups, ping_pong_by_edges, TEST_TIMEOUT_RUNNER)
{
	struct player a = { .fd = self->conn.near, .begins = true,
			    .rounds = rounds_wanted(),
			    .end = now_ms() + EDGES_MS };
	struct player b = { .fd = self->conn.far, .rounds = LONG_MAX };
	struct task task;

	ASSERT_EQ(0, task_start(&task, play, &b));
	EXPECT_EQ(0, play(&a));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(0, task.result);
	EXPECT_LE(a.played, b.played);
	TH_LOG("%ld rounds", a.played);
}

/* Fill the socket, sleep until there is room, and again. */
static long pour(void *arg)
{
	static const char bytes[3000];
	struct player *p = arg;
	int ep = watch_edges(p->fd, EPOLLOUT);
	long ret = 0;
	ssize_t n;

	while (!ret && !is_over(p)) {
		n = send(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			p->played++;
		else if (!await_edge(ep))
			ret = -1;
	}
	shutdown(p->fd, SHUT_WR);
	close(ep);
	return ret;
}

/* Drain the socket, sleep until there is more, and again, to the end. */
static long swallow(void *arg)
{
	struct player *p = arg;
	int ep = watch_edges(p->fd, EPOLLIN | EPOLLRDHUP);
	char bytes[8192];
	ssize_t n;

	for (;;) {
		n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == 0)
			break;
		if (n < 0 && !await_edge(ep))
			break;
	}
	close(ep);
	return n;
}

TEST_F_TIMEOUT(wakeups, room_by_edges, TEST_TIMEOUT_RUNNER)
{
	struct player a = { .fd = self->conn.near, .rounds = rounds_wanted(),
			    .end = now_ms() + EDGES_MS };
	struct player b = { .fd = self->conn.far };
	struct task task;

	ASSERT_EQ(0, task_start(&task, swallow, &b));
	EXPECT_EQ(0, pour(&a));
	ASSERT_TRUE(task_join(&task));
	EXPECT_EQ(0, task.result);
	TH_LOG("%ld writes", a.played);
}

/* --- several sleepers --- */

TEST_F(wakeups, every_reader_gets_its_byte)
{
	struct scene scene = { .fd = self->conn.near };
	struct task tasks[3];
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, task_start(&tasks[i], call_recv, &scene));
		ASSERT_TRUE(task_wait_asleep(&tasks[i]));
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, SEND(self->conn.far, "x"));
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(task_join(&tasks[i]));
		EXPECT_EQ(1, tasks[i].result);
	}
}

TEST_F(wakeups, every_accept_gets_its_client)
{
	struct scene scene = { .fd = self->conn.listener };
	struct task tasks[2];
	int clients[2], i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, task_start(&tasks[i], call_accept, &scene));
		ASSERT_TRUE(task_wait_asleep(&tasks[i]));
	}
	for (i = 0; i < 2; i++)
		ASSERT_LE(0, clients[i] = connected(variant->type,
						    &self->conn.addr));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(task_join(&tasks[i]));
		EXPECT_LE(0, tasks[i].result);
		close(tasks[i].result);
		close(clients[i]);
	}
}

/* A reader takes what woke both; whoever polls sleeps on to the end. */
TEST_F(wakeups, poll_beside_a_reader)
{
	struct scene scene = { .fd = self->conn.near,
			       .timeout_ms = DEADLINE_MS };
	struct task reader, poller;

	ASSERT_EQ(0, task_start(&reader, call_recv, &scene));
	ASSERT_TRUE(task_wait_asleep(&reader));
	ASSERT_EQ(0, task_start(&poller, call_poll, &scene));
	ASSERT_TRUE(task_wait_asleep(&poller));
	ASSERT_EQ(1, SEND(self->conn.far, "x"));
	ASSERT_TRUE(task_join(&reader));
	EXPECT_EQ(1, reader.result);
	CLOSE(self->conn.far);
	ASSERT_TRUE(task_join(&poller));
	EXPECT_EQ(1, poller.result);
}

/* --- SIGIO --- */

static int tell_me(int fd)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	return sigprocmask(SIG_BLOCK, &set, NULL) ?:
	       fcntl(fd, F_SETSIG, SIGIO) ?:
	       fcntl(fd, F_SETOWN, getpid()) ?:
	       fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC | O_NONBLOCK);
}

/* Wait for a SIGIO that has this band. */
static bool was_told(int fd, long band)
{
	struct timespec deadline = { .tv_sec = DEADLINE_MS / 1000 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	while (sigtimedwait(&set, &info, &deadline) == SIGIO)
		if (info.si_fd == fd && info.si_band & band)
			return true;
	return false;
}

TEST_F(wakeups, SIGIO_tells_of_room)
{
	long sent = fill_to_the_brim(self->conn.near);

	ASSERT_LT(0, sent);
	ASSERT_EQ(0, tell_me(self->conn.near));
	ASSERT_EQ(EAGAIN, ERR(call_send(&(struct scene){ self->conn.near })));
	ASSERT_EQ(sent, drain(self->conn.far, sent));
	EXPECT_TRUE(was_told(self->conn.near, POLLOUT));
}

TEST_F(wakeups, SIGIO_tells_of_the_end)
{
	ASSERT_EQ(0, tell_me(self->conn.near));
	CLOSE(self->conn.far);
	EXPECT_TRUE(was_told(self->conn.near, POLLIN | POLLHUP));
}

TEST_F(wakeups, SIGIO_tells_of_the_end_of_one_way)
{
	ASSERT_EQ(0, tell_me(self->conn.near));
	ASSERT_EQ(0, shutdown(self->conn.far, SHUT_WR));
	EXPECT_TRUE(was_told(self->conn.near, POLLIN));
}

TEST_F(wakeups, SIGIO_tells_of_a_client)
{
	int client;

	ASSERT_EQ(0, tell_me(self->conn.listener));
	client = connected(variant->type, &self->conn.addr);
	ASSERT_LE(0, client);
	EXPECT_TRUE(was_told(self->conn.listener, POLLIN));
	close(client);
}

TEST_HARNESS_MAIN
