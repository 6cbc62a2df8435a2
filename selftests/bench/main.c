// SPDX-License-Identifier: GPL-2.0
/*
 * Run every row of a road: all families of a workload in turn, A B C A B C, as often as
 * BENCH_RUNS says. A row whose runs differ by more than TOLERANCE is run again, twice as long.
 *
 * The environment chooses: WEFT_ROAD, BENCH_WORKLOADS, BENCH_FAMILIES (names or their beginnings
 * with a `*`), BENCH_RUNS, and where the ends are (family.c). Standard output has a line
 * for each run:
 *
 *	run,WORKLOAD,ROAD,FAMILY,N,VALUE,METRIC,UNIT
 *	count,WORKLOAD,ROAD,FAMILY,VALUE,COUNTER,UNIT
 *	memory,memory,ROAD,FAMILY,VALUE,METRIC,UNIT
 *	none,WORKLOAD,ROAD,FAMILY,WHY
 *	done,WORKLOAD,ROAD,FAMILY		all of the row is above
 *
 * BENCH_SKIP has rows that are done already, as WORKLOAD/ROAD/FAMILY. When the file BENCH_OUT/stop
 * is there the workload at hand is the last.
 *
 * With BENCH_PAIRS a row tells instead what two pairs move as a multiple of what one does.
 * With BENCH_SMOKE each row is run once, with few operations: do the programs work?
 * With BENCH_PROFILE the rows that it has as WORKLOAD/ROAD/FAMILY are run, once each, for
 * tools/bench-profile.
 */
#include <fnmatch.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

/* Runs of a row may differ by so much, as a share of their median. */
#define TOLERANCE	0.005
#define WIDEN_MAX	3
#define RUNS_MAX	16
#define ROWS_MAX	16

static const struct work *const work_tables[] = {
	stream_works, pingpong_works, rate_works, connect_works, idle_works, bind_works,
};

/* A family's row of one workload. */
struct row {
	const struct family *f;
	unsigned int n;
	double value[RUNS_MAX];
	unsigned int runs;
	bool settled;
	bool absent;
};

static struct run the_run;
static unsigned int runs_wanted = 5;
static unsigned int road;

/* Is NAME one of the patterns in the environment's VARIABLE? */
static bool is_listed(const char *variable, const char *name)
{
	const char *text = getenv(variable);
	char *copy = strdup(text ? text : ""), *word, *at;
	bool found = false;

	for (word = strtok_r(copy, " ,", &at); word && !found; word = strtok_r(NULL, " ,", &at))
		found = fnmatch(word, name, 0) == 0;
	free(copy);
	return found;
}

/* The same, and true when VARIABLE is unset. */
static bool is_chosen(const char *variable, const char *name)
{
	const char *text = getenv(variable);

	return !text || !*text || is_listed(variable, name);
}

/* Is the row one of those in VARIABLE? */
static bool is_row_listed(const char *variable, const struct work *w, const struct family *f)
{
	char row[128];

	snprintf(row, sizeof(row), "%s/%s/%s", w->name, road_names[road], f->name);
	return is_listed(variable, row);
}

static bool is_over(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/stop", getenv("BENCH_OUT") ? getenv("BENCH_OUT") : "");
	return access(path, F_OK) == 0;
}

static unsigned int widest(const struct work *w)
{
	return w->bytes ? ARENA_BYTES / w->bytes - 1 : UINT32_MAX;
}

static void prepare_run(const struct work *w, const struct row *row)
{
	static unsigned int port = 2000;

	the_run.w = w;
	the_run.f = row->f;
	the_run.road = road;
	the_run.n = row->n;
	the_run.warm = (w->n < row->n ? w->n : row->n) / w->warm_share;
	port += 2;
	the_run.port = port;
	memset(the_run.got, 0, w->bytes ? (row->n + 1) * (size_t)w->bytes : 0);
}

static void print_samples(const struct work *w, struct row *row)
{
	unsigned int i;
	double value;

	for (i = 0; i < the_run.s->samples; i++) {
		value = ticks_to_unit(the_run.s->sample[i]) / row->n / w->divisor;
		if (row->runs < RUNS_MAX)
			row->value[row->runs++] = value;
		printf("run,%s,%s,%s,%u,%.4f,%s,%s%s\n", w->name, road_names[road],
		       row->f->name, row->n, value, w->metric, unit_of_time(), w->unit);
	}
	if (the_run.s->kb && w->idle >= 10000)
		printf("memory,memory,%s,%s,%.0f,memory of an idle connection,bytes\n",
		       road_names[road], row->f->name, the_run.s->kb * 1024.0 / (w->idle + 1));
}

static void print_counts(const struct work *w, const struct row *row)
{
	const unsigned long long *values = the_run.s->count;
	double megabytes = (double)row->n * w->bytes / 1e6;
	unsigned int i;

	for (i = 0; i < COUNTERS; i++)
		printf("count,%s,%s,%s,%.4f,%s,/operation\n", w->name, road_names[road],
		       row->f->name, (double)values[i] / row->n, counter_names[i]);
	if (w->divisor > 1)
		printf("count,%s,%s,%s,%.4f,%s,/MB\n", w->name, road_names[road],
		       row->f->name, values[SWITCHES] / megabytes, counter_names[SWITCHES]);
}

static void run_row(const struct work *w, struct row *row)
{
	prepare_run(w, row);
	if (run_once(&the_run)) {
		print_samples(w, row);
		if (the_run.s->counted)
			print_counts(w, row);
	} else {
		row->absent = true;
		printf("none,%s,%s,%s,%s\n", w->name, road_names[road], row->f->name,
		       the_run.s->why);
	}
	fflush(stdout);
}

/* What the kernel did, in a run of its own. */
static void count_row(const struct work *w, const struct row *row)
{
	if (counters_open()) {
		prepare_run(w, row);
		the_run.counting = true;
		if (run_once(&the_run))
			print_counts(w, row);
		the_run.counting = false;
	}
	counters_close();
	fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* All runs but the two outermost agree. */
static bool has_settled(struct row *row)
{
	unsigned int skip = row->runs >= 5;
	double low, high, middle;

	qsort(row->value, row->runs, sizeof(row->value[0]), by_value);
	low = row->value[skip];
	high = row->value[row->runs - 1 - skip];
	middle = row->value[row->runs / 2];
	return high - low <= TOLERANCE * middle;
}

static unsigned int settle_rows(const struct work *w, struct row *rows, unsigned int count)
{
	unsigned int i, open = 0;

	for (i = 0; i < count; i++) {
		struct row *row = &rows[i];

		if (row->absent || row->settled)
			continue;
		row->settled = w->once || has_settled(row) || row->n * 2 > widest(w);
		if (row->settled)
			continue;
		row->n *= 2;
		row->runs = 0;
		open++;
	}
	return open;
}

/* Few operations: each instruction of them is told to the host. */
static void profile_row(const struct work *w, struct row *row)
{
	row->n = w->n / 4 ? w->n / 4 : 1;
	the_run.profiling = true;
	run_row(w, row);
}

static void smoke_rows(const struct work *w, struct row *rows, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		rows[i].n = rows[i].n / 50 + 1;
		run_row(w, &rows[i]);
	}
}

static void profile_rows(const struct work *w, struct row *rows, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (is_row_listed("BENCH_PROFILE", w, rows[i].f))
			profile_row(w, &rows[i]);
}

static void compare_pairs(const struct work *w, struct row *row)
{
	double ratio;

	/* As long as can be: the pairs do not start at the same time. */
	row->n = widest(w);
	prepare_run(w, row);
	ratio = pairs_ratio(&the_run);
	if (ratio)
		printf("run,pairs,%s,%s,%u,%.4f,throughput of two pairs,x that of one\n",
		       road_names[road], row->f->name, row->n, ratio);
	else
		printf("none,pairs,%s,%s,a pair failed\n", road_names[road], row->f->name);
	fflush(stdout);
}

static void print_done(const char *name, const struct row *rows, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		printf("done,%s,%s,%s\n", name, road_names[road], rows[i].f->name);
	fflush(stdout);
}

static void compare_all(const struct work *w, struct row *rows, unsigned int count)
{
	unsigned int r, i;

	for (r = 0; r < runs_wanted; r++)
		for (i = 0; i < count; i++)
			compare_pairs(w, &rows[i]);
	print_done("pairs", rows, count);
}

static void run_work(const struct work *w, struct row *rows, unsigned int count)
{
	unsigned int widened, i, r, runs = w->once ? 1 : runs_wanted;

	for (widened = 0; widened <= WIDEN_MAX; widened++) {
		for (r = 0; r < runs; r++)
			for (i = 0; i < count; i++)
				if (!rows[i].settled && !rows[i].absent)
					run_row(w, &rows[i]);
		if (!settle_rows(w, rows, count))
			break;
	}
	for (i = 0; i < count; i++)
		if (!rows[i].absent && !w->once)
			count_row(w, &rows[i]);
	print_done(w->name, rows, count);
}

static void consider(const struct work *w)
{
	struct row rows[ROWS_MAX] = { 0 };
	const struct family *f;
	unsigned int count = 0;

	if (!(w->roads & 1u << road) || !is_chosen("BENCH_WORKLOADS", w->name) || is_over())
		return;
	for (f = families; f->name && count < ROWS_MAX; f++) {
		if (!(f->kind & w->kinds) || !(f->roads & 1u << road) ||
		    !is_chosen("BENCH_FAMILIES", f->name) || is_row_listed("BENCH_SKIP", w, f))
			continue;
		if (!family_is_here(f)) {
			printf("none,%s,%s,%s,this kernel does not have it\n", w->name,
			       road_names[road], f->name);
			continue;
		}
		rows[count].n = w->n < widest(w) ? w->n : widest(w);
		rows[count++].f = f;
	}
	if (!count)
		return;
	fprintf(stderr, "bench: %s over %s\n", w->name, road_names[road]);
	if (getenv("BENCH_PAIRS"))
		compare_all(w, rows, count);
	else if (getenv("BENCH_PROFILE"))
		profile_rows(w, rows, count);
	else if (getenv("BENCH_SMOKE"))
		smoke_rows(w, rows, count);
	else
		run_work(w, rows, count);
}

/* What is sent: no two places alike, and the same in every run. */
static void fill_arena(unsigned char *at)
{
	uint64_t *word = (uint64_t *)at, k;

	for (k = 0; k < ARENA_BYTES / sizeof(*word); k++)
		word[k] = (k + 1) * 0x9e3779b97f4a7c15ull ^ k >> 3;
}

int main(void)
{
	const char *name = getenv("WEFT_ROAD"), *runs = getenv("BENCH_RUNS");
	const struct work *w;
	unsigned int i;

	road = name && strcmp(name, "veth") == 0 ? VETH : LOCAL;
	if (runs && atoi(runs) > 0)
		runs_wanted = atoi(runs) < RUNS_MAX ? atoi(runs) : RUNS_MAX;
	clock_init();
	the_run.s = share_memory(sizeof(*the_run.s));
	the_run.sent = share_memory(ARENA_BYTES);
	the_run.got = share_memory(ARENA_BYTES);
	fill_arena(the_run.sent);
	for (i = 0; i < sizeof(work_tables) / sizeof(work_tables[0]); i++)
		for (w = work_tables[i]; w->name; w++)
			consider(w);
	return 0;
}
