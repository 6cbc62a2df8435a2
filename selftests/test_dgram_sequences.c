// SPDX-License-Identifier: GPL-2.0
/*
 * Conformance of SOCK_DGRAM by exhaustion: every sequence of nine calls and
 * events, up to a length, on sockets of weft and of UDP. What each step
 * returns, its errno, the bytes, what poll says after it and how the socket is
 * then called are compared: no expectation is written down here, and no
 * difference is allowed. WEFT_SEQ_LENGTH is the length, 3 without.
 *
 * weft-roads: veth
 * weft-timeout: 300
 */
#include "sequences.h"

#define LENGTH		3
#define SHOWN_MAX	20

enum step { BIND, CONNECT, UNSPEC, SHUTDOWN, SEND, RECV, ERROR, PEER_SEND,
	    PEER_CLOSE, STEPS };

static const char *const step_names[] = {
	"bind", "connect", "connect-AF_UNSPEC", "shutdown", "send", "recv",
	"SO_ERROR", "peer-send", "peer-close",
};

/**
 * struct seen - what a step showed
 * @ret: returned
 * @error: errno, 0 when it succeeded
 * @poll: of the socket, afterwards
 * @named: has it an address by then, and a port?
 * @text: that was received
 */
struct seen {
	short ret;
	short error;
	unsigned short poll;
	bool named[2];
	char text[8];
};

/**
 * struct world - where sequences run
 * @length: of the sequences
 * @fence: is passed after each step
 */
struct world {
	int length;
	struct fence fence;
};

/**
 * struct run - one sequence's sockets
 * @sock: that the steps are about
 * @peer: a bound one at the other end, -1 once it was closed
 * @addr: of @peer
 * @calls: how often each step came
 */
struct run {
	const struct world *world;
	int sock;
	int peer;
	struct addr addr;
	int calls[STEPS];
};

static int do_bind(struct run *run)
{
	struct addr addr;

	any_addr(&addr, SOCK_DGRAM, 0);
	return bind_to(run->sock, &addr);
}

static int do_unspec(struct run *run)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(run->sock, &none, sizeof(none));
}

static int do_send(struct run *run)
{
	char text[8];
	int len = snprintf(text, sizeof(text), "s%d", run->calls[SEND]);

	return send(run->sock, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int do_recv(struct run *run, struct seen *seen)
{
	return recv(run->sock, seen->text, sizeof(seen->text), MSG_DONTWAIT);
}

/* To whatever port it has. */
static void peer_send(struct run *run)
{
	struct addr own;
	char text[8];
	int len = snprintf(text, sizeof(text), "p%d", run->calls[PEER_SEND]);

	if (run->peer < 0 || own_addr(run->sock, &own) || !addr_port(&own))
		return;
	end_addr(&own, END_A, SOCK_DGRAM, addr_port(&own));
	send_to(run->peer, text, len, &own);
}

static void peer_close(struct run *run)
{
	close(run->peer);
	run->peer = -1;
}

static int do_step(struct run *run, enum step step, struct seen *seen)
{
	switch (step) {
	case BIND:
		return do_bind(run);
	case CONNECT:
		return connect_to(run->sock, &run->addr);
	case UNSPEC:
		return do_unspec(run);
	case SHUTDOWN:
		return shutdown(run->sock, run->calls[SHUTDOWN] % 3);
	case SEND:
		return do_send(run);
	case RECV:
		return do_recv(run, seen);
	case ERROR:
		return get_int(run->sock, SO_ERROR);
	case PEER_SEND:
		peer_send(run);
		return 0;
	default:
		peer_close(run);
		return 0;
	}
}

static void take_step(struct run *run, enum step step, struct seen *seen)
{
	struct addr own;

	errno = 0;
	seen->ret = do_step(run, step, seen);
	seen->error = seen->ret < 0 ? errno : 0;
	run->calls[step]++;
	fence_pass(&run->world->fence);
	seen->poll = events_now(run->sock, POLLIN | POLLPRI | POLLOUT |
				POLLRDNORM | POLLWRNORM | POLLWRBAND |
				POLLRDBAND | POLLRDHUP);
	if (own_addr(run->sock, &own))
		return;
	seen->named[0] = memcmp(&own.in6.sin6_addr, &in6addr_any, 16) != 0;
	seen->named[1] = addr_port(&own) != 0;
}

static void run_sequence(const struct world *world, int n, struct seen *seen)
{
	struct run run = { .world = world };
	int steps[LENGTH_MAX];
	int i;

	nth_sequence(n, STEPS, world->length, steps);
	memset(seen, 0, world->length * sizeof(*seen));
	run.sock = end_socket(END_A, SOCK_DGRAM);
	run.peer = bound_socket(END_B, SOCK_DGRAM, &run.addr);
	for (i = 0; i < world->length; i++)
		take_step(&run, steps[i], &seen[i]);
	close(run.sock);
	close(run.peer);
}

static struct seen *run_all(struct world *world)
{
	int n = sequences_of(STEPS, world->length), i;
	struct seen *seen = calloc(n, world->length * sizeof(*seen));

	if (!seen || fence_open(&world->fence))
		return NULL;
	fence_pass(&world->fence);
	for (i = 0; i < n; i++)
		run_sequence(world, i, seen + i * world->length);
	fence_close(&world->fence);
	return seen;
}

static void print_seen(const char *who, const struct seen *seen)
{
	fprintf(stderr, " %s %d%s%s poll %#x named %d:%d text %.8s", who,
		seen->ret, seen->error ? " " : "",
		seen->error ? strerrorname_np(seen->error) : "", seen->poll,
		seen->named[0], seen->named[1], seen->text);
}

static void print_difference(const struct world *world, int n, int at,
			     const struct seen *weft, const struct seen *oracle)
{
	int steps[LENGTH_MAX];
	int i;

	nth_sequence(n, STEPS, world->length, steps);
	fprintf(stderr, "#");
	for (i = 0; i <= at; i++)
		fprintf(stderr, " %s", step_names[steps[i]]);
	print_seen(": weft", weft);
	print_seen(", UDP", oracle);
	fprintf(stderr, "\n");
}

/* Return: sequences that differ, each at its last step; longer ones are its. */
static int compare(const struct world *world, const struct seen *weft,
		   const struct seen *oracle)
{
	int n = sequences_of(STEPS, world->length), width = world->length;
	int i, at, prefix, found = 0;
	struct shown shown;

	memset(&shown, 0xff, sizeof(shown));
	for (i = 0; i < n; i++, weft += width, oracle += width) {
		for (at = 0; at < width; at++)
			if (memcmp(&weft[at], &oracle[at], sizeof(*weft)))
				break;
		if (at == width)
			continue;
		prefix = i / sequences_of(STEPS, width - 1 - at);
		if (show_once(&shown, at, prefix) && found++ < SHOWN_MAX)
			print_difference(world, i, at, &weft[at], &oracle[at]);
	}
	return found;
}

FIXTURE(dgrams)
{
	struct world world;
	struct seen *oracle;
};

FIXTURE_SETUP(dgrams)
{
	ROAD_OR_SKIP();
	ASSERT_EQ(0, run_on(sched_getcpu()));
	self->world.length = length_wanted(LENGTH);
	road_stay_local(true);
	self->oracle = run_all(&self->world);
	ASSERT_NE(NULL, self->oracle);
}

FIXTURE_TEARDOWN(dgrams)
{
	free(self->oracle);
}

static int differences_to(struct world *world, const struct seen *oracle)
{
	struct seen *seen = run_all(world);
	int found = seen ? compare(world, seen, oracle) : -1;

	free(seen);
	return found;
}

/* Else nothing could be learnt from what it says of others. */
TEST_F_TIMEOUT(dgrams, oracle_agrees_with_itself, TEST_TIMEOUT_RUNNER)
{
	EXPECT_EQ(0, differences_to(&self->world, self->oracle));
}

TEST_F_TIMEOUT(dgrams, on_one_node, TEST_TIMEOUT_RUNNER)
{
	road_stay_local(false);
	if (road_missing())
		SKIP(return, "%s", road_missing());
	EXPECT_EQ(0, differences_to(&self->world, self->oracle));
}

TEST_F_TIMEOUT(dgrams, over_a_wire, TEST_TIMEOUT_RUNNER)
{
	road_take();
	EXPECT_EQ(0, differences_to(&self->world, self->oracle));
}

TEST_HARNESS_MAIN
