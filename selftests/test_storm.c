// SPDX-License-Identifier: GPL-2.0
/*
 * A storm of hostile frames, while an honest client of another node connects
 * again and again: each connect succeeds, in a second, and no memory of ours
 * grows beyond its bound. Who sends the storm is on the same bridge, hears what
 * all hear, and is told what else was on the wire, to say it again; on the veth
 * it even uses the client's own device.
 *
 * What it never does is what Documentation/weft.rst says that anybody can: take
 * a MAC address that is somebody else's, answer questions for another node, or
 * forge packets of a session whose ids it has heard.
 *
 * weft-roads: veth bridge
 * weft-kernels: 6.12
 * weft-cflags: -pthread
 * weft-timeout: 600
 */
#include <linux/if_ether.h>

#include "weft_test.h"
#include "peer.h"

/* Of all storms together; WEFT_STORM_FRAMES says otherwise. */
#define FRAMES		100000
#define STORMS		10
/* More than can hold connections open: such are not forgotten. */
#define LIMIT_NODES	64
#define ACTORS		48
#define KEPT		256
#define SERVED		24
#define LONGEST_MS	1000
/* Of a cache, beyond its bound: what waits for a grace period. */
#define SPARE_OBJECTS	4000
#define BATCH		64

/* A node that the storm makes up. */
struct actor {
	struct in6_addr addr;
	unsigned char mac[6];
	uint64_t session;
	uint64_t their_session;
	unsigned int acts;
};

/**
 * struct client - who connects, in a thread of its own
 * @to: the listener
 * @stop: after the next connect
 * @connects: that went well
 * @worst_ms: the longest of them
 * @lost_ms: when its device was away for the last time, of @losses
 * @where: what did not go well, with errno @error
 */
struct client {
	struct task task;
	const struct addr *to;
	volatile bool stop;
	volatile unsigned int connects;
	long long worst_ms;
	long long lost_ms;
	unsigned int losses;
	const char *where;
	int error;
};

/**
 * struct server - who answers, in a thread of its own
 * @lis: where it accepts
 * @fds: accepted; of what actors have made the oldest gives way
 */
struct server {
	struct task task;
	int lis;
	volatile bool stop;
	struct pollfd fds[SERVED];
	unsigned int next;
};

/**
 * struct storm - all of it
 * @peer: how frames are built and sent
 * @tap: hears what is on B's device
 * @kept: honest frames of late, to be said again
 * @own_mac: of A's and B's devices
 * @victim: a listener of B where nobody accepts; @dgram: nobody reads
 * @dice: state of the random numbers
 */
struct storm {
	struct peer peer;
	int tap;
	struct frame kept[KEPT];
	unsigned int nr_kept;
	struct actor actors[ACTORS];
	unsigned char own_mac[2][6];
	struct addr addr;
	int victim;
	unsigned int victim_port;
	int dgram;
	unsigned int dgram_port;
	uint64_t dice;
	struct server server;
	struct client client;
	unsigned long most_objects;
	unsigned long most_pages;
};

static uint64_t roll(struct storm *s)
{
	uint64_t z = s->dice += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static unsigned int below(struct storm *s, unsigned int n)
{
	return roll(s) % n;
}

/* A number as a careless programmer would not expect it. */
static uint64_t odd_number(struct storm *s)
{
	static const uint64_t odd[] = {
		0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 1ULL << 32,
		1ULL << 62, 1ULL << 63, UINT64_MAX - 1, UINT64_MAX,
	};

	switch (below(s, 4)) {
	case 0:
		return odd[below(s, ARRAY_SIZE(odd))];
	case 1:
		return below(s, 100000);
	case 2:
		return roll(s) >> below(s, 64);
	default:
		return 1 + below(s, 8);
	}
}

/* --- the honest --- */

static bool echo(int fd)
{
	char c = 'x';

	return send(fd, &c, 1, MSG_NOSIGNAL) == 1 && recv_one(fd, &c, 1) == 1;
}

static const char *connect_once(struct client *c, long long *took_ms)
{
	int fd = end_socket(END_A, SOCK_STREAM), error;
	const char *where = NULL;
	long long begun = now_ms();

	if (fd < 0)
		return "socket";
	if (connect_to(fd, c->to))
		where = "connect";
	*took_ms = now_ms() - begun;
	if (!where && !echo(fd))
		where = "echo";
	error = errno;
	close(fd);
	errno = error;
	return where;
}

/* Now and then its device was away, so that it has to ask where the node is. */
static int lose_device(struct client *c)
{
	if (now_ms() < c->lost_ms + 2 * LONGEST_MS)
		return 0;
	c->lost_ms = now_ms();
	c->losses++;
	return lose_devices(END_A);
}

static long run_client(void *arg)
{
	struct client *c = arg;
	long long ms = 0;

	do {
		errno = 0;
		c->where = lose_device(c) ? "device" : connect_once(c, &ms);
		c->error = errno;
		if (ms > c->worst_ms)
			c->worst_ms = ms;
		if (!c->where)
			c->connects++;
	} while (!c->where && !c->stop);
	return 0;
}

static void serve(struct pollfd *p)
{
	char buf[64];
	ssize_t n = recv(p->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0 && send(p->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL) == n)
		return;
	close(p->fd);
	p->fd = -1;
}

/* Of the client, who closes it himself, or of somebody with its address? */
static bool may_be_clients(int fd)
{
	struct addr addr;

	return fd >= 0 && !peer_addr(fd, &addr) &&
	       !memcmp(&addr.in6.sin6_addr, &road()->node[END_A], 16);
}

/* The next place, if possible not one that the client has. */
static struct pollfd *find_place(struct server *s)
{
	unsigned int tries = SERVED;

	do {
		s->next = s->next % (SERVED - 1) + 1;
	} while (--tries && may_be_clients(s->fds[s->next].fd));
	return &s->fds[s->next];
}

static long run_server(void *arg)
{
	struct server *s = arg;
	struct pollfd *p;
	unsigned int i;
	int fd;

	while (!s->stop) {
		s->fds[0].fd = s->lis;
		if (poll(s->fds, SERVED, 100) <= 0)
			continue;
		for (i = 1; i < SERVED; i++)
			if (s->fds[i].fd >= 0 && s->fds[i].revents)
				serve(&s->fds[i]);
		while ((fd = accept4(s->lis, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
			p = find_place(s);
			close(p->fd);
			p->fd = fd;
		}
	}
	for (i = 0; i < SERVED; i++)
		close(s->fds[i].fd);
	return 0;
}

/* --- frames --- */

static void renew(struct storm *s, struct actor *actor)
{
	memset(actor, 0, sizeof(*actor));
	inet_pton(AF_INET6, "fd77:6566:7400::", &actor->addr);
	actor->addr.s6_addr32[2] = roll(s);
	actor->addr.s6_addr32[3] = roll(s);
	actor->mac[0] = 0x02;
	actor->mac[1] = 0x66;
	memcpy(actor->mac + 2, &actor->addr.s6_addr32[3], 4);
	actor->session = roll(s) | 1;
}

/* Speak as @actor to @end. */
static void play(struct storm *s, const struct actor *actor, enum end end)
{
	struct peer *p = &s->peer;

	p->addr = actor->addr;
	p->their_addr = road()->node[end];
	p->session = actor->session;
	p->their_session = actor->their_session;
	memcpy(p->mac, actor->mac, 6);
	memcpy(p->their_mac, s->own_mac[end], 6);
}

static struct actor *any_actor(struct storm *s)
{
	struct actor *actor = &s->actors[below(s, ACTORS)];

	if (actor->acts++ > 20)
		renew(s, actor);
	return actor;
}

static void build_hello(struct storm *s, struct frame *f, int kind)
{
	begin(&s->peer, f, kind, 0);
	put_hello(&s->peer, f);
	seal(f);
}

static void build_question(struct storm *s, struct frame *f)
{
	struct actor nobody;

	renew(s, &nobody);
	play(s, &nobody, below(s, 4) ? END_B : END_A);
	build_hello(s, f, WHO);
}

/* Answers to nothing, and what would end a session, if it were one. */
static void build_answer(struct storm *s, struct frame *f)
{
	struct actor nobody;
	enum end end = below(s, 2);

	renew(s, &nobody);
	nobody.their_session = odd_number(s);
	if (below(s, 2))
		nobody.addr = road()->node[!end];
	play(s, &nobody, end);
	if (below(s, 2)) {
		build_hello(s, f, HERE);
		return;
	}
	begin(&s->peer, f, BADSESSION, 0);
	put_int(f, odd_number(s), BAD_BYTES);
	f->header_end = f->len;
	seal(f);
}

/* An actor that B knows, or the question that makes it one. */
static bool build_meeting(struct storm *s, struct frame *f)
{
	struct actor *actor = any_actor(s);

	play(s, actor, END_B);
	if (actor->their_session)
		return true;
	build_hello(s, f, WHO);
	return false;
}

static unsigned int any_port(struct storm *s)
{
	switch (below(s, 16)) {
	case 0:
		return addr_port(&s->addr);
	case 1 ... 6:
		return s->victim_port;
	case 7:
		return s->dgram_port;
	default:
		return below(s, 65536);
	}
}

static void build_open(struct storm *s, struct frame *f)
{
	if (!build_meeting(s, f))
		return;
	begin(&s->peer, f, OPEN, F_OPENER | F_INTRO);
	put_flow(f, odd_number(s), 0, 0);
	put_open(f, below(s, 65536), any_port(s),
		 below(s, 8) ? SOCK_STREAM : odd_number(s));
	put_hello(&s->peer, f);
	put_text(f, below(s, 2) ? "x" : "");
	seal(f);
}

static void put_bytes(struct storm *s, struct frame *f, unsigned int len)
{
	while (len--)
		put_int(f, roll(s), 1);
}

static void put_odd_flow(struct storm *s, struct frame *f)
{
	put_int(f, odd_number(s), 8);
	put_int(f, odd_number(s), 8);
	put_int(f, odd_number(s), 8);
	put_int(f, odd_number(s), 4);
	put_int(f, odd_number(s), 4);
	put_int(f, odd_number(s), 4);
	put_int(f, odd_number(s), 4);
	f->header_end = f->len;
}

/* Any packet of a flow, with numbers and ranges that cannot be. */
static void build_packet(struct storm *s, struct frame *f)
{
	static const int kinds[] = { OPENED, DATA, ACK, CLOSE, PROBE };
	int kind = kinds[below(s, ARRAY_SIZE(kinds))];
	unsigned int i;

	if (!build_meeting(s, f))
		return;
	begin(&s->peer, f, kind, roll(s) & 0x0f);
	put_odd_flow(s, f);
	if (kind == OPENED)
		put_open(f, below(s, 65536), any_port(s), SOCK_STREAM);
	if (kind == ACK) {
		for (i = below(s, 40); i; i--)
			put_int(f, odd_number(s) << 32 | odd_number(s), 8);
	} else {
		put_bytes(s, f, below(s, 1000));
	}
	seal(f);
}

/* The same in a session that is none. */
static void build_stranger(struct storm *s, struct frame *f)
{
	struct actor nobody;

	renew(s, &nobody);
	nobody.their_session = odd_number(s);
	play(s, &nobody, below(s, 2));
	begin(&s->peer, f, below(s, 2) ? DATA : RESET, F_OPENER);
	put_odd_flow(s, f);
	put_bytes(s, f, below(s, 100));
	seal(f);
}

static void build_piece(struct storm *s, struct frame *f)
{
	unsigned int id = below(s, 4) ? below(s, 1000) : odd_number(s);
	unsigned int total = below(s, 4) ? below(s, 65001) : odd_number(s);

	if (!build_meeting(s, f))
		return;
	begin(&s->peer, f, DGRAM, F_INTRO);
	put_piece(f, below(s, 65536), s->dgram_port, id,
		  below(s, 4) ? below(s, total ?: 1) : odd_number(s), total);
	put_hello(&s->peer, f);
	put_bytes(s, f, below(s, 1300));
	seal(f);
}

/* The client's address, from where the client is not. */
static void build_theft(struct storm *s, struct frame *f)
{
	struct actor *thief = &s->actors[0];

	if (thief->acts++ > 100)
		renew(s, thief);
	thief->addr = road()->node[END_A];
	play(s, thief, END_B);
	if (!thief->their_session) {
		build_hello(s, f, WHO);
		return;
	}
	begin(&s->peer, f, below(s, 2) ? OPEN : PROBE, F_OPENER | F_INTRO);
	if (kind_of(f) == OPEN) {
		put_flow(f, odd_number(s), 0, 0);
		put_open(f, 99, any_port(s), SOCK_STREAM);
	} else {
		put_flow(f, 0, 0, 0);
	}
	put_hello(&s->peer, f);
	seal(f);
}

/*
 * What was said is said again: on the veth by the same mouth. An answer is not
 * said by another, which would be to answer for another node.
 */
static void build_replay(struct storm *s, struct frame *f)
{
	bool other = getenv("WEFT_NS_C") || below(s, 2);

	if (s->nr_kept)
		*f = s->kept[below(s, s->nr_kept < KEPT ? s->nr_kept : KEPT)];
	if (!s->nr_kept || (other && kind_of(f) == HERE))
		build_question(s, f);
	else if (other)
		memcpy(f->bytes + 6, s->actors[1].mac, 6);
}

typedef void build_fn(struct storm *s, struct frame *f);

/* A frame of any kind whose bytes or lengths lie. */
static void build_mangled(struct storm *s, struct frame *f)
{
	static build_fn * const builds[] = {
		build_question, build_answer, build_open, build_packet,
		build_stranger, build_piece,
	};
	unsigned int i;

	builds[below(s, ARRAY_SIZE(builds))](s, f);
	if (below(s, 2))
		f->len = ETH_BYTES + below(s, f->len - ETH_BYTES);
	for (i = below(s, 4); i && f->len > ETH_BYTES; i--)
		f->bytes[ETH_BYTES + below(s, f->len - ETH_BYTES)] = roll(s);
	if (below(s, 4) && f->len > AT_CHECK + 2)
		seal_check(f);
}

/*
 * All but theft. Here a node may be forgotten for want of room, and who then comes
 * with its address has it, for a second at least, as often as he is there first:
 * a plain address proves nothing.
 */
static void build_any(struct storm *s, struct frame *f)
{
	static build_fn * const builds[] = {
		build_question, build_answer, build_open, build_packet,
		build_stranger, build_piece, build_replay, build_mangled,
	};

	builds[below(s, ARRAY_SIZE(builds))](s, f);
}

/* --- ears --- */

/* The answers that make an actor's session. */
static void hear_answers(struct storm *s)
{
	struct peer *p = &s->peer;
	unsigned int i;
	uint64_t session;

	while (take_frame(p, 0)) {
		if (kind_of(&p->in) != HERE)
			continue;
		session = get_int_at(&p->in, AT_SESSION, 8);
		for (i = 0; i < ACTORS; i++)
			if (s->actors[i].session == session)
				s->actors[i].their_session =
					get_int_at(&p->in, AT_PARTS + 32, 8);
	}
}

static bool is_honest(const struct storm *s, const struct frame *f)
{
	return get_int_at(f, 12, 2) == ETHERTYPE_WEFT &&
	       (!memcmp(f->bytes + 6, s->own_mac[END_A], 6) ||
		!memcmp(f->bytes + 6, s->own_mac[END_B], 6));
}

static void hear_others(struct storm *s)
{
	struct frame f;
	ssize_t n;

	while ((n = recv(s->tap, f.bytes, sizeof(f.bytes), MSG_DONTWAIT)) > 0) {
		f.len = n;
		if (n >= ETH_BYTES + START_BYTES && is_honest(s, &f))
			s->kept[s->nr_kept++ % KEPT] = f;
	}
}

/* --- memory --- */

/* The largest of our slab caches, in objects. */
static unsigned long slab_objects(void)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	unsigned long most = 0, active;
	char line[512], name[64];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %lu", name, &active) == 2 &&
		    !strncmp(name, "weft", 4) && active > most)
			most = active;
	if (file)
		fclose(file);
	return most;
}

/* Pages that all our sockets are charged for. */
static unsigned long charged_pages(void)
{
	FILE *file = fopen("/proc/net/protocols", "r");
	unsigned long pages = 0, n;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "WEFT %*u %*d %lu", &n) == 1)
			pages += n;
	if (file)
		fclose(file);
	return pages;
}

static void look_at_memory(struct storm *s)
{
	unsigned long objects = slab_objects(), pages = charged_pages();

	if (objects > s->most_objects)
		s->most_objects = objects;
	if (pages > s->most_pages)
		s->most_pages = pages;
}

/* --- the storm --- */

static unsigned long storm_frames(void)
{
	const char *text = getenv("WEFT_STORM_FRAMES");

	return (text ? strtoul(text, NULL, 10) : FRAMES) / STORMS;
}

static void blow(struct storm *s, build_fn *build)
{
	unsigned long n, frames = storm_frames();
	struct frame f;

	for (n = 0; n < frames && !s->client.where; n++) {
		build(s, &f);
		emit(&s->peer, &f);
		if (n % BATCH)
			continue;
		hear_answers(s);
		hear_others(s);
		if (n % (16 * BATCH) == 0)
			look_at_memory(s);
	}
}

static int tap_on(const char *dev, unsigned char *mac)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(dev),
	};
	struct ifreq ifr = { 0 };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", dev);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &ifr) ||
	    bind(fd, (void *)&sll, sizeof(sll)))
		return -1;
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return fd;
}

/* The storm comes from C, or from A's own device where there is no C. */
static int open_mouth(struct storm *s)
{
	int ns = open_ns(getenv("WEFT_NS_C")), err;

	if (ns < 0) {
		enter_end(END_A);
		err = open_packet_socket(&s->peer, getenv("WEFT_DEV_A"));
		return leave_end(END_A) ?: err;
	}
	err = setns(ns, CLONE_NEWNET) ?:
	      write_file("/proc/sys/net/weft/devices", "none") ?:
	      open_packet_socket(&s->peer, getenv("WEFT_DEV_C"));
	close(ns);
	return setns(road()->home, CLONE_NEWNET) ?: err;
}

static int open_ears(struct storm *s)
{
	int fd;

	if (enter_end(END_A))
		return -1;
	fd = tap_on(getenv("WEFT_DEV_A"), s->own_mac[END_A]);
	close(fd);
	if (leave_end(END_A) || fd < 0 || enter_end(END_B))
		return -1;
	s->tap = tap_on(getenv("WEFT_DEV_B"), s->own_mac[END_B]);
	return leave_end(END_B) ?: s->tap < 0;
}

/* B's: one place to connect to, and two that nobody looks after. */
static int open_targets(struct storm *s)
{
	struct addr addr;

	s->server.lis = listener(END_B, SOCK_STREAM | SOCK_NONBLOCK, 16,
				 &s->addr);
	s->victim = listener(END_B, SOCK_STREAM, 8, &addr);
	s->victim_port = addr_port(&addr);
	s->dgram = bound_socket(END_B, SOCK_DGRAM, &addr);
	s->dgram_port = addr_port(&addr);
	return s->server.lis < 0 || s->victim < 0 || s->dgram < 0;
}

static int limit_nodes(enum end end)
{
	char text[16];
	int err;

	snprintf(text, sizeof(text), "%d", LIMIT_NODES);
	err = enter_end(end) ?:
	      write_file("/proc/sys/net/weft/limits/nodes", text);
	return leave_end(end) ?: err;
}

static bool has_connected(void *arg)
{
	const struct client *c = arg;

	return c->connects || c->where;
}

FIXTURE(storm)
{
	struct storm *s;
};

FIXTURE_VARIANT(storm)
{
	build_fn *build;
};

#define STORM_OF(name)							\
FIXTURE_VARIANT_ADD(storm, name)					\
{									\
	.build = build_##name,						\
}

STORM_OF(question);
STORM_OF(answer);
STORM_OF(open);
STORM_OF(packet);
STORM_OF(stranger);
STORM_OF(piece);
STORM_OF(theft);
STORM_OF(replay);
STORM_OF(mangled);
STORM_OF(any);

FIXTURE_SETUP(storm)
{
	struct storm *s = calloc(1, sizeof(*s));
	unsigned int i;

	if (road()->oracle)
		SKIP(return, "frames of weft have no oracle");
	ROAD_OR_SKIP();
	self->s = s;
	s->dice = getenv("WEFT_SEED") ? atoi(getenv("WEFT_SEED")) : getpid();
	s->peer.version = 1;
	s->peer.version_min = 1;
	s->peer.version_max = 1;
	for (i = 0; i < ACTORS; i++)
		renew(s, &s->actors[i]);
	for (i = 0; i < SERVED; i++)
		s->server.fds[i] = (struct pollfd){ -1, POLLIN, 0 };
	ASSERT_EQ(0, limit_nodes(END_A));
	ASSERT_EQ(0, limit_nodes(END_B));
	ASSERT_EQ(0, open_mouth(s));
	ASSERT_EQ(0, open_ears(s));
	ASSERT_EQ(0, open_targets(s));
	s->client.to = &s->addr;
	ASSERT_EQ(0, task_start(&s->server.task, run_server, &s->server));
	ASSERT_EQ(0, task_start(&s->client.task, run_client, &s->client));
	ASSERT_TRUE(eventually(has_connected, &s->client));
}

FIXTURE_TEARDOWN(storm)
{
	struct storm *s = self->s;

	close(s->peer.fd);
	close(s->tap);
	close(s->victim);
	close(s->dgram);
	close(s->server.lis);
	free(s);
}

static unsigned long limit_of_pages(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/sys/net/weft/mem", "r");

	if (!file || fscanf(file, "%*u %*u %lu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages;
}

/* What was dropped at @end since its namespace was made, by reason. */
static void tell_drops(struct __test_metadata *_metadata, enum end end)
{
	char name[64], text[512] = "";
	long long value;
	size_t len = 0;
	FILE *file;

	if (enter_end(end))
		return;
	file = fopen("/proc/net/weft_stat", "r");
	while (file && fscanf(file, "%63s %lld", name, &value) == 2)
		if (value && !strncmp(name, "drop_", 5) && len < sizeof(text))
			len += snprintf(text + len, sizeof(text) - len,
					" %s %lld", name, value);
	if (file)
		fclose(file);
	leave_end(end);
	TH_LOG("dropped at %c:%s", end == END_A ? 'A' : 'B', text);
}

TEST_F_TIMEOUT(storm, passes, 600)
{
	long long heard = count_of("in_packets"), dropped = count_of("drop_");
	struct storm *s = self->s;
	struct client *c = &s->client;

	blow(s, variant->build);
	c->stop = true;
	ASSERT_TRUE(task_join(&c->task));
	s->server.stop = true;
	ASSERT_TRUE(task_join(&s->server.task));
	TH_LOG("%u connects, %u without a device, the longest %lld ms; most objects %lu, pages %lu; dice %d",
	       c->connects, c->losses, c->worst_ms, s->most_objects, s->most_pages,
	       getpid());
	TH_LOG("heard %lld, dropped %lld", count_of("in_packets") - heard,
	       count_of("drop_") - dropped);
	EXPECT_EQ(NULL, c->where)
		TH_LOG("%s: %s", c->where, strerror(c->error));
	EXPECT_GT(LONGEST_MS, c->worst_ms) {
		tell_drops(_metadata, END_A);
		tell_drops(_metadata, END_B);
	}
	EXPECT_GT(LIMIT_NODES + SPARE_OBJECTS, s->most_objects);
	EXPECT_GE(limit_of_pages(), s->most_pages);
	EXPECT_LT(0, s->most_objects);
}

TEST_HARNESS_MAIN
