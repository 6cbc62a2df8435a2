#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the runs of the network bench say: a table, a CSV file and a plot of each case.

    report.py DIRECTORY CSV RATE-MBIT

DIRECTORY holds CASE.FAMILY.RUN, as run.sh leaves them. The status is 1 when a run is not valid
(the guest was too busy, frames were larger than the wire's, nothing was reordered, a byte was
wrong or missing); a requirement that is not met is told, and is no error of the bench.
"""
import collections
import glob
import os
import re
import statistics
import subprocess
import sys

FRAME = 1514            # Ethernet header and MTU, what tbf counts
IDLE_LEAST = 30         # percent
RTT_MS = {'connect': 20}
WINDOW_MS = 300         # over which a rate is taken to be full again
FULL = 0.9              # of the rate before
STARVED = 0.1           # of a fair share

CASES = collections.OrderedDict([
    ('loss1', '1 % random loss'),
    ('loss5', '5 % random loss'),
    ('jitter', '0.1 % loss, 3 ms jitter, reordering'),
    ('fair', '55 flows of ten pairs'),
    ('mixed1', '64 B requests beside 4 bulk flows, one pair'),
    ('mixed2', '64 B requests beside 4 bulk flows, two pairs'),
    ('connect', 'request on a new connection, 20 ms RTT'),
    ('rate', '100 to 10 Mbit/s at 5 s and back at 10 s'),
    ('down', 'link down at 5 s, up at 10 s'),
    ('stop', 'reader stopped for 60 s'),
    ('share', 'two flows beside two of TCP cubic'),
    ('shuffled', '50 Mbit/s, 40 ms, a quarter overtakes all'),
    ('burst', '50 Mbit/s, 30 ms, losses in bursts'),
    ('fat', '300 Mbit/s, 80 ms, 0.01 % loss'),
    ('far', '20 Mbit/s, 600 ms, 0.1 % loss'),
    ('policed', '50 Mbit/s, 40 ms, no buffer'),
    ('askew', '50 Mbit/s, 20 ms, 1 Mbit/s back'),
])


class Run:
    """One file: lines of `word number` pairs."""

    def __init__(self, path):
        self.case, self.family, self.number = os.path.basename(path).split('.')
        self.flows, self.samples, self.counters = [], [], {}
        self.rtts, self.events, self.errors, self.watches = [], [], [], {}
        self.times, self.total, self.peak, self.tcp = {}, {}, {}, {}
        self.cold = self.status = None
        for line in open(path, encoding='ascii', errors='replace'):
            self.take(line.split())

    def take(self, words):
        if not words:
            return
        what, pairs = words[0], dict(zip(words[1::2], words[2::2]))
        if what == 'flow':
            self.flows.append(int(words[3]))
        elif what == 'sample':
            self.samples.append((int(words[1]), int(words[2])))
        elif what in ('rtt', 'warm'):
            self.rtts.append(int(words[1]))
        elif what == 'cold':
            self.cold = int(words[1])
        elif what == 'counter':
            self.counters[words[1], words[2]] = int(words[3])
        elif what == 'event':
            self.events.append(int(words[1]))
        elif what == 'status':
            self.status = int(words[1])
        elif what == 'error':
            self.errors.append(' '.join(words))
        elif what.startswith('watch_'):
            self.watches[what[6:]] = {k: int(v) for k, v in pairs.items()}
        elif what == 'peak':
            self.peak = {words[i]: (int(words[i + 1]), int(words[i + 3])) for i in (1, 5)}
        elif what in ('times', 'total', 'beside'):
            at = {'times': self.times, 'total': self.total, 'beside': self.tcp}[what]
            at.update({k: int(v) for k, v in pairs.items()})

    def faults(self):
        """Why this run says nothing, if so."""
        found = list(self.errors)
        if self.status != 0:
            found.append('status %s' % self.status)
        if self.total and self.total['idle'] < IDLE_LEAST:
            found.append('the guest was only %d %% idle' % self.total['idle'])
        for name, watch in self.watches.items():
            if watch['oversize']:
                found.append('%d frames on %s were larger than the MTU' % (watch['oversize'], name))
            if not watch['payload']:
                found.append('no frame with payload was seen on ' + name)
        if self.case == 'jitter' and not self.watches.get('b0', {}).get('late'):
            found.append('R2 reordered nothing')
        return found

    def goodput(self, total=None):
        total = total or self.total
        return total['bytes'] * 8 / total['ms'] / 1000

    def possible(self, rate):
        """What the bottleneck carries of payload, Mbit/s."""
        return rate * max(w['payload'] for w in self.watches.values()) / FRAME

    def full_again(self, event):
        """Seconds from an event until the rate is again what it was before the first."""
        at = dict((ms - ms % 100, got) for ms, got in self.samples)
        first = self.events[0] - self.events[0] % 100
        before = (at[first] - at[first - 2000]) / 2000
        for ms in sorted(at):
            if ms - WINDOW_MS >= event and ms - WINDOW_MS in at and \
                    at[ms] - at[ms - WINDOW_MS] >= FULL * before * WINDOW_MS:
                return (ms - event) / 1000
        return float('inf')

    def spurious(self):
        """Percent of what was sent that the receiver had already."""
        if self.family.startswith('tcp'):
            twice = sum(self.counters.get(('A', 'TcpExt:' + name), 0)
                        for name in ('TCPDSACKRecv', 'TCPDSACKOfoRecv'))
            return 100 * twice / self.counters['A', 'Tcp:OutSegs']
        frames = sum(self.flows) / self.watches['b0']['payload']
        return 100 * self.counters.get(('B', 'drop_state'), 0) / frames

    def metrics(self, rate):
        """(metric, unit, which is better, value)"""
        case = self.case
        if self.total:
            yield 'goodput', 'Mbit/s', 'higher', self.goodput()
            yield 'idle', '%', 'higher', self.total['idle']
        if case in ('loss1', 'loss5', 'jitter'):
            lossless = {'loss1': 0.99, 'loss5': 0.95, 'jitter': 1}[case]
            yield 'of_possible', '1', 'higher', self.goodput() / lossless / self.possible(rate)
        if case == 'jitter':
            yield 'spurious', '%', 'lower', self.spurious()
        if case == 'fair':
            mean = sum(self.flows) / len(self.flows)
            square = sum(f * f for f in self.flows)
            yield 'jain', '1', 'higher', sum(self.flows) ** 2 / len(self.flows) / square if square else 0
            yield 'least_flow', '1', 'higher', min(self.flows) / mean if mean else 0
        if case in ('mixed1', 'mixed2'):
            yield 'p50', 'ms', 'lower', self.times['p50_us'] / 1000
            yield 'p99', 'ms', 'lower', self.times['p99_us'] / 1000
        if case == 'connect':
            yield 'warm', 'RTT', 'lower', self.times['p50_us'] / 1000 / RTT_MS[case]
            yield 'cold', 'RTT', 'lower', self.cold / 1000 / RTT_MS[case]
        if case in ('rate', 'down'):
            yield 'full_again', 's', 'lower', self.full_again(self.events[1])
        if case == 'stop':
            for kind, (held, limit) in sorted(self.peak.items()):
                yield kind, 'of limit', 'lower', held / limit
        if case == 'share':
            yield 'tcp_goodput', 'Mbit/s', 'higher', self.goodput(self.tcp)


def requirements(value):
    """(case, metric, text, whether it is met); value(case, metric, family) or None."""
    def least(case, metric, bound):
        return case, metric, '>= %g' % bound, lambda v: v >= bound

    def most(case, metric, bound):
        return case, metric, '<= %g' % bound, lambda v: v <= bound

    yield least('loss1', 'of_possible', 0.93)
    yield least('loss5', 'of_possible', 0.93)
    for case in ('loss1', 'loss5'):
        bbr = value(case, 'goodput', 'tcp-bbr')
        if bbr is not None:
            yield case, 'goodput', '>= bbr, %.1f' % bbr, lambda v, bbr=bbr: v >= bbr
    yield least('jitter', 'of_possible', 0.9)
    yield most('jitter', 'spurious', 1)
    yield least('fair', 'jain', 0.97)
    yield least('fair', 'least_flow', STARVED)
    for case in ('mixed1', 'mixed2'):
        cubic = value(case, 'p99', 'tcp-cubic')
        if cubic is not None:
            yield case, 'p99', '<= cubic/5, %.1f' % (cubic / 5), lambda v, cubic=cubic: v <= cubic / 5
    yield most('connect', 'warm', 1.1)
    yield most('rate', 'full_again', 2)
    yield most('down', 'full_again', 2)
    yield most('stop', 'unread', 1)
    yield most('stop', 'unsent', 1)


def read_runs(folder):
    names = (n for n in sorted(glob.glob(os.path.join(folder, '*.*.*')))
             if re.fullmatch(r'[a-z0-9]+\.[a-z0-9-]+\.[0-9]+', os.path.basename(n)))
    return [Run(n) for n in names]


def medians(runs, rate):
    """{(case, metric, family): (unit, better, median, runs)}"""
    found = collections.OrderedDict()
    for run in runs:
        for metric, unit, better, v in run.metrics(rate):
            found.setdefault((run.case, metric, run.family), (unit, better, []))[2].append(v)
    return {k: (unit, better, statistics.median(v), len(v)) for k, (unit, better, v) in found.items()}


def show(value):
    return '%.3f' % value if value < 10 else '%.1f' % value


def table(found):
    """Rows of the readable table, weft's requirement and verdict at the end."""
    families = sorted({f for _, _, f in found}, key=lambda f: (not f.startswith('weft'), f))
    wanted = collections.defaultdict(list)
    for case, metric, text, ok in requirements(lambda c, m, f: found.get((c, m, f), [None] * 3)[2]):
        wanted[case, metric].append((text, ok))
    yield '%-8s %-12s %-8s' % ('case', 'metric', 'unit') + ''.join('%12s' % f for f in families) + '  weft must be'
    for case in CASES:
        for metric in list(collections.OrderedDict.fromkeys(m for c, m, _ in found if c == case)):
            cells = [found.get((case, metric, f)) for f in families]
            line = '%-8s %-12s %-8s' % (case, metric, next(c for c in cells if c)[0])
            line += ''.join('%12s' % (show(c[2]) if c else '-') for c in cells)
            weft = found.get((case, metric, 'weft'))
            for text, ok in wanted[case, metric]:
                if weft:
                    line += '  %s: %s' % (text, 'met' if ok(weft[2]) else 'NOT MET')
            yield line


def write_csv(path, found):
    with open(path, 'w', encoding='ascii') as f:
        f.write('case,family,metric,unit,better,value\n')
        for (case, metric, family), (unit, better, value, _) in found.items():
            f.write('%s,%s,%s,%s,%s,%.6g\n' % (case, family, metric, unit, better, value))


def plot_points(run):
    """(x label, y label, style, points) of what one run shows."""
    if run.case in ('mixed1', 'mixed2', 'connect'):
        rtts = sorted(run.rtts)
        return 'ms', 'share of requests answered', 'steps', [(r / 1000, (i + 1) / len(rtts)) for i, r in enumerate(rtts)]
    if run.case == 'fair':
        return 'flow, by size', 'Mbit/s', 'linespoints', [
            (i + 1, f * 8 / run.total['ms'] / 1000) for i, f in enumerate(sorted(run.flows))]
    step = 5
    return 's', 'Mbit/s', 'lines', [
        (run.samples[i][0] / 1000, (run.samples[i][1] - run.samples[i - step][1]) * 8 /
         max(run.samples[i][0] - run.samples[i - step][0], 1) / 1000)
        for i in range(step, len(run.samples), step)]


def plot(folder, case, runs):
    """One picture: the first run of each family."""
    curves, labels = [], ('', '')
    for run in runs:
        x, y, style, points = plot_points(run)
        data = os.path.join(folder, '%s.%s.dat' % (case, run.family))
        with open(data, 'w', encoding='ascii') as f:
            f.writelines('%g %g\n' % p for p in points)
        labels = x, y
        curves.append('"%s" with %s linewidth 2 title "%s"' % (data, style, run.family))
    script = ('set terminal png size 900,500\nset output "%s/%s.png"\nset title "%s"\nset xlabel "%s"\n'
              'set ylabel "%s"\nset yrange [0:*]\nset key bottom right\nplot %s\n'
              % (folder, case, CASES[case], labels[0], labels[1], ', '.join(curves)))
    with open(os.path.join(folder, case + '.gnuplot'), 'w', encoding='ascii') as f:
        f.write(script)
    subprocess.run(['gnuplot', os.path.join(folder, case + '.gnuplot')], check=True)


def main():
    folder, csv, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
    runs = read_runs(folder)
    bad = [(r, fault) for r in runs for fault in r.faults()]
    whole = [r for r in runs if not r.faults()]
    found = medians(whole, rate)
    lines = list(table(found))
    lines += ['medians of %s valid runs' % '/'.join(map(str, sorted({n for _, _, _, n in found.values()})))]
    lines += ['NOT VALID: %s of %s, run %s: %s' % (r.case, r.family, r.number, fault) for r, fault in bad]
    print('\n'.join(lines))
    with open(os.path.join(folder, 'table.txt'), 'w', encoding='ascii') as f:
        f.write('\n'.join(lines) + '\n')
    write_csv(csv, found)
    for case in CASES:
        first = {}
        for run in whole:
            if run.case == case:
                first.setdefault(run.family, run)
        if first:
            plot(folder, case, list(first.values()))
    return 1 if bad or not whole else 0


sys.exit(main())
