/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's own counters of one TCP socket, read without its lock: a value may be a packet old. */
#pragma once

#include "config.h"
#include "maps.h"

/* Since 6.7: commit 3868ab0f1925 "tcp: new TCP_INFO stats for RTO events". */
struct tcp_sock___total_rto {
    __u16 total_rto;
} __attribute__((preserve_access_index));

enum { HEARD_ACKNOWLEDGEMENT = 1, HEARD_DATA = 2 };
enum { CHRONO_BUSY = 1, CHRONO_RWND_LIMITED = 2, CHRONO_SNDBUF_LIMITED = 3 };

/* As tcp_get_info_chrono_stats() does: the running stretch belongs to the current type; busy is the sum of
 * all. */
static __always_inline void fill_chrono(struct netwatch_tcp_counters *counters, const struct tcp_sock *tp,
                                        __u32 now_jiffies) {
    __u32 busy = tp->chrono_stat[0], rwnd = tp->chrono_stat[1], sndbuf = tp->chrono_stat[2];
    __u32 type = BPF_CORE_READ_BITFIELD(tp, chrono_type);
    __u32 running = now_jiffies - tp->chrono_start;

    if (type == CHRONO_BUSY)
        busy += running;
    else if (type == CHRONO_RWND_LIMITED)
        rwnd += running;
    else if (type == CHRONO_SNDBUF_LIMITED)
        sndbuf += running;
    counters->busy_jiffies = busy + rwnd + sndbuf;
    counters->rwnd_limited_jiffies = rwnd;
    counters->sndbuf_limited_jiffies = sndbuf;
}

static __always_inline void fill_timing(struct netwatch_tcp_counters *counters, const struct tcp_sock *tp) {
    __u32 now_jiffies = (__u32)bpf_jiffies64();

    counters->srtt_us = tp->srtt_us >> 3;
    counters->rttvar_us = tp->mdev_us >> 2;
    counters->min_rtt_us = tp->rtt_min.s[0].v;
    counters->rcv_rtt_us = tp->rcv_rtt_est.rtt_us >> 3;
    counters->rto_jiffies = tp->inet_conn.icsk_rto;
    counters->since_sent_jiffies = now_jiffies - tp->lsndtime;
    counters->since_received_jiffies = now_jiffies - tp->inet_conn.icsk_ack.lrcvtime;
    counters->since_heard_jiffies = now_jiffies - tp->rcv_tstamp;
    fill_chrono(counters, tp, now_jiffies);
}

static __always_inline void fill_queues(struct netwatch_tcp_counters *counters, const struct tcp_sock *tp) {
    __s32 unread = tp->rcv_nxt - tp->copied_seq;

    counters->unacked_bytes = tp->snd_nxt - tp->snd_una;
    counters->unsent_bytes = tp->write_seq - tp->snd_nxt;
    counters->unread_bytes = unread > 0 ? unread : 0;
    counters->hole_bytes = tp->out_of_order_queue.rb_node != NULL;
    counters->snd_cwnd = tp->snd_cwnd;
    counters->snd_wnd = tp->snd_wnd;
    counters->rcv_wnd = tp->rcv_wnd;
    counters->mss_bytes = tp->mss_cache;
    counters->pmtu_bytes = tp->inet_conn.icsk_pmtu_cookie;
    counters->rcv_mss_bytes = tp->inet_conn.icsk_ack.rcv_mss;
}

/* `state` may be null. */
static __always_inline void fill_counters(struct netwatch_tcp_counters *counters, const struct tcp_sock *tp,
                                          const struct socket_state *state) {
    const struct tcp_sock___total_rto *newer = (const void *)tp;

    counters->bytes_sent = tp->bytes_sent;
    counters->bytes_acked = tp->bytes_acked;
    counters->bytes_received = tp->bytes_received;
    counters->segs_out = tp->segs_out;
    counters->segs_in = tp->segs_in;
    counters->data_segs_out = tp->data_segs_out;
    counters->data_segs_in = tp->data_segs_in;
    counters->total_retrans = tp->total_retrans;
    counters->dsack_dups = tp->dsack_dups;
    counters->delivered = tp->delivered;
    counters->lost_out = tp->lost_out;
    counters->sacked_out = tp->sacked_out;
    counters->packets_out = tp->packets_out;
    counters->retrans_out = tp->retrans_out;
    counters->reord_seen = tp->reord_seen;
    counters->rcv_ooopack = tp->rcv_ooopack;
    counters->total_rto = bpf_core_field_exists(newer->total_rto) ? newer->total_rto : NETWATCH_ABSENT_U32;
    counters->soft_error = tp->inet_conn.icsk_inet.sk.sk_err_soft;
    counters->backoff = tp->inet_conn.icsk_backoff;
    counters->retransmits = tp->inet_conn.icsk_retransmits;
    counters->probes_out = tp->inet_conn.icsk_probes_out;
    counters->pending = tp->inet_conn.icsk_pending;
    counters->ca_state = BPF_CORE_READ_BITFIELD(tp, inet_conn.icsk_ca_state);
    counters->state = tp->inet_conn.icsk_inet.sk.__sk_common.skc_state;
    /* The window was last updated by a segment that begins where the next is awaited: it held nothing. */
    counters->heard = tp->snd_wl1 == tp->rcv_nxt ? HEARD_ACKNOWLEDGEMENT : HEARD_DATA;
    counters->sack_ok = BPF_CORE_READ_BITFIELD(tp, rx_opt.sack_ok) != 0;
    fill_timing(counters, tp);
    fill_queues(counters, tp);
    counters->holes_resent = has_holes && state ? state->holes_resent : NETWATCH_ABSENT_U32;
    counters->segments_twice = has_holes && state ? state->segments_twice : NETWATCH_ABSENT_U32;
}
