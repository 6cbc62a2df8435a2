/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The scoreboard: one workload, run by any family over any road, measured between two marks.
 *
 *	main.c		which rows to run, in which order, and how often
 *	family.c	the families: how a socket of each is made, named and tuned
 *	run.c		one run: two processes, their meeting points, marks, buffers
 *	pairs.c		two runs at the same time, against one
 *	count.c		the clock, and counters of what the kernel did in between
 *	work_*.c	the workloads
 *
 * A run has a passive end, which listens, and an active one, which connects; each is a process
 * in the network namespace of its node. What is timed lies between mark_start and mark_end;
 * set-up, warm-up and the comparison of every byte lie outside.
 */
#ifndef WEFT_BENCH_H
#define WEFT_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* What a socket keeps of what was written: nothing, the boundaries, or no promise at all. */
enum kind { STREAM = 1, SEQ = 2, DGRAM = 4 };

enum { LOCAL, VETH, ROADS };

/* What the kernel did meanwhile. */
enum { SKBS, PAGES, OBJECTS, SWITCHES, COUNTERS };

/* SO_SNDBUF and SO_RCVBUF of every family, bytes, unless the row says `defaults`. */
#define BUFFER_BYTES	212992

/* Both ends' memory for what is sent and received, bytes. */
#define ARENA_BYTES	(32u << 20)

#define SAMPLES_MAX	16

struct address {
	struct sockaddr_storage to;
	socklen_t len;
};

/**
 * struct family - a way to make sockets
 * @name: as the table prints it
 * @kind: STREAM, SEQ or DGRAM
 * @domain: address family; 0 is weft's, which is asked of the kernel
 * @type: of socket()
 * @protocol: of socket()
 * @roads: a bit for each road that it can take
 * @fill_address: the address of the passive end (or, with @active, the active end) at @port
 * @hurry: tune a socket that plays ping-pong as the family's experts do; may be NULL
 * @seal: what a connected socket needs before bytes go sealed; negative: it cannot; may be NULL
 * @needs: a variable of the environment that is set where the family has a road; may be NULL
 */
struct family {
	const char *name;
	enum kind kind;
	int domain;
	int type;
	int protocol;
	unsigned int roads;
	void (*fill_address)(struct address *a, unsigned int port, bool active);
	void (*hurry)(int fd);
	int (*seal)(int fd);
	const char *needs;
};

struct run;

/**
 * struct work - a workload
 * @name: as the table prints it
 * @kinds: a bit for each kind of socket that can do it
 * @roads: a bit for each road where it means something
 * @bytes: of one write, message or question
 * @hurry: it waits for answers, so its sockets are tuned for that
 * @defaults: buffers stay as the family makes them
 * @n: operations in a run that has not been widened
 * @idle: connections that stand beside
 * @warm_share: that part of @n is done before the clock starts: n / warm_share
 * @once: a run is long, and takes its own samples, the last of them counted
 * @metric: what is told
 * @unit: its unit
 * @divisor: of one operation: bytes when cost is told for each byte, 1 for each operation
 * @passive: the end that listens
 * @active: the end that connects
 */
struct work {
	const char *name;
	unsigned int kinds;
	unsigned int roads;
	unsigned int bytes;
	bool hurry;
	bool defaults;
	unsigned int n;
	unsigned int idle;
	unsigned int warm_share;
	bool once;
	const char *metric;
	const char *unit;
	unsigned int divisor;
	void (*passive)(struct run *run);
	void (*active)(struct run *run);
};

/**
 * struct shared - what both ends of a run write and the driver reads
 * @from: clock at mark_start
 * @sample: clock ticks of all n operations; a run that is `once` takes several
 * @samples: how many
 * @count: what the kernel did in the counted sample, by counter
 * @counted: there was one
 * @kb: MemAvailable that the run's connections took, KiB
 * @verified: bytes that were compared with what was sent
 * @why: what failed
 */
struct shared {
	unsigned long long from;
	unsigned long long sample[SAMPLES_MAX];
	unsigned int samples;
	unsigned long long count[COUNTERS];
	bool counted;
	long kb;
	unsigned long long verified;
	char why[160];
};

/**
 * struct run - one run
 * @w: its workload
 * @f: its family
 * @road: LOCAL or VETH
 * @n: timed operations
 * @warm: operations before them
 * @port: nobody used it before
 * @counting: counters run too, so the time is not told
 * @profiling: the host profiles what is timed
 * @meet: two pipes, over which the ends wait for each other
 * @is_active: which end this process is
 * @s: shared by the processes
 * @sent: what is sent, from its first byte, the same in every run
 * @got: where it lands
 */
struct run {
	const struct work *w;
	const struct family *f;
	unsigned int road;
	unsigned int n;
	unsigned int warm;
	unsigned int port;
	bool counting;
	bool profiling;
	int meet[2][2];
	bool is_active;
	struct shared *s;
	unsigned char *sent;
	unsigned char *got;
};

/* family.c */
extern const struct family families[];
const struct family *family_named(const char *name);
bool family_is_here(const struct family *f);
int make_socket(const struct run *run);
void tune_socket(const struct run *run, int fd);
void name_socket(const struct run *run, int fd, bool active);
void fill_address(const struct run *run, struct address *a, bool active);

/* run.c */
extern const char *const road_names[ROADS];
bool run_once(struct run *run);
void fail(struct run *run, const char *what) __attribute__((noreturn));
void tell(struct run *run);
void await(struct run *run);
void mark_start(struct run *run);
void mark_end(struct run *run);
void count_from_here(struct run *run);
void prepare_memory(struct run *run, size_t sent, size_t got);
void verify(struct run *run, const unsigned char *got, const unsigned char *sent, size_t bytes);
void send_all(struct run *run, int fd, const unsigned char *from, size_t bytes);
void recv_all(struct run *run, int fd, unsigned char *to, size_t bytes);
void await_end(struct run *run, int fd);
int listen_here(struct run *run, int backlog);
int accept_one(struct run *run, int listener);
int connect_there(struct run *run);
int meet(struct run *run);

void *share_memory(size_t bytes);

/* pairs.c: what two pairs move, as a multiple of what one does; 0: that failed */
double pairs_ratio(const struct run *run);

/* count.c */
extern const char *const counter_names[COUNTERS];
extern bool is_icount;
unsigned long long now(void);
void clock_init(void);
double ticks_to_unit(double ticks);
const char *unit_of_time(void);
bool counters_open(void);
void counters_start(void);
void counters_stop(void);
void counters_read(unsigned long long *values);
void counters_close(void);
long available_kb(void);

/* work_*.c */
extern const struct work stream_works[], pingpong_works[], rate_works[], connect_works[],
	idle_works[], bind_works[];

#endif /* WEFT_BENCH_H */
