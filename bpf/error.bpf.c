// SPDX-License-Identifier: GPL-2.0
// Errors that the kernel reports on a socket, with the ICMP error behind them.
#include "lib/emit.h"
#include "lib/socket.h"

enum { ORIGIN_ICMP = 2, ORIGIN_ICMP6 = 3, IPV4_SOURCE_OFFSET = 12 };

/*
 * The newest entry of the error queue. For a TCP socket in SYN_SENT the kernel queues the ICMP error there
 * (ip_icmp_error), the outer IPv4 header still in front of it: its source is who complained.
 */
static __always_inline void read_icmp(struct netwatch_icmp *icmp, const struct sock *sk) {
    const struct sk_buff *newest = sk->sk_error_queue.prev;
    struct sock_exterr_skb *error;
    const unsigned char *network;
    __be32 offender;
    __u8 origin;

    if (!newest || sk->sk_error_queue.qlen == 0) return;
    error = (struct sock_exterr_skb *)&newest->cb;
    origin = BPF_CORE_READ(error, ee.ee_origin);
    if (origin != ORIGIN_ICMP && origin != ORIGIN_ICMP6) return;
    icmp->present = 1;
    icmp->type = BPF_CORE_READ(error, ee.ee_type);
    icmp->code = BPF_CORE_READ(error, ee.ee_code);
    if (origin != ORIGIN_ICMP) return;
    network = BPF_CORE_READ(newest, head) + BPF_CORE_READ(newest, network_header);
    if (bpf_probe_read_kernel(&offender, sizeof(offender), network + IPV4_SOURCE_OFFSET)) return;
    put_ipv4(icmp->offender, offender);
    icmp->has_offender = 1;
}

static __always_inline void fill_error(struct netwatch_socket_error *record, struct sock *sk,
                                       const struct socket_state *state) {
    const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

    record->sock = identity_of(sk);
    if (tp)
        fill_tuple_tcp(&record->tuple, tp);
    else
        fill_tuple_common(&record->tuple, &sk->__sk_common, sk->sk_protocol);
    record->error = sk->sk_err;
    record->soft_error = sk->sk_err_soft;
    record->state = sk->__sk_common.skc_state;
    record->passive = state ? state->passive : NETWATCH_PASSIVE_UNKNOWN;
    if (state) {
        record->process = state->process;
    } else {
        /* A UDP socket: the process that holds it is not known here, but the socket carries these two. */
        record->process.cgroup_id = sk->sk_cgrp_data.cgroup->kn->id;
        record->process.uid = sk->sk_uid.val;
    }
}

/* Fires with sk_err 0 too, when an ICMP error was queued: the ICMP is the news then. */
SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(on_error_report, struct sock *sk) {
    struct netwatch_icmp icmp = {};
    __u16 protocol = sk->sk_protocol;
    __u32 netns;
    struct netwatch_account_counts *account;
    struct socket_state *state;
    struct netwatch_socket_error *record;

    if (!active || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)) return 0;
    netns = netns_of(&sk->__sk_common);
    account = saw(NETWATCH_RECORD_SOCKET_ERROR, netns);
    if (!account) return 0;
    read_icmp(&icmp, sk);
    if (!icmp.present && sk->sk_err == 0 && sk->sk_err_soft == 0) {
        account->filtered++; /* transmit timestamps and zero-copy completions use the error queue too */
        return 0;
    }
    state = find_state(sk);
    if (state && icmp.present) state->icmp = icmp;
    record = RESERVE(account, SOCKET_ERROR, socket_error, netns);
    if (!record) return 0;
    record->icmp = icmp;
    fill_error(record, sk, state);
    submit_now(record);
    return 0;
}

char LICENSE[] SEC("license") __weak = "GPL";
