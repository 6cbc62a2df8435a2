// SPDX-License-Identifier: GPL-2.0
/*
 * The families, each with the address of its ends and what its experts would set.
 *
 * The environment tells the addresses: BENCH_IP_A and BENCH_IP_B, WEFT_ADDR_A and WEFT_ADDR_B,
 * and BENCH_WG_A and BENCH_WG_B where TCP goes through a WireGuard tunnel. AF_UNIX uses abstract names, TIPC service addresses, vsock its loopback.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/sctp.h>
#include <linux/tipc.h>
#include <linux/tls.h>
#include <linux/vm_sockets.h>
#include <linux/weft.h>

#include "bench.h"

#define ON_LOCAL	(1u << LOCAL)
#define ON_VETH		(1u << VETH)
#define ON_BOTH		(1u << LOCAL | 1u << VETH)

#define TIPC_SERVICE	18888

/* Both ends may have one address: the active end's port is so much higher. */
#define ACTIVE_PORTS	20000

static const char *text_of(const char *what, bool active)
{
	char name[32];
	const char *text;

	snprintf(name, sizeof(name), "%s_%c", what, active ? 'A' : 'B');
	text = getenv(name);
	if (!text) {
		fprintf(stderr, "bench: %s is not set\n", name);
		exit(2);
	}
	return text;
}

/* Asked once: it reads a file, and no row is to measure that. */
static int weft_number(void)
{
	static int number;

	if (!number)
		number = weft_family();
	return number;
}

static void weft_address(struct address *a, unsigned int port, bool active)
{
	struct sockaddr_weft *to = (struct sockaddr_weft *)&a->to;

	to->sw_family = weft_number();
	to->sw_port = htons(port + (active ? ACTIVE_PORTS : 0));
	inet_pton(AF_INET6, text_of("WEFT_ADDR", active), to->sw_node);
	a->len = sizeof(*to);
}

static void fill_ip(struct address *a, unsigned int port, bool active, const char *what)
{
	struct sockaddr_in *to = (struct sockaddr_in *)&a->to;

	to->sin_family = AF_INET;
	to->sin_port = htons(port + (active ? ACTIVE_PORTS : 0));
	inet_pton(AF_INET, text_of(what, active), &to->sin_addr);
	a->len = sizeof(*to);
}

static void ip_address(struct address *a, unsigned int port, bool active)
{
	fill_ip(a, port, active, "BENCH_IP");
}

static void tunnel_address(struct address *a, unsigned int port, bool active)
{
	fill_ip(a, port, active, "BENCH_WG");
}

static void unix_address(struct address *a, unsigned int port, bool active)
{
	struct sockaddr_un *to = (struct sockaddr_un *)&a->to;

	to->sun_family = AF_UNIX;
	a->len = offsetof(struct sockaddr_un, sun_path) + 1 +
		 snprintf(to->sun_path + 1, 64, "bench-%u-%c", port, active ? 'A' : 'B');
}

static void tipc_address(struct address *a, unsigned int port, bool active)
{
	struct sockaddr_tipc *to = (struct sockaddr_tipc *)&a->to;

	to->family = AF_TIPC;
	to->addrtype = TIPC_SERVICE_ADDR;
	to->scope = TIPC_CLUSTER_SCOPE;
	to->addr.name.name.type = TIPC_SERVICE + active;
	to->addr.name.name.instance = port;
	a->len = sizeof(*to);
}

static void vsock_address(struct address *a, unsigned int port, bool active)
{
	struct sockaddr_vm *to = (struct sockaddr_vm *)&a->to;

	to->svm_family = AF_VSOCK;
	to->svm_cid = VMADDR_CID_LOCAL;
	to->svm_port = port;
	a->len = sizeof(*to);
}

static void hurry_tcp(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

static void hurry_sctp(int fd)
{
	setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &(int){ 1 }, sizeof(int));
}

/*
 * What a TLS 1.3 handshake would have left: here both directions have one key, known to all. The
 * kernel seals and opens the records; a card would do it only where it has the offload.
 */
static int seal_tls(int fd)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = { .version = TLS_1_3_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128 },
		.key = "scoreboard key", .salt = "sal", .iv = "nonce",
	};

	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0 ||
	       setsockopt(fd, SOL_TLS, TLS_TX, &keys, sizeof(keys)) < 0 ||
	       setsockopt(fd, SOL_TLS, TLS_RX, &keys, sizeof(keys)) < 0 ? -1 : 0;
}

const struct family families[] = {
	{ "weft", STREAM, 0, SOCK_STREAM, 0, ON_BOTH, weft_address },
	{ "tcp", STREAM, AF_INET, SOCK_STREAM, 0, ON_BOTH, ip_address, hurry_tcp },
	{ "unix", STREAM, AF_UNIX, SOCK_STREAM, 0, ON_LOCAL, unix_address },
	{ "tipc", STREAM, AF_TIPC, SOCK_STREAM, 0, ON_BOTH, tipc_address },
	{ "sctp", STREAM, AF_INET, SOCK_STREAM, IPPROTO_SCTP, ON_BOTH, ip_address, hurry_sctp },
	{ "vsock", STREAM, AF_VSOCK, SOCK_STREAM, 0, ON_LOCAL, vsock_address },
	{ "ktls", STREAM, AF_INET, SOCK_STREAM, 0, ON_BOTH, ip_address, hurry_tcp, seal_tls },
	{ "tcp-wg", STREAM, AF_INET, SOCK_STREAM, 0, ON_VETH, tunnel_address, hurry_tcp, NULL,
	  "BENCH_WG_A" },
	{ "weft-seq", SEQ, 0, SOCK_SEQPACKET, 0, ON_BOTH, weft_address },
	{ "unix-seq", SEQ, AF_UNIX, SOCK_SEQPACKET, 0, ON_LOCAL, unix_address },
	{ "tipc-seq", SEQ, AF_TIPC, SOCK_SEQPACKET, 0, ON_BOTH, tipc_address },
	{ "vsock-seq", SEQ, AF_VSOCK, SOCK_SEQPACKET, 0, ON_LOCAL, vsock_address },
	{ "weft-dgram", DGRAM, 0, SOCK_DGRAM, 0, ON_BOTH, weft_address },
	{ "udp", DGRAM, AF_INET, SOCK_DGRAM, 0, ON_BOTH, ip_address },
	{ "unix-dgram", DGRAM, AF_UNIX, SOCK_DGRAM, 0, ON_LOCAL, unix_address },
	{ "tipc-rdm", DGRAM, AF_TIPC, SOCK_RDM, 0, ON_BOTH, tipc_address },
	{ "rds", DGRAM, AF_RDS, SOCK_SEQPACKET, 0, ON_BOTH, ip_address },
	{ NULL }
};

static int domain_of(const struct family *f)
{
	return f->domain ? f->domain : weft_number();
}

/* The kernel has it, a socket can be made, and it has its road. */
bool family_is_here(const struct family *f)
{
	int fd = -1;

	if (!f->needs || getenv(f->needs))
		fd = socket(domain_of(f), f->type, f->protocol);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void fill_address(const struct run *run, struct address *a, bool active)
{
	memset(a, 0, sizeof(*a));
	run->f->fill_address(a, run->port, active);
}

/* An accepted socket does not inherit its buffers in every family, so it is tuned as well. */
void tune_socket(const struct run *run, int fd)
{
	int bytes = BUFFER_BYTES;

	if (!run->w->defaults &&
	    (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) < 0 ||
	     setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0))
		fail((struct run *)run, "setsockopt of the buffers");
	if (run->w->hurry && run->f->hurry)
		run->f->hurry(fd);
}

int make_socket(const struct run *run)
{
	int fd = socket(domain_of(run->f), run->f->type, run->f->protocol);

	if (fd < 0)
		fail((struct run *)run, "socket");
	tune_socket(run, fd);
	return fd;
}

void name_socket(const struct run *run, int fd, bool active)
{
	struct address a;

	fill_address(run, &a, active);
	if (bind(fd, (struct sockaddr *)&a.to, a.len) < 0)
		fail((struct run *)run, "bind");
}
