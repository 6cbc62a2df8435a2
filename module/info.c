// SPDX-License-Identifier: GPL-2.0
/* WEFT_INFO: what is known of a connection, for the program that has it. */
#include <linux/math64.h>
#include <linux/tcp.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "conn.h"
#include "info.h"
#include "node.h"
#include "sock.h"

static u32 in_us(u64 ns)
{
	return min_t(u64, div_u64(ns, NSEC_PER_USEC), U32_MAX);
}

static u8 state_of(const struct sock *sk)
{
	const struct weft_sock *wsk = weft_sk(sk);
	bool ours = sk->sk_shutdown & SEND_SHUTDOWN;

	switch (sk->sk_state) {
	case TCP_LISTEN:
		return WEFT_STATE_LISTEN;
	case TCP_SYN_SENT:
		return WEFT_STATE_OPENING;
	case TCP_ESTABLISHED:
		break;
	default:
		return WEFT_STATE_CLOSED;
	}
	if (READ_ONCE(wsk->rx_eof))
		return ours ? WEFT_STATE_CLOSING : WEFT_STATE_GOT_CLOSE;
	return ours ? WEFT_STATE_SENT_CLOSE : WEFT_STATE_OPEN;
}

static void fill_times(struct weft_info *info, const struct weft_engine *e)
{
	info->rtt_us = in_us(e->rtt.srtt_ns);
	info->rttvar_us = in_us(e->rtt.var_ns);
	info->min_rtt_us = in_us(e->rtt.min_ns);
	info->rto_us = in_us(weft_rtt_rto(&e->rtt, e->backoff));
}

/* Of what sends no packets: as it would begin. */
static void fill_cc(struct weft_info *info, const struct weft_conn *conn)
{
	const struct weft_engine *e = &conn->engine;
	struct weft_cc fresh;
	const struct weft_cc *cc = &fresh;

	if (e->tx) {
		cc = &e->tx->cc;
	} else {
		weft_cc_init(&fresh, e->params.cc, e->params.mss);
		fresh.max_rate = weft_conn_max_rate(conn->sk);
	}
	info->cwnd = cc->cwnd;
	info->ssthresh = cc->ssthresh;
	info->pacing_rate = weft_cc_pace(cc);
	BUILD_BUG_ON(sizeof(info->congestion) != WEFT_CC_NAME_BYTES);
	strscpy(info->congestion, cc->ops->name, sizeof(info->congestion));
}

static void fill_sending(struct weft_info *info, const struct weft_engine *e)
{
	u64 una = min(e->snd_una, e->write_end);
	u64 nxt = min(e->snd_nxt, e->write_end);

	info->mss = e->params.mss;
	info->backoff = e->backoff;
	info->delivery_rate = e->rate;
	info->in_flight = e->in_flight;
	info->lost = e->lost_bytes;
	info->lost_total = e->lost;
	info->retransmitted = e->retransmitted;
	info->spurious = e->spurious;
	info->delivered = e->delivered;
	info->bytes_acked = una;
	info->bytes_sent = nxt + e->retransmitted;
	info->snd_window = e->snd_limit > una ? e->snd_limit - una : 0;
}

static void fill_conn(struct weft_info *info, const struct weft_conn *conn)
{
	const struct weft_engine *e = &conn->engine;

	fill_times(info, e);
	fill_cc(info, conn);
	fill_sending(info, e);
	info->bytes_received = e->rcv_nxt;
	info->rcv_window = e->rcv_limit > e->rcv_nxt ?
			   e->rcv_limit - e->rcv_nxt : 0;
	info->held_ranges = e->nr_ranges;
	info->unsent = conn->linked ? conn->tx_end - info->bytes_acked : 0;
}

void weft_info_fill(struct sock *sk, struct weft_info *info)
{
	struct weft_sock *wsk = weft_sk(sk);

	memset(info, 0, sizeof(*info));
	info->state = state_of(sk);
	info->road = wsk->road;
	info->max_message = wsk->max_message;
	info->peer_max_message = wsk->peer_max_message;
	info->sndbuf = READ_ONCE(sk->sk_sndbuf);
	info->rcvbuf = READ_ONCE(sk->sk_rcvbuf);
	info->unread = weft_sock_unread(sk);
	if (sk->sk_state == TCP_LISTEN) {
		info->backlog = READ_ONCE(sk->sk_ack_backlog);
		info->backlog_max = READ_ONCE(sk->sk_max_ack_backlog);
	}
	if (wsk->conn)
		fill_conn(info, wsk->conn);
}

/* --- in TCP's words, for programs that know no others --- */

static u8 tcp_state_of(u8 state)
{
	static const u8 states[] = {
		[WEFT_STATE_CLOSED]	= TCP_CLOSE,
		[WEFT_STATE_LISTEN]	= TCP_LISTEN,
		[WEFT_STATE_OPENING]	= TCP_SYN_SENT,
		[WEFT_STATE_OPEN]	= TCP_ESTABLISHED,
		[WEFT_STATE_SENT_CLOSE]	= TCP_FIN_WAIT2,
		[WEFT_STATE_GOT_CLOSE]	= TCP_CLOSE_WAIT,
		[WEFT_STATE_CLOSING]	= TCP_LAST_ACK,
	};

	return states[state];
}

/* TCP counts what is under way in segments. */
static u32 in_segments(u64 bytes, u32 mss)
{
	return mss ? min_t(u64, div_u64(bytes + mss - 1, mss), U32_MAX) : 0;
}

static void fill_tcp_sending(struct tcp_info *tcp, const struct weft_info *info)
{
	u32 mss = info->mss;

	tcp->tcpi_snd_mss = mss;
	tcp->tcpi_advmss = mss;
	tcp->tcpi_pmtu = mss;
	tcp->tcpi_unacked = in_segments(info->in_flight, mss);
	tcp->tcpi_lost = in_segments(info->lost, mss);
	tcp->tcpi_total_retrans = in_segments(info->retransmitted, mss);
	tcp->tcpi_snd_ssthresh = in_segments(info->ssthresh, mss);
	tcp->tcpi_snd_cwnd = in_segments(info->cwnd, mss);
	tcp->tcpi_delivered = in_segments(info->delivered, mss);
	tcp->tcpi_backoff = info->backoff;
	tcp->tcpi_pacing_rate = info->pacing_rate;
	tcp->tcpi_delivery_rate = info->delivery_rate;
	tcp->tcpi_bytes_sent = info->bytes_sent;
	tcp->tcpi_bytes_retrans = info->retransmitted;
	tcp->tcpi_bytes_acked = info->bytes_acked;
	tcp->tcpi_notsent_bytes = min_t(u64, info->unsent, U32_MAX);
	tcp->tcpi_snd_wnd = min_t(u64, info->snd_window, U32_MAX);
}

/* SO_MAX_PACING_RATE; "no limit" is so in any width. */
static u64 max_pacing_rate(const struct sock *sk)
{
	unsigned long rate = READ_ONCE(sk->sk_max_pacing_rate);

	return rate == ~0UL ? ~0ULL : rate;
}

void weft_info_fill_tcp(struct sock *sk, struct tcp_info *tcp)
{
	struct weft_info info;

	weft_info_fill(sk, &info);
	memset(tcp, 0, sizeof(*tcp));
	tcp->tcpi_state = tcp_state_of(info.state);
	fill_tcp_sending(tcp, &info);
	tcp->tcpi_max_pacing_rate = max_pacing_rate(sk);
	tcp->tcpi_rcv_mss = info.mss;
	tcp->tcpi_rto = info.rto_us;
	tcp->tcpi_rtt = info.rtt_us;
	tcp->tcpi_rttvar = info.rttvar_us;
	tcp->tcpi_min_rtt = info.min_rtt_us;
	tcp->tcpi_bytes_received = info.bytes_received;
	if (info.state == WEFT_STATE_LISTEN) {
		/* Where TCP puts them. */
		tcp->tcpi_unacked = info.backlog;
		tcp->tcpi_sacked = info.backlog_max;
	}
}
