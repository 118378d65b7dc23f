// SPDX-License-Identifier: GPL-2.0
// RST segments: accepted by a socket here, and sent from here with the kernel's reason.
#include "lib/emit.h"
#include "lib/packet.h"
#include "lib/socket.h"

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_reset_received, struct sock *sk) {
    __u32 netns;
    struct netwatch_account_counts *account;
    struct socket_state *state;
    struct netwatch_reset_received *record;
    const struct tcp_sock *tp;

    if (!active) return 0;
    tp = bpf_skc_to_tcp_sock(sk);
    if (!tp) return 0;
    netns = netns_of(&sk->__sk_common);
    account = saw(NETWATCH_RECORD_RESET_RECEIVED, netns);
    if (!account) return 0;
    state = find_state(sk);
    if (state) state->reset_received = 1;
    record = RESERVE(account, RESET_RECEIVED, reset_received, netns);
    if (!record) return 0;
    record->sock = identity_of(sk);
    fill_tuple_tcp(&record->tuple, tp);
    record->state = sk->__sk_common.skc_state;
    record->passive = state ? state->passive : NETWATCH_PASSIVE_UNKNOWN;
    if (state) record->process = state->process;
    submit_now(record);
    return 0;
}

static __always_inline void fill_from_socket(struct netwatch_reset_sent *record, struct sock *sk) {
    const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

    record->sock = identity_of(sk);
    record->state = sk->__sk_common.skc_state;
    /* A time-wait or request socket has only the common part. */
    if (tp)
        fill_tuple_tcp(&record->tuple, tp);
    else
        fill_tuple_common(&record->tuple, &sk->__sk_common, IPPROTO_TCP);
}

/* With no socket, or a listener, the segment that is answered tells the connection: its destination is here.
 */
static __always_inline int reset_sent(struct sock *sk, const struct sk_buff *skb, __s32 reason) {
    __u8 state = sk ? sk->__sk_common.skc_state : 0;
    __u32 netns = state ? netns_of(&sk->__sk_common) : skb ? netns_of_packet(skb) : 0;
    struct netwatch_account_counts *account;
    struct netwatch_reset_sent *record;

    if (!active) return 0;
    account = saw(NETWATCH_RECORD_RESET_SENT, netns);
    if (!account) return 0;
    record = RESERVE(account, RESET_SENT, reset_sent, netns);
    if (!record) return 0;
    record->reason = reason;
    if (state && state != TCP_LISTEN) {
        fill_from_socket(record, sk);
    } else {
        record->state = state;
        if (skb && read_packet(&record->tuple, skb)) turn_round(&record->tuple);
    }
    submit_now(record);
    return 0;
}

/* Userspace turns on exactly one of the two, by the number of arguments that the kernel's BTF shows. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(on_reset_sent_reason, struct sock *sk, const struct sk_buff *skb, int reason) {
    return reset_sent(sk, skb, reason);
}

/* Before 6.10 (19822a980e19 "trace: tcp: fully support trace_tcp_send_reset"): no reason, no RST without a
 * socket. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(on_reset_sent, struct sock *sk, const struct sk_buff *skb) {
    return reset_sent(sk, skb, -1);
}

char LICENSE[] SEC("license") __weak = "GPL";
