// SPDX-License-Identifier: GPL-2.0
/*
 * The load of the network bench: both ends of every flow of a run, in one
 * process with one clock, over weft or (with -t) TCP. Every byte is verified.
 *
 *	netload bulk -p PAIR... [options]	flows from senders to receivers
 *	netload connect -p PAIR [options]	requests, each on a new connection
 *
 * PAIR is FROM,TO,ADDRESS: two namespaces and the receiver's address.
 *
 *	-t	TCP, and		-c NAME	its congestion control, for the
 *						pairs that follow
 *	-b N	socket buffers, bytes	-n N	flows of the last pair
 *	-e PAIR	beside the flows, requests on one connection from -w to -d
 *	-w MS	measure from then	-d MS	measure, and send, until then
 *	-g MS	between the pairs' starts	-k N	requests of connect
 *	-r MS,MS	readers stop then, and for so long
 *	-x MS:COMMAND	for a shell, then
 *	-F NS,DEV	watch a device; see watch.h
 *
 * Times are ms after the start. The report is lines of `word number` pairs; of
 * a flow that failed, one that begins with `error`, and the status is 1.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <linux/sock_diag.h>

#include "../pattern.h"
#include "ends.h"
#include "watch.h"

#define FLOWS_MAX	256
#define PIECE		65536
/* Not a multiple of any segment: a byte in a wrong place is a wrong byte. */
#define PERIOD		65537
#define SAMPLE_MS	100
#define WATCH_MS	1000
/* What was sent must have come so long after the last was sent. */
#define DRAIN_MS	60000
#define EVENTS_MAX	8
#define WATCHES_MAX	2
#define REQUEST_BYTES	64
#define SAMPLES_MAX	100000

struct flow {
	const char *state;
	struct pair *pair;
	int tx;
	int rx;
	int port;
	uint64_t sent;
	uint64_t got;
	uint64_t at_begin;
	uint64_t at_end;
	int error;
};

/* A shell's command at a time; @pid of it while it runs. */
struct event {
	long long ms;
	const char *command;
	pid_t pid;
};

static struct {
	long long begin_ms, end_ms, gap_ms;
	long long stop_ms, stop_for_ms;
	struct pair *echo;
	unsigned int requests;
	unsigned int nr_events, nr_watches;
	struct event events[EVENTS_MAX];
	struct watch watches[WATCHES_MAX];
} opt = { .begin_ms = 1000, .end_ms = 5000, .requests = 20 };

static struct flow flows[FLOWS_MAX];
static unsigned int nr_flows;
static unsigned char bytes[PERIOD + PIECE];
static long long start_ns;
static int poller;

static long long since_start_ms(void)
{
	return (clock_ns() - start_ns) / ns_PER_MS;
}

static void poll_for(int fd, uint32_t what, void *who)
{
	struct epoll_event ev = { .events = what, .data.ptr = who };

	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev))
		err(1, "epoll_ctl");
}

static void flow_fail(struct flow *f, const char *what, int error)
{
	printf("error flow %ld %s: %s, sent %llu got %llu at %lld ms\n", (long)(f - flows), what,
	       strerror(error), (unsigned long long)f->sent,
	       (unsigned long long)f->got, since_start_ms());
	f->error = error;
	if (f->tx >= 0)
		close(f->tx);
	if (f->rx >= 0)
		close(f->rx);
	f->tx = f->rx = -1;
}

static void flow_start(struct flow *f)
{
	struct addr to, own = { .len = sizeof(own.weft) };

	f->tx = end_socket(f->pair, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
	addr_set(&to, f->pair, false, FIRST_PORT);
	if (connect(f->tx, &to.sa, to.len) && errno != EINPROGRESS) {
		flow_fail(f, "connect", errno);
		return;
	}
	if (getsockname(f->tx, &own.sa, &own.len))
		err(1, "getsockname");
	f->port = f->pair->tcp ? own.in.sin_port : own.weft.sw_port;
	poll_for(f->tx, EPOLLOUT, &f->tx);
}

/* An accepted socket is the flow's whose sender has that port. */
static void pair_accept(struct pair *pair)
{
	struct addr peer = { .len = sizeof(peer.weft) };
	unsigned int i;
	int fd, port;

	fd = accept4(pair->listener, &peer.sa, &peer.len,
		     SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	port = pair->tcp ? peer.in.sin_port : peer.weft.sw_port;
	for (i = 0; i < nr_flows; i++)
		if (flows[i].pair == pair && flows[i].port == port &&
		    flows[i].rx < 0) {
			flows[i].rx = fd;
			poll_for(fd, EPOLLIN, &flows[i].rx);
			return;
		}
	errx(1, "a connection from port %d, which is nobody's", ntohs(port));
}

static void flow_write(struct flow *f)
{
	ssize_t n;

	if (since_start_ms() >= opt.end_ms) {
		epoll_ctl(poller, EPOLL_CTL_DEL, f->tx, NULL);
		if (shutdown(f->tx, SHUT_WR))
			flow_fail(f, "shutdown", errno);
		return;
	}
	n = send(f->tx, bytes + f->sent % PERIOD, PIECE, MSG_NOSIGNAL);
	if (n > 0)
		f->sent += n;
	else if (n < 0 && errno != EAGAIN)
		flow_fail(f, "send", errno);
}

static void flow_read(struct flow *f)
{
	static unsigned char buf[PIECE];
	ssize_t n = recv(f->rx, buf, sizeof(buf), 0);

	if (n > 0) {
		if (memcmp(buf, bytes + f->got % PERIOD, n))
			flow_fail(f, "wrong bytes", EBADMSG);
		f->got += n;
	} else if (!n && f->got == f->sent) {
		close(f->rx);
		close(f->tx);
		f->tx = f->rx = -1;
		f->state = "whole";
	} else if (!n || errno != EAGAIN) {
		flow_fail(f, n ? "recv" : "the end too soon", n ? errno : EPIPE);
	}
}

static uint64_t got_by_all(void)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < nr_flows; i++)
		sum += flows[i].got;
	return sum;
}

/* Idle time of all processors since boot, ms. */
static long long idle_ms(void)
{
	long long user, nice, system, idle = 0, wait = 0;
	FILE *f = fopen("/proc/stat", "r");

	if (!f || fscanf(f, "cpu %lld %lld %lld %lld %lld", &user, &nice,
			 &system, &idle, &wait) != 5)
		err(1, "/proc/stat");
	fclose(f);
	return (idle + wait) * 1000 / sysconf(_SC_CLK_TCK) /
	       sysconf(_SC_NPROCESSORS_ONLN);
}

/* The most that any socket of a kind held, against its limit. */
static struct peak {
	uint32_t held, limit;
} unread, unsent;

static void peak_note(struct peak *peak, uint32_t held, uint32_t limit)
{
	if ((uint64_t)held * (peak->limit ?: 1) <=
	    (uint64_t)peak->held * (limit ?: 1))
		return;
	peak->held = held;
	peak->limit = limit;
}

static void note_memory(void)
{
	uint32_t mem[SK_MEMINFO_VARS];
	socklen_t len;
	unsigned int i;

	for (i = 0; i < nr_flows; i++) {
		len = sizeof(mem);
		if (flows[i].rx >= 0 && !getsockopt(flows[i].rx, SOL_SOCKET,
						    SO_MEMINFO, mem, &len))
			peak_note(&unread, mem[SK_MEMINFO_RMEM_ALLOC],
				  mem[SK_MEMINFO_RCVBUF]);
		len = sizeof(mem);
		if (flows[i].tx >= 0 && !getsockopt(flows[i].tx, SOL_SOCKET,
						    SO_MEMINFO, mem, &len))
			peak_note(&unsent, mem[SK_MEMINFO_WMEM_QUEUED],
				  mem[SK_MEMINFO_SNDBUF]);
	}
}

/* What happens at its time: starts, stops, marks, samples, commands. */
static struct {
	unsigned int started, events;
	long long sample_ms, begin_ms, end_ms;
	long long idle_begin_ms, idle_end_ms;
	int stopped;
} done = { .begin_ms = -1, .end_ms = -1 };

static void run_command(struct event *event)
{
	event->pid = fork();
	if (event->pid < 0)
		err(1, "fork");
	if (!event->pid) {
		execl("/bin/sh", "sh", "-c", event->command, NULL);
		_exit(127);
	}
}

/* An event has happened once its command has ended. */
static void meet_children(bool hang)
{
	unsigned int i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, hang ? 0 : WNOHANG)) > 0) {
		if (status)
			errx(1, "a command of -x, or the requests, failed");
		for (i = 0; i < opt.nr_events; i++)
			if (opt.events[i].pid == pid)
				printf("event %lld wanted %lld %s\n",
				       since_start_ms(), opt.events[i].ms,
				       opt.events[i].command);
	}
}

/* A reader that stops leaves the poller. */
static void stop_readers(bool stop)
{
	unsigned int i;

	for (i = 0; i < nr_flows; i++) {
		if (flows[i].rx < 0)
			continue;
		if (stop)
			epoll_ctl(poller, EPOLL_CTL_DEL, flows[i].rx, NULL);
		else
			poll_for(flows[i].rx, EPOLLIN, &flows[i].rx);
	}
	printf("%s %lld got %llu\n", stop ? "stopped" : "resumed",
	       since_start_ms(), (unsigned long long)got_by_all());
	done.stopped++;
}

static void mark(long long now, long long *at, long long *idle, bool begin)
{
	unsigned int i;

	for (i = 0; i < nr_flows; i++)
		*(begin ? &flows[i].at_begin : &flows[i].at_end) = flows[i].got;
	*at = now;
	*idle = idle_ms();
}

static void start_due(long long now)
{
	while (done.started < nr_flows &&
	       now >= (flows[done.started].pair - ends.pairs) * opt.gap_ms)
		flow_start(&flows[done.started++]);
}

static void sample_due(long long now)
{
	if (now < done.sample_ms)
		return;
	printf("sample %lld %llu\n", now, (unsigned long long)got_by_all());
	done.sample_ms = now - now % SAMPLE_MS + SAMPLE_MS;
	note_memory();
}

/* A first packet that is lost takes TCP a second: what is looked at begins with a payload. */
static void watch_due(long long now)
{
	struct watch *w;

	for (w = opt.watches; w < opt.watches + opt.nr_watches; w++) {
		if (w->every < 0)
			continue;
		watch_every(w);
		if (w->payload && !w->until_ms)
			w->until_ms = now + WATCH_MS;
		if (w->until_ms && now >= w->until_ms)
			watch_less(w);
	}
}

static void do_what_is_due(void)
{
	long long now = since_start_ms();

	start_due(now);
	sample_due(now);
	watch_due(now);
	meet_children(false);
	while (done.events < opt.nr_events && now >= opt.events[done.events].ms)
		run_command(&opt.events[done.events++]);
	if (opt.stop_for_ms && !done.stopped && now >= opt.stop_ms)
		stop_readers(true);
	if (done.stopped == 1 && now >= opt.stop_ms + opt.stop_for_ms)
		stop_readers(false);
	if (done.begin_ms < 0 && now >= opt.begin_ms)
		mark(now, &done.begin_ms, &done.idle_begin_ms, true);
	if (done.end_ms < 0 && now >= opt.end_ms)
		mark(now, &done.end_ms, &done.idle_end_ms, false);
}

static bool is_over(void)
{
	unsigned int i;

	for (i = 0; i < nr_flows; i++)
		if (!flows[i].state && !flows[i].error)
			return since_start_ms() > opt.end_ms + DRAIN_MS;
	return done.end_ms >= 0;
}

static void handle(const struct epoll_event *ev)
{
	int *fd = ev->data.ptr;
	struct flow *f = (struct flow *)fd;

	if ((void *)fd >= (void *)ends.pairs &&
	    (void *)fd < (void *)(ends.pairs + PAIRS_MAX)) {
		pair_accept((struct pair *)((char *)fd -
					    offsetof(struct pair, listener)));
		return;
	}
	f = &flows[((char *)fd - (char *)flows) / sizeof(*f)];
	if (*fd < 0)
		return;
	if (fd == &f->tx)
		flow_write(f);
	else
		flow_read(f);
}

/* Were both named after the same -t and -c, if any? */
static bool is_alike(const struct pair *a, const struct pair *b)
{
	return a->tcp == b->tcp && a->cc == b->cc;
}

static int bulk_report(void)
{
	long long ms = done.end_ms - done.begin_ms;
	/* Of the first pair, and of those of another family or algorithm. */
	uint64_t sum = 0, beside = 0;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < nr_flows; i++) {
		struct flow *f = &flows[i];

		if (!f->state && !f->error)
			flow_fail(f, "not all has come", ETIMEDOUT);
		rc |= f->error != 0;
		*(is_alike(f->pair, flows[0].pair) ? &sum : &beside) +=
			f->at_end - f->at_begin;
		printf("flow %u bytes %llu sent %llu got %llu\n", i,
		       (unsigned long long)(f->at_end - f->at_begin),
		       (unsigned long long)f->sent, (unsigned long long)f->got);
	}
	for (i = 0; i < opt.nr_watches; i++)
		watch_tell(&opt.watches[i]);
	printf("peak unread %u of %u unsent %u of %u\n", unread.held,
	       unread.limit, unsent.held, unsent.limit);
	printf("total bytes %llu ms %lld idle %lld whole_at %lld\n",
	       (unsigned long long)sum, ms,
	       100 * (done.idle_end_ms - done.idle_begin_ms) / (ms ?: 1),
	       since_start_ms());
	if (beside)
		printf("beside bytes %llu ms %lld\n", (unsigned long long)beside, ms);
	return rc;
}

static void make_flows(void)
{
	unsigned int i, n;

	for (i = 0; i < ends.nr_pairs; i++) {
		if (!ends.pairs[i].flows)
			continue;
		pair_listen(&ends.pairs[i], FIRST_PORT,
			    SOCK_NONBLOCK | SOCK_CLOEXEC);
		poll_for(ends.pairs[i].listener, EPOLLIN,
			 &ends.pairs[i].listener);
		for (n = 0; n < ends.pairs[i].flows; n++) {
			if (nr_flows == FLOWS_MAX)
				errx(2, "too many flows");
			flows[nr_flows++] = (struct flow){
				.pair = &ends.pairs[i], .tx = -1, .rx = -1,
			};
		}
	}
}

static int by_size(const void *a, const void *b)
{
	long long d = *(const long long *)a - *(const long long *)b;

	return (d > 0) - (d < 0);
}

static void times_report(long long *ns, unsigned int n)
{
	if (!n)
		errx(1, "no request was answered");
	qsort(ns, n, sizeof(*ns), by_size);
	printf("times count %u p50_us %lld p99_us %lld max_us %lld\n", n,
	       ns[n / 2] / 1000, ns[(n * 99) / 100] / 1000, ns[n - 1] / 1000);
}

static void say(int fd)
{
	if (send(fd, bytes, REQUEST_BYTES, MSG_NOSIGNAL) != REQUEST_BYTES)
		err(1, "send");
}

static void hear(int fd)
{
	unsigned char buf[REQUEST_BYTES];
	size_t got = 0;
	ssize_t n;

	for (; got < sizeof(buf); got += n) {
		n = recv(fd, buf + got, sizeof(buf) - got, 0);
		if (n <= 0)
			err(1, "recv");
	}
	if (memcmp(buf, bytes, sizeof(buf)))
		errx(1, "wrong bytes");
}

/* What is measured is the network, and not the wait for a processor. */
static void hurry(void)
{
	struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		err(1, "sched_setscheduler");
}

static void echo(struct pair *pair)
{
	static long long ns[SAMPLES_MAX];
	long long at, end = start_ns + opt.end_ms * ns_PER_MS;
	unsigned int n = 0, i;
	struct addr to;
	int tx, rx;

	hurry();
	pair_listen(pair, FIRST_PORT + 1, 0);
	tx = end_socket(pair, 0, 0);
	addr_set(&to, pair, false, FIRST_PORT + 1);
	poll(NULL, 0, opt.begin_ms);
	if (connect(tx, &to.sa, to.len))
		err(1, "connect");
	rx = accept(pair->listener, NULL, NULL);
	while ((at = clock_ns()) < end && n < SAMPLES_MAX) {
		say(tx);
		hear(rx);
		say(rx);
		hear(tx);
		ns[n++] = clock_ns() - at;
	}
	for (i = 0; i < n; i++)
		printf("rtt %lld\n", ns[i] / 1000);
	times_report(ns, n);
}

/* A process of its own, so that nobody waits for the flows' work. */
static void start_echo(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid)
		return;
	echo(opt.echo);
	fflush(stdout);
	_exit(0);
}

/*
 * A millisecond's work at a time: a reader that is woken for each frame would
 * cost more than the network.
 */
static int do_bulk(void)
{
	static struct epoll_event evs[2 * FLOWS_MAX];
	int n, i;

	poller = epoll_create1(EPOLL_CLOEXEC);
	make_flows();
	start_ns = clock_ns();
	if (opt.echo)
		start_echo();
	while (!is_over()) {
		do_what_is_due();
		n = epoll_wait(poller, evs, 2 * FLOWS_MAX, 1);
		for (i = 0; i < n; i++)
			handle(&evs[i]);
		if (n > 0)
			poll(NULL, 0, 1);
	}
	meet_children(true);
	return bulk_report();
}

/*
 * One round trip where the family can send with the first packet. Return:
 * whether it could.
 */
static bool ask_anew(struct pair *pair)
{
	bool early = false;
	struct addr to;
	int tx, rx;

	tx = end_socket(pair, 0, 0);
	addr_set(&to, pair, false, FIRST_PORT + 1);
	if (!pair->tcp)
		/* One that waited for the answer would keep us from accept(). */
		early = sendto(tx, bytes, REQUEST_BYTES,
			       MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL,
			       &to.sa, to.len) == REQUEST_BYTES;
	if (!early && connect(tx, &to.sa, to.len))
		err(1, "connect");
	if (!early)
		say(tx);
	rx = accept(pair->listener, NULL, NULL);
	hear(rx);
	say(rx);
	hear(tx);
	close(tx);
	close(rx);
	return early;
}

static int do_connect(void)
{
	static long long ns[SAMPLES_MAX];
	struct pair *pair = &ends.pairs[0];
	bool early = false;
	long long at;
	unsigned int n;

	hurry();
	pair_listen(pair, FIRST_PORT + 1, 0);
	for (n = 0; n <= opt.requests; n++) {
		at = clock_ns();
		early = ask_anew(pair);
		ns[n] = clock_ns() - at;
	}
	for (n = 0; n <= opt.requests; n++)
		printf("%s %lld\n", n ? "warm" : "cold", ns[n] / 1000);
	printf("early %d\n", early);
	times_report(ns + 1, opt.requests);
	return 0;
}

/* MS,MS or MS:TEXT. Return: what follows. */
static char *split(char *text, char at, long long *ms)
{
	char *rest;

	*ms = strtoll(text, &rest, 10);
	if (*rest != at)
		errx(2, "see the head of netload.c: %s", text);
	return rest + 1;
}

static void take_option(int c, char *arg)
{
	struct event *event = &opt.events[opt.nr_events];

	switch (c) {
	case 't': ends.tcp = true; break;
	case 'c': ends.cc = arg; break;
	case 'b': ends.buffer = atoi(arg); break;
	case 'p': pair_add(arg); break;
	case 'e':
		pair_add(arg);
		opt.echo = &ends.pairs[ends.nr_pairs - 1];
		opt.echo->flows = 0;
		break;
	case 'n': ends.pairs[ends.nr_pairs - 1].flows = atoi(arg); break;
	case 'w': opt.begin_ms = atoll(arg); break;
	case 'd': opt.end_ms = atoll(arg); break;
	case 'g': opt.gap_ms = atoll(arg); break;
	case 'k': opt.requests = atoi(arg); break;
	case 'r': opt.stop_for_ms = atoll(split(arg, ',', &opt.stop_ms)); break;
	case 'x':
		event->command = split(arg, ':', &event->ms);
		if (++opt.nr_events == EVENTS_MAX)
			errx(2, "too many events");
		break;
	case 'F':
		if (opt.nr_watches == WATCHES_MAX)
			errx(2, "too many devices");
		watch_start(&opt.watches[opt.nr_watches++], arg);
		break;
	default: errx(2, "see the head of netload.c");
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*fn)(void);
	} commands[] = {
		{ "bulk", do_bulk }, { "connect", do_connect },
	};
	static char report[8 << 20];
	unsigned int i;
	int c;

	/* What each process says goes out in one piece, at its end. */
	setvbuf(stdout, report, _IOFBF, sizeof(report));
	ends.home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	pattern_fill(bytes, PERIOD, 1, 0);
	memcpy(bytes + PERIOD, bytes, PIECE);
	while ((c = getopt(argc - 1, argv + 1, "tc:b:p:e:n:w:d:g:k:r:x:F:")) != -1)
		take_option(c, optarg);
	if (!ends.nr_pairs || opt.requests >= SAMPLES_MAX)
		errx(2, "see the head of netload.c");
	/* Nothing is to be read from a disk while it runs. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		err(1, "mlockall");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].fn();
	errx(2, "no such command: %s", argv[1]);
}
