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
	{ "readv", call_readv, .result = { -EINTR, -EAGAIN, 0, 0 } },
	{ "splice", call_splice, .result = { -EINTR, -EAGAIN, 0, 0 } },
	{ "send", call_send, .full = true,
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

	for (call = calls; call < calls + sizeof(calls) / sizeof(*calls); call++) {
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

TEST_F_TIMEOUT(wakeups, ping_pong_by_edges, 900)
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

TEST_F_TIMEOUT(wakeups, room_by_edges, 900)
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
