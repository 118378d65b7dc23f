// SPDX-License-Identifier: GPL-2.0
// Retransmissions: SYN, timeouts, tail-loss probes, SYN-ACKs, and whatever could not even leave this host.
#include "lib/emit.h"
#include "lib/socket.h"

enum { PENDING_LOSS_PROBE = 5 };

/*
 * The timer that is being handled tells why: tcp_write_timer_handler() clears icsk_pending before a timeout
 * and leaves it at LOSS_PROBE during a probe, which is only armed outside recovery. All else is driven by
 * ACKs.
 */
static __always_inline __u8 why_retransmitted(const struct tcp_sock *tp) {
    __u8 pending = tp->inet_conn.icsk_pending;
    __u8 ca_state = BPF_CORE_READ_BITFIELD_PROBED(tp, inet_conn.icsk_ca_state);

    if (tp->inet_conn.icsk_inet.sk.__sk_common.skc_state == TCP_SYN_SENT) return NETWATCH_RETRANSMIT_SYN;
    if (pending == 0 && ca_state == TCP_CA_Loss) return NETWATCH_RETRANSMIT_RTO;
    if (pending == PENDING_LOSS_PROBE && ca_state < TCP_CA_Recovery) return NETWATCH_RETRANSMIT_TAIL_PROBE;
    return NETWATCH_RETRANSMIT_FAST;
}

static __always_inline void fill_retransmit(struct netwatch_retransmit *record, struct sock *sk,
                                            const struct tcp_sock *tp, const struct socket_state *state) {
    record->sock = identity_of(sk);
    fill_tuple_tcp(&record->tuple, tp);
    record->state = sk->__sk_common.skc_state;
    record->retransmits = tp->inet_conn.icsk_retransmits;
    record->packets_out = tp->packets_out;
    record->soft_error = sk->sk_err_soft;
    record->passive = NETWATCH_PASSIVE_UNKNOWN;
    if (!state) return;
    record->process = state->process;
    record->passive = state->passive;
    if (record->why == NETWATCH_RETRANSMIT_SYN) record->start_ns = state->start_ns;
}

static __always_inline int retransmitted(struct sock *sk, int error) {
    __u32 netns;
    struct netwatch_account_counts *account;
    struct socket_state *state;
    struct netwatch_retransmit *record;
    const struct tcp_sock *tp;
    __u8 why;

    if (!active) return 0;
    tp = bpf_skc_to_tcp_sock(sk);
    if (!tp) return 0;
    netns = netns_of(&sk->__sk_common);
    account = saw(NETWATCH_RECORD_RETRANSMIT, netns);
    if (!account) return 0;
    why = why_retransmitted(tp);
    state = find_state(sk);
    if (state && why == NETWATCH_RETRANSMIT_SYN) {
        state->syn_retransmits++;
        state->transmit_error = error;
    }
    if (why == NETWATCH_RETRANSMIT_FAST && error == 0) {
        account->filtered++;
        return 0;
    }
    record = RESERVE(account, RETRANSMIT, retransmit, netns);
    if (!record) return 0;
    record->why = why;
    record->error = error;
    fill_retransmit(record, sk, tp, state);
    submit_now(record);
    return 0;
}

/* Userspace turns on exactly one of the two, by the number of arguments that the kernel's BTF shows. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit_result, struct sock *sk, const struct sk_buff *skb, int error) {
    return retransmitted(sk, error);
}

/* Kernels without the third argument tell only retransmissions that left this host. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit_sent, struct sock *sk, const struct sk_buff *skb) {
    return retransmitted(sk, 0);
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(on_retransmit_synack, const struct sock *sk, const struct request_sock *request) {
    __u32 netns;
    struct netwatch_account_counts *account;
    struct netwatch_synack_retransmit *record;

    if (!active) return 0;
    netns = netns_of(&sk->__sk_common);
    account = saw(NETWATCH_RECORD_SYNACK_RETRANSMIT, netns);
    if (!account) return 0;
    record = RESERVE(account, SYNACK_RETRANSMIT, synack_retransmit, netns);
    if (!record) return 0;
    fill_tuple_common(&record->tuple, &request->__req_common, IPPROTO_TCP);
    record->timeouts = BPF_CORE_READ_BITFIELD_PROBED(request, num_timeout);
    submit_now(record);
    return 0;
}

char LICENSE[] SEC("license") __weak = "GPL";
