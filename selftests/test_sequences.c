// SPDX-License-Identifier: GPL-2.0
/*
 * Conformance by exhaustion: every sequence of eleven calls and events, up to a
 * length, on sockets of weft and on those that they answer like. What each step
 * returns, its errno, the bytes and what poll says after it are compared, and
 * at the end what the peer learns of the socket's close. A difference that the
 * table of rules does not allow is a failure, and so is a rule that nothing
 * needs. Shorter sequences are the beginnings of those that are run.
 *
 * The oracle's answers are recorded in the same run: no expectation is written
 * down here. WEFT_SEQ_LENGTH is the length, 4 without.
 *
 * weft-roads: veth
 * weft-timeout: 900
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "sequences.h"

#define LENGTH		4
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

enum step { BIND, CONNECT, LISTEN, ACCEPT, SHUTDOWN, SEND, RECV, SETOPT, POLL,
	    PEER_CLOSE, PEER_RESET, STEPS, END = STEPS };

static const char *const step_names[] = {
	"bind", "connect", "listen", "accept", "shutdown", "send", "recv",
	"setsockopt", "poll", "peer-close", "peer-reset", "close",
};

static const char step_letters[] = "bclahsropCxe";

/**
 * struct seen - what a step showed
 * @ret: returned
 * @error: errno, 0 when it succeeded
 * @poll: of the socket, afterwards
 * @poll_listener: of the listener, once the socket is its child
 * @bytes: hash of bytes received
 */
struct seen {
	short ret;
	short error;
	unsigned short poll;
	unsigned short poll_listener;
	unsigned int bytes;
};

/**
 * struct world - where sequences run
 * @type: of the sockets
 * @length: of the sequences
 * @first_how: what the first shutdown() shuts; the next ones cycle
 * @server: listens at end B for all sequences
 * @addr: of @server
 * @fence: none where nothing is ever under way
 */
struct world {
	int type;
	int length;
	int first_how;
	int server;
	struct addr addr;
	struct fence fence;
};

/**
 * struct run - one sequence's sockets
 * @sock: that the steps are about: the first one, or the child it accepted
 * @listener: the first one, once @sock is its child; else -1
 * @peer: the other end of the connection, -1 without
 * @unread: bytes that it has sent back and not read
 * @calls: how often each step came
 */
struct run {
	const struct world *world;
	int sock;
	int listener;
	int peer;
	int unread;
	int calls[STEPS];
};

static unsigned int hash_bytes(const char *bytes, ssize_t n)
{
	unsigned int hash = 2166136261u;

	while (n-- > 0)
		hash = (hash ^ (unsigned char)*bytes++) * 16777619u;
	return hash;
}

static void settle(const struct run *run)
{
	if (run->world->fence.fd[0] >= 0 &&
	    (run->calls[CONNECT] || run->calls[LISTEN]))
		fence_pass(&run->world->fence);
}

static int nonblocking(int type)
{
	return type | SOCK_NONBLOCK;
}

/*
 * The peer sends back what came, as far as it still can, and reads it later:
 * AF_UNIX knows no other reset than a close with something unread.
 */
static void peer_echo(struct run *run)
{
	char text[64];
	ssize_t n;

	if (run->unread)
		recv(run->peer, text, run->unread, 0);
	n = recv(run->peer, text, sizeof(text), MSG_PEEK);
	if (n > 0)
		send(run->peer, text, n, MSG_NOSIGNAL);
	run->unread = n > 0 ? n : 0;
}

static void peer_read(struct run *run)
{
	char text[64];

	while (recv(run->peer, text, sizeof(text), 0) > 0)
		;
}

static void peer_greet(struct run *run)
{
	send(run->peer, "hello", 5, MSG_NOSIGNAL);
}

/* Whoever is connected to the server by now gets its peer. */
static void take_peer(struct run *run)
{
	int peer = accept4(run->world->server, NULL, NULL, SOCK_NONBLOCK);

	if (peer < 0)
		return;
	close(run->peer);
	run->peer = peer;
	run->unread = 0;
	peer_greet(run);
}

/* A listener gets one client, which greets it before it is accepted. */
static void send_client(struct run *run)
{
	int type = run->world->type;
	struct addr addr;

	if (run->peer >= 0 || own_addr(run->sock, &addr))
		return;
	if (!is_unix(type))
		end_addr(&addr, END_A, type, addr_port(&addr));
	run->peer = end_socket(END_B, nonblocking(type));
	connect_to(run->peer, &addr);
	settle(run);
	peer_greet(run);
}

static int reset_on_close(int fd)
{
	struct linger linger = { .l_onoff = 1 };

	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* A stream's reset needs nothing unread. */
static void peer_gone(struct run *run, bool reset)
{
	if (run->peer < 0)
		return;
	if (!reset)
		peer_read(run);
	else if (run->world->type == SOCK_STREAM)
		reset_on_close(run->peer);
	close(run->peer);
	run->peer = -1;
}

static int do_bind(struct run *run)
{
	int type = run->world->type;
	struct addr addr;

	/* AF_UNIX takes a second bind that names nothing for granted. */
	any_addr(&addr, type, is_unix(type) ? 1 : 0);
	return bind_to(run->sock, &addr);
}

static int do_accept(struct run *run)
{
	int child = accept4(run->sock, NULL, NULL, SOCK_NONBLOCK);

	if (child < 0)
		return -1;
	run->listener = run->sock;
	run->sock = child;
	return 0;
}

/* Options in turn, and then SO_ERROR, which takes an error away. */
static int do_setopt(struct run *run)
{
	int err;

	switch (run->calls[SETOPT] % 3) {
	case 0:
		err = set_int(run->sock, SO_RCVLOWAT, 7);
		break;
	case 1:
		err = reset_on_close(run->sock);
		break;
	default:
		err = set_int(run->sock, SO_REUSEADDR, 1);
	}
	return err ?: get_int(run->sock, SO_ERROR);
}

static int do_send(struct run *run)
{
	char text[8];
	int len = snprintf(text, sizeof(text), "send%d", run->calls[SEND]);

	return send(run->sock, text, len, MSG_NOSIGNAL);
}

static int do_recv(struct run *run, struct seen *seen)
{
	char text[64];
	ssize_t n = recv(run->sock, text, sizeof(text), 0);

	seen->bytes = hash_bytes(text, n);
	return n;
}

static int how_of(const struct run *run)
{
	return (run->world->first_how + run->calls[SHUTDOWN]) % 3;
}

static int do_step(struct run *run, enum step step, struct seen *seen)
{
	switch (step) {
	case BIND:
		return do_bind(run);
	case CONNECT:
		return connect_to(run->sock, &run->world->addr);
	case LISTEN:
		return listen(run->sock, 8);
	case ACCEPT:
		return do_accept(run);
	case SHUTDOWN:
		return shutdown(run->sock, how_of(run));
	case SEND:
		return do_send(run);
	case RECV:
		return do_recv(run, seen);
	case SETOPT:
		return do_setopt(run);
	case PEER_CLOSE:
	case PEER_RESET:
		peer_gone(run, step == PEER_RESET);
		return 0;
	default:
		return 0;
	}
}

static unsigned short poll_all(int fd)
{
	if (fd < 0)
		return 0;
	return events_now(fd, POLLIN | POLLPRI | POLLOUT | POLLRDNORM |
			      POLLWRNORM | POLLWRBAND | POLLRDBAND | POLLRDHUP);
}

/* What the step set in motion at the peer. */
static void let_peer_act(struct run *run, enum step step, int ret)
{
	if (step == CONNECT) {
		take_peer(run);
		settle(run);
	} else if (step == LISTEN && !ret) {
		send_client(run);
		settle(run);
	} else if (step == SEND && ret > 0 && run->peer >= 0) {
		peer_echo(run);
		settle(run);
	}
}

/* Steps whose packets change what a later poll says. */
static const bool sends[STEPS] = {
	[CONNECT] = true, [SHUTDOWN] = true, [SEND] = true,
	[PEER_CLOSE] = true, [PEER_RESET] = true,
};

static void take_step(struct run *run, enum step step, struct seen *seen)
{
	int ret;

	errno = 0;
	ret = do_step(run, step, seen);
	seen->ret = ret;
	seen->error = ret < 0 ? errno : 0;
	run->calls[step]++;
	if (sends[step])
		settle(run);
	let_peer_act(run, step, ret);
	seen->poll = poll_all(run->sock);
	seen->poll_listener = poll_all(run->listener);
}

/* The socket is closed: what does the peer learn of it? */
static void end_run(struct run *run, struct seen *seen)
{
	char text[64];
	ssize_t n;

	/* Without a peer to tell, nothing shall linger. */
	if (run->peer < 0)
		reset_on_close(run->sock);
	close(run->sock);
	close(run->listener);
	settle(run);
	if (run->peer < 0)
		return;
	seen->poll = poll_all(run->peer);
	n = recv(run->peer, text, sizeof(text), 0);
	seen->ret = n;
	seen->error = n < 0 ? errno : 0;
	seen->bytes = hash_bytes(text, n);
	seen->poll_listener = poll_all(run->peer);
	peer_gone(run, true);
	settle(run);
}

static void run_sequence(const struct world *world, const int *steps,
			 struct seen *seen)
{
	struct run run = { .world = world, .listener = -1, .peer = -1 };
	int i;

	memset(seen, 0, (world->length + 1) * sizeof(*seen));
	run.sock = end_socket(END_A, nonblocking(world->type));
	for (i = 0; i < world->length; i++)
		take_step(&run, steps[i], &seen[i]);
	end_run(&run, &seen[i]);
}

/* --- all sequences --- */

static int world_open(struct world *world)
{
	world->server = listener(END_B, nonblocking(world->type), 4096,
				 &world->addr);
	world->fence = (struct fence){ { -1, -1 } };
	if (world->server < 0)
		return -1;
	if (road()->wire || (road()->oracle && world->type == SOCK_STREAM))
		return fence_open(&world->fence);
	return 0;
}

static void world_close(struct world *world)
{
	close(world->server);
	fence_close(&world->fence);
}

static struct seen *run_all(struct world *world, const char *name)
{
	int n = sequences_of(STEPS, world->length), i;
	long long start = now_ms();
	int steps[LENGTH_MAX];
	struct seen *seen;

	seen = malloc((size_t)n * (world->length + 1) * sizeof(*seen));
	if (!seen || world_open(world))
		return NULL;
	for (i = 0; i < n; i++) {
		nth_sequence(i, STEPS, world->length, steps);
		run_sequence(world, steps, seen + i * (world->length + 1));
	}
	world_close(world);
	fprintf(stderr, "# %s: %d sequences of %d steps in %lld ms\n", name, n,
		world->length, now_ms() - start);
	return seen;
}

/* --- where weft means to differ --- */

#define ANY	-1
#define ANY_TWO	-2
#define OK	0
#define POLL_ALL 0xffff

enum road_bit { LOCAL = 1, WIRE = 2, BOTH = 3 };

/**
 * struct rule - differences that are meant
 * @why: the reason
 * @used: how often it was needed
 * @type: of the sockets, ANY
 * @roads: on which
 * @step: at which step, ANY
 * @after: steps that came, in this order, this one included; NULL for any
 * @weft: errno of weft, OK, ANY for equal ones, ANY_TWO for any two
 * @oracle: errno of the oracle, OK, ANY
 * @poll: bits that may differ
 * @parts: from here on there is nothing to compare
 * @least: no shorter sequence needs it; 0 for LENGTH
 */
struct rule {
	const char *why;
	int used;
	int type;
	enum road_bit roads;
	int step;
	const char *after;
	int weft;
	int oracle;
	unsigned int poll;
	bool parts;
	int least;
};

static struct rule rules[] = {
	{ "a connection on one node is made at once",
	  .type = SOCK_STREAM, .roads = LOCAL, .step = CONNECT,
	  .weft = OK, .oracle = EINPROGRESS },
	{ "and TCP's when the second call says so",
	  .type = SOCK_STREAM, .roads = LOCAL, .step = CONNECT, .after = "cc",
	  .weft = EISCONN, .oracle = OK },
	{ "so that TCP's may fail where ours was made",
	  .type = SOCK_STREAM, .roads = LOCAL, .step = CONNECT, .after = "cxc",
	  .weft = EISCONN, .oracle = ANY, .poll = POLL_ALL, .parts = true },
	{ "or, by a write to a peer that had closed, have ended",
	  .type = SOCK_STREAM, .roads = LOCAL, .step = CONNECT, .after = "cCsc",
	  .weft = EISCONN, .oracle = ANY, .poll = POLL_ALL, .parts = true },
	{ "a port that TCP chose it gives back before the socket is closed",
	  .type = SOCK_STREAM, .roads = BOTH, .step = BIND,
	  .weft = EINVAL, .oracle = OK },
	{ "listen() begins anew; the models' shutdowns from before it count",
	  .type = ANY, .roads = BOTH, .step = ANY, .after = "hl",
	  .weft = ANY_TWO, .poll = POLL_ALL, .parts = true },
	{ "AF_UNIX has no ports to take from",
	  .type = SOCK_SEQPACKET, .roads = BOTH, .step = LISTEN,
	  .weft = OK, .oracle = EINVAL, .poll = POLL_ALL, .parts = true },
	{ "AF_UNIX clients have no name; ours are named by connect()",
	  .type = SOCK_SEQPACKET, .roads = BOTH, .step = BIND, .after = "cb",
	  .weft = EINVAL, .oracle = OK },
	{ "and may take one when that has broken",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = BIND, .after = "cbxb",
	  .weft = OK, .oracle = EINVAL, .poll = POLL_ALL, .parts = true,
	  .least = 5 },
	{ "a listener that is shut listens no more, as TCP's",
	  .type = SOCK_SEQPACKET, .roads = BOTH, .step = SHUTDOWN, .after = "lh",
	  .weft = OK, .oracle = OK, .poll = POLL_ALL, .parts = true },
	{ "AF_UNIX does not know SO_LINGER",
	  .type = SOCK_SEQPACKET, .roads = BOTH, .step = END, .after = "oo",
	  .weft = ECONNRESET, .oracle = OK, .poll = POLL_ALL },
	{ "over a wire a connection takes a round trip",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = CONNECT,
	  .weft = EINPROGRESS, .oracle = OK },
	{ "and is made when the second call says so",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = CONNECT, .after = "cc",
	  .weft = OK, .oracle = EISCONN },
	{ "or failed",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = CONNECT, .after = "cxc",
	  .weft = ECONNRESET, .oracle = EISCONN, .poll = POLL_ALL, .parts = true },
	{ "which a send or a recv may have been told before",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = CONNECT, .after = "cxc",
	  .weft = ECONNABORTED, .oracle = EISCONN, .poll = POLL_ALL,
	  .parts = true, .least = 5 },
	{ "a wire tells that the peer sends no more, not that it is gone",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = ANY, .after = "C",
	  .weft = ANY, .poll = POLLHUP },
	{ "nor, when all was read, that it closed to reset",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = ANY, .after = "x",
	  .weft = ANY, .poll = POLLHUP },
	{ "nor the peer that we closed",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = END,
	  .weft = ANY, .poll = POLLHUP },
	{ "so a write is lost first",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = SEND,
	  .weft = OK, .oracle = EPIPE, .poll = POLL_ALL, .parts = true },
	{ "a wire does not tell the peer that we shut reading",
	  .type = SOCK_SEQPACKET, .roads = WIRE, .step = ANY, .after = "h",
	  .weft = ANY_TWO, .poll = POLL_ALL, .parts = true },
};

/**
 * struct scene - where a difference is
 * @type: of the sockets
 * @steps: of the sequence
 * @at: the step
 */
struct scene {
	int type;
	const int *steps;
	int at;
};

/* Did steps with these letters come, in this order, up to this one? */
static bool came_before(const struct scene *scene, const char *letters)
{
	int i;

	for (i = 0; letters && *letters && i <= scene->at; i++)
		if (step_letters[scene->steps[i]] == *letters)
			letters++;
	return !letters || !*letters;
}

static bool applies(const struct rule *rule, const struct scene *scene)
{
	enum road_bit road_now = road()->wire ? WIRE : LOCAL;

	return (rule->type == ANY || rule->type == scene->type) &&
	       rule->roads & road_now &&
	       (rule->step == ANY || rule->step == (int)scene->steps[scene->at]) &&
	       came_before(scene, rule->after);
}

static bool same_result(const struct seen *a, const struct seen *b)
{
	return a->ret == b->ret && a->error == b->error && a->bytes == b->bytes;
}

static unsigned int poll_difference(const struct seen *a, const struct seen *b)
{
	return (a->poll ^ b->poll) | (a->poll_listener ^ b->poll_listener);
}

/* Does @rule allow this, where the poll bits @other may differ anyway? */
static bool allows(const struct rule *rule, const struct seen *weft,
		   const struct seen *oracle, unsigned int other)
{
	if (poll_difference(weft, oracle) & ~(rule->poll | other))
		return false;
	if (rule->weft == ANY_TWO)
		return true;
	if (rule->weft == ANY)
		return same_result(weft, oracle);
	return weft->error == rule->weft &&
	       (rule->oracle == ANY || oracle->error == rule->oracle);
}

/* Poll bits that may differ whatever the result. */
static unsigned int other_bits(const struct scene *scene)
{
	const struct rule *rule;
	unsigned int bits = 0;

	for (rule = rules; rule < rules + ARRAY_SIZE(rules); rule++)
		if (rule->weft == ANY && applies(rule, scene))
			bits |= rule->poll;
	return bits;
}

static bool is_allowed(const struct scene *scene, const struct seen *weft,
		       const struct seen *oracle, const struct rule **which)
{
	unsigned int other = other_bits(scene);
	struct rule *rule;

	for (rule = rules; rule < rules + ARRAY_SIZE(rules); rule++) {
		if (!applies(rule, scene) ||
		    !allows(rule, weft, oracle, other))
			continue;
		rule->used++;
		*which = rule;
		return true;
	}
	return false;
}

/* --- differences --- */

#define GROUPS_MAX	256

/* A kind of difference, and the first sequence that has it. */
struct group {
	enum step step;
	struct seen weft;
	struct seen oracle;
	int example[LENGTH_MAX];
	int at;
	int count;
};

static void print_seen(const char *who, const struct seen *seen)
{
	fprintf(stderr, " %s %d%s%s poll %#x/%#x bytes %08x", who, seen->ret,
		seen->error ? " " : "",
		seen->error ? strerrorname_np(seen->error) : "", seen->poll,
		seen->poll_listener, seen->bytes);
}

static void print_group(const struct group *group)
{
	int i;

	fprintf(stderr, "# %6d x", group->count);
	for (i = 0; i < group->at; i++)
		fprintf(stderr, " %s", step_names[group->example[i]]);
	fprintf(stderr, " [%s]", step_names[group->step]);
	print_seen(" weft", &group->weft);
	print_seen(", oracle", &group->oracle);
	fprintf(stderr, "\n");
}

static bool same(const struct seen *a, const struct seen *b)
{
	return !memcmp(a, b, sizeof(*a));
}

struct groups {
	struct group at[GROUPS_MAX];
	int n;
};

static void add_group(struct groups *groups, const int *steps, int at,
		      enum step step, const struct seen *weft,
		      const struct seen *oracle)
{
	struct group *g;

	for (g = groups->at; g < groups->at + groups->n; g++) {
		if (g->step != step || !same(&g->weft, weft) ||
		    !same(&g->oracle, oracle))
			continue;
		g->count++;
		if (at < g->at) {
			g->at = at;
			memcpy(g->example, steps, at * sizeof(*steps));
		}
		return;
	}
	if (groups->n == GROUPS_MAX)
		return;
	groups->n++;
	*g = (struct group){ .step = step, .weft = *weft, .oracle = *oracle,
			     .at = at, .count = 1 };
	memcpy(g->example, steps, at * sizeof(*steps));
}

/* Where the sequences' answers part for no reason, -1 when nowhere. */
static int find_difference(const struct world *world, const int *steps,
			   const struct seen *weft, const struct seen *oracle)
{
	struct scene scene = { .type = world->type, .steps = steps };

	for (; scene.at <= world->length; scene.at++) {
		const struct rule *rule = NULL;

		if (same(&weft[scene.at], &oracle[scene.at]))
			continue;
		if (!is_allowed(&scene, &weft[scene.at], &oracle[scene.at],
				&rule))
			return scene.at;
		if (rule->parts)
			break;
	}
	return -1;
}

static int compare(const struct world *world, const struct seen *weft,
		   const struct seen *oracle)
{
	int n = sequences_of(STEPS, world->length), width = world->length + 1;
	static struct groups groups;
	int steps[LENGTH_MAX + 1], i, at, prefix;
	struct shown shown;

	memset(&shown, 0xff, sizeof(shown));
	groups.n = 0;
	for (i = 0; i < n; i++, weft += width, oracle += width) {
		nth_sequence(i, STEPS, world->length, steps);
		steps[world->length] = END;
		at = find_difference(world, steps, weft, oracle);
		if (at < 0)
			continue;
		/* What many sequences begin with is shown once. */
		prefix = at < world->length ?
			 i / sequences_of(STEPS, world->length - 1 - at) : i;
		if (show_once(&shown, at, prefix))
			add_group(&groups, steps, at, steps[at], &weft[at],
				  &oracle[at]);
	}
	for (i = 0; i < groups.n; i++)
		print_group(&groups.at[i]);
	return groups.n;
}

/* Return: rules for @type that sequences of @length need, and did not. */
static int print_rules(int type, int length)
{
	const struct rule *rule;
	int idle = 0;

	for (rule = rules; rule < rules + ARRAY_SIZE(rules); rule++) {
		if (rule->type != ANY && rule->type != type)
			continue;
		fprintf(stderr, "# %6d x %s\n", rule->used, rule->why);
		idle += !rule->used && length >= (rule->least ?: LENGTH);
	}
	return idle;
}

FIXTURE(sequences)
{
	struct world world;
	struct seen *oracle;
};

FIXTURE_VARIANT(sequences)
{
	int type;
};

FIXTURE_VARIANT_ADD(sequences, stream) { .type = SOCK_STREAM };
FIXTURE_VARIANT_ADD(sequences, seqpacket) { .type = SOCK_SEQPACKET };

FIXTURE_SETUP(sequences)
{
	ROAD_OR_SKIP();
	ASSERT_EQ(0, run_on(sched_getcpu()));
	self->world = (struct world){ .type = variant->type,
				      .length = length_wanted(LENGTH) };
	road_stay_local(true);
	self->oracle = run_all(&self->world, "oracle");
	ASSERT_NE(NULL, self->oracle);
}

FIXTURE_TEARDOWN(sequences)
{
	free(self->oracle);
}

TEST_F_TIMEOUT(sequences, on_both_roads, TEST_TIMEOUT_RUNNER)
{
	struct seen *weft;

	road_stay_local(false);
	weft = run_all(&self->world, "local");
	ASSERT_NE(NULL, weft);
	EXPECT_EQ(0, compare(&self->world, weft, self->oracle));
	free(weft);
	road_take();
	weft = run_all(&self->world, "wire");
	ASSERT_NE(NULL, weft);
	EXPECT_EQ(0, compare(&self->world, weft, self->oracle));
	free(weft);
	EXPECT_EQ(0, print_rules(variant->type, self->world.length));
}

TEST_HARNESS_MAIN
