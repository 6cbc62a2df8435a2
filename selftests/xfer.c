// SPDX-License-Identifier: GPL-2.0
/*
 * Moves files and messages over weft (or, with -t, over TCP and UDP), for
 * scripts and for the demo. Its exit status is 0, or the errno of what failed.
 *
 *	xfer [options] recv PORT FILE		take one connection's bytes
 *	xfer [options] send ADDR PORT FILE	give them
 *	xfer [options] echo-server PORT		answer every message with itself
 *	xfer [options] echo-client ADDR PORT TEXT...
 *	xfer [options] dgram-recv PORT COUNT	print datagrams
 *	xfer [options] dgram-send ADDR PORT TEXT...
 *	xfer [options] dgram-flood ADDR PORT	send until killed
 *	xfer [options] watch ADDR PORT		connect, send stdin, tell how it ends
 *	xfer [options] keep PORT		accept, read nothing, until killed
 *	xfer [options] hold			a socket, until killed
 *
 * FILE is a name, `-` for nowhere, or @BYTES for that many made-up ones.
 * recv and send print SHA-256, bytes and MB/s.
 *
 *	-t	TCP and UDP		-q	SEQPACKET, not STREAM
 *	-6	INET6 naming		-1	connect once: no second try
 *	-p	show progress		-n N	serve N connections, then end
 *	-w N	write N bytes at a time	-f	send a file by sendfile()
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/weft.h>

#include "pattern.h"
#include "sha256.h"
#include "waiting.h"

#define BUF_BYTES	65536
#define NO_FILE		(-2)

static struct {
	bool tcp;
	bool seqpacket;
	bool inet6;
	bool once;
	bool progress;
	bool sendfile;
	long connections;
	size_t piece;
} opt = { .connections = -1, .piece = BUF_BYTES };

static void __attribute__((noreturn)) fail(const char *what)
{
	int error = errno;

	fprintf(stderr, "xfer: %s: %s\n", what, strerror(error));
	exit(error ?: 1);
}

static int family(void)
{
	return opt.tcp ? AF_INET6 : weft_family();
}

static int make_socket(int type)
{
	int fd = socket(family(), type, opt.inet6 ? WEFT_PROTO_INET6 : 0);

	if (fd < 0)
		fail("socket");
	return fd;
}

static int stream_type(void)
{
	return opt.seqpacket ? SOCK_SEQPACKET : SOCK_STREAM;
}

static void set_addr(struct sockaddr_in6 *sa, const char *node,
		     const char *port)
{
	memset(sa, 0, sizeof(*sa));
	sa->sin6_family = family();
	sa->sin6_port = htons(atoi(port));
	if (inet_pton(AF_INET6, node, &sa->sin6_addr) != 1)
		errx(EINVAL, "not an address: %s", node);
}

static const char *name_of(const struct sockaddr_in6 *sa)
{
	static char text[80];
	char node[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &sa->sin6_addr, node, sizeof(node));
	snprintf(text, sizeof(text), "[%s]:%u", node, ntohs(sa->sin6_port));
	return text;
}

static int bound(int type, const char *port)
{
	int fd = make_socket(type), one = 1;
	struct sockaddr_in6 sa;

	set_addr(&sa, "::", port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&sa, sizeof(sa)))
		fail("bind");
	return fd;
}

static int listening(const char *port)
{
	int fd = bound(stream_type(), port);

	if (listen(fd, 8))
		fail("listen");
	return fd;
}

/* A server that is being started is waited for. */
static int connected(const char *node, const char *port)
{
	long long end = now_ms() + DEADLINE_MS;
	struct sockaddr_in6 sa;
	int fd;

	set_addr(&sa, node, port);
	for (;;) {
		fd = make_socket(stream_type());
		if (!connect(fd, (void *)&sa, sizeof(sa)))
			return fd;
		if (opt.once || errno != ECONNREFUSED || now_ms() > end)
			fail("connect");
		close(fd);
		poll(NULL, 0, 10);
	}
}

static int accept_one(int lis)
{
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	int fd = accept(lis, (void *)&sa, &len);

	if (fd < 0)
		fail("accept");
	fprintf(stderr, "xfer: from %s\n", name_of(&sa));
	return fd;
}

static void write_fully(int fd, const unsigned char *buf, size_t len)
{
	ssize_t n;

	for (; len; buf += n, len -= n) {
		n = write(fd, buf, len);
		if (n < 0)
			fail("write");
	}
}

/* Progress and result of a transfer. */
struct count {
	struct sha256 sha;
	uint64_t bytes;
	uint64_t shown;
	long long start;
};

static void count_start(struct count *c)
{
	memset(c, 0, sizeof(*c));
	sha256_init(&c->sha);
	c->start = now_ms();
}

static void count_add(struct count *c, const void *buf, size_t len)
{
	sha256_update(&c->sha, buf, len);
	c->bytes += len;
	if (!opt.progress || c->bytes - c->shown < 4 << 20)
		return;
	c->shown = c->bytes;
	fprintf(stderr, "xfer: %llu MiB\n", (unsigned long long)c->bytes >> 20);
}

static void count_end(struct count *c)
{
	long long ms = now_ms() - c->start;
	char hex[65];

	sha256_final(&c->sha, hex);
	printf("%s %llu bytes %.2f MB/s\n", hex, (unsigned long long)c->bytes,
	       c->bytes / 1e3 / (ms ?: 1));
}

static int do_recv(char **arg)
{
	int lis = listening(arg[0]), fd = accept_one(lis), file = NO_FILE;
	static unsigned char buf[BUF_BYTES];
	struct count count;
	ssize_t n;

	if (strcmp(arg[1], "-"))
		file = open(arg[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (file == -1)
		fail(arg[1]);
	count_start(&count);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		count_add(&count, buf, n);
		if (file != NO_FILE)
			write_fully(file, buf, n);
	}
	if (n < 0)
		fail("read");
	count_end(&count);
	return 0;
}

/* Where the bytes to be sent come from. */
struct source {
	int file;
	uint64_t bytes;
	uint64_t offset;
};

static void source_open(struct source *src, const char *name)
{
	memset(src, 0, sizeof(*src));
	src->file = NO_FILE;
	if (name[0] == '@') {
		src->bytes = strtoull(name + 1, NULL, 0);
		return;
	}
	src->file = open(name, O_RDONLY);
	if (src->file < 0)
		fail(name);
}

static ssize_t source_read(struct source *src, unsigned char *buf, size_t len)
{
	if (src->file != NO_FILE)
		return pread(src->file, buf, len, src->offset);
	if (len > src->bytes - src->offset)
		len = src->bytes - src->offset;
	pattern_fill(buf, len, 1, src->offset);
	return len;
}

/* @len bytes, which were read into @buf, to a socket. */
static void source_send(struct source *src, int fd, const void *buf, size_t len)
{
	off_t at = src->offset, end = at + len;

	src->offset = end;
	if (!opt.sendfile || src->file == NO_FILE) {
		write_fully(fd, buf, len);
		return;
	}
	while (at < end)
		if (sendfile(fd, src->file, &at, end - at) <= 0)
			fail("sendfile");
}

/* The peer's end says that it has read everything. */
static void wait_for_the_end(int fd)
{
	char byte;

	if (shutdown(fd, SHUT_WR))
		fail("shutdown");
	if (read(fd, &byte, 1) < 0)
		fail("read");
}

static int do_send(char **arg)
{
	unsigned char *buf = malloc(opt.piece);
	struct count count;
	struct source src;
	ssize_t n;
	int fd;

	source_open(&src, arg[2]);
	fd = connected(arg[0], arg[1]);
	count_start(&count);
	while ((n = source_read(&src, buf, opt.piece)) > 0) {
		count_add(&count, buf, n);
		source_send(&src, fd, buf, n);
	}
	wait_for_the_end(fd);
	count_end(&count);
	return 0;
}

static void echo(int fd)
{
	static char buf[BUF_BYTES];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, n, MSG_NOSIGNAL) != n)
			break;
	close(fd);
}

static int do_echo_server(char **arg)
{
	int lis = listening(arg[0]);

	while (opt.connections--)
		echo(accept_one(lis));
	return 0;
}

static int do_echo_client(char **arg)
{
	int fd = connected(arg[0], arg[1]);
	char buf[BUF_BYTES];
	ssize_t n;
	int i;

	for (i = 2; arg[i]; i++) {
		if (send(fd, arg[i], strlen(arg[i]), MSG_NOSIGNAL) < 0)
			fail("send");
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0)
			fail("recv");
		printf("%.*s\n", (int)n, buf);
	}
	return 0;
}

static int do_dgram_recv(char **arg)
{
	int fd = bound(SOCK_DGRAM, arg[0]);
	long left = atol(arg[1]);
	struct sockaddr_in6 from;
	char buf[BUF_BYTES];
	socklen_t len;
	ssize_t n;

	while (left--) {
		len = sizeof(from);
		n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &len);
		if (n < 0)
			fail("recvfrom");
		printf("%s %.*s\n", name_of(&from), (int)n, buf);
		fflush(stdout);
	}
	return 0;
}

static int do_dgram_send(char **arg)
{
	int fd = make_socket(SOCK_DGRAM), i;
	struct sockaddr_in6 to;

	set_addr(&to, arg[0], arg[1]);
	for (i = 2; arg[i]; i++)
		if (sendto(fd, arg[i], strlen(arg[i]), 0, (void *)&to,
			   sizeof(to)) < 0)
			fail("sendto");
	return 0;
}

static int do_dgram_flood(char **arg)
{
	int fd = make_socket(SOCK_DGRAM);
	static char zeros[1000];
	struct sockaddr_in6 to;

	set_addr(&to, arg[0], arg[1]);
	for (;;)
		if (sendto(fd, zeros, sizeof(zeros), 0, (void *)&to,
			   sizeof(to)) < 0 && errno != ECONNREFUSED)
			fail("sendto");
}

/* Pass on what stdin says. Return: whether there is more to come. */
static bool say_something(int fd)
{
	char text[256];
	ssize_t n = read(0, text, sizeof(text));

	if (n > 0 && send(fd, text, n, MSG_NOSIGNAL) < 0)
		fail("send");
	return n > 0;
}

/* How it ends, and how long after the last word. */
static int do_watch(char **arg)
{
	int fd = connected(arg[0], arg[1]), error;
	struct pollfd pfds[2] = { { fd, POLLIN, 0 }, { 0, POLLIN, 0 } };
	long long start = now_ms();
	ssize_t n = 1;
	char byte;

	printf("connected\n");
	fflush(stdout);
	while (n > 0 && poll(pfds, 2, -1) > 0) {
		if (pfds[1].revents) {
			start = now_ms();
			if (!say_something(fd))
				pfds[1].fd = -1;
		}
		if (pfds[0].revents)
			n = recv(fd, &byte, 1, 0);
	}
	error = n < 0 ? errno : 0;
	printf("%s after %lld ms\n", n < 0 ? strerror(error) : "the end",
	       now_ms() - start);
	return error;
}

static void wait_to_be_killed(void)
{
	printf("ready\n");
	fflush(stdout);
	for (;;)
		pause();
}

static int do_keep(char **arg)
{
	int lis = listening(arg[0]);

	accept_one(lis);
	wait_to_be_killed();
	return 0;
}

static int do_hold(char **arg)
{
	(void)arg;
	make_socket(stream_type());
	wait_to_be_killed();
	return 0;
}

static const struct {
	const char *name;
	int args;
	int (*fn)(char **arg);
} commands[] = {
	{ "recv", 2, do_recv },
	{ "send", 3, do_send },
	{ "echo-server", 1, do_echo_server },
	{ "echo-client", 3, do_echo_client },
	{ "dgram-recv", 2, do_dgram_recv },
	{ "dgram-send", 3, do_dgram_send },
	{ "dgram-flood", 2, do_dgram_flood },
	{ "watch", 2, do_watch },
	{ "keep", 1, do_keep },
	{ "hold", 0, do_hold },
};

static void parse_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+tq61pfn:w:")) != -1) {
		switch (c) {
		case 't':
			opt.tcp = true;
			break;
		case 'q':
			opt.seqpacket = true;
			break;
		case '6':
			opt.inet6 = true;
			break;
		case '1':
			opt.once = true;
			break;
		case 'p':
			opt.progress = true;
			break;
		case 'f':
			opt.sendfile = true;
			break;
		case 'n':
			opt.connections = atol(optarg);
			break;
		case 'w':
			opt.piece = strtoul(optarg, NULL, 0);
			break;
		default:
			errx(EINVAL, "see the head of xfer.c");
		}
	}
}

int main(int argc, char **argv)
{
	size_t i;

	parse_options(argc, argv);
	argc -= optind;
	argv += optind;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc > commands[i].args && !strcmp(argv[0], commands[i].name))
			return commands[i].fn(argv + 1);
	errx(EINVAL, "usage: xfer [-tq61pf] [-n N] [-w N] recv|send|echo-server|echo-client|dgram-recv|dgram-send|dgram-flood|watch|keep|hold ...");
}
