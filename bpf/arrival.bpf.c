// SPDX-License-Identifier: GPL-2.0
// Holes in the sequence of arriving data, and what fills them: a retransmission, or the original, overtaken
// on its way. Every segment comes by here, so it is attached only while there are holes at all
// (lib/arrival.h).
#include "lib/socket.h"

/* RFC 7323's layout: two NOPs, kind 8, length 10. It comes first wherever it is used. */
#define TIMESTAMP_FIRST 0x0101080a

struct timestamp_option {
    __be32 head;
    __be32 value;
};

/* Where a segment stands in the order of sending. */
struct sending {
    __u32 timestamp; /* the sender's clock, often in milliseconds; 0 without */
    __u16 id;        /* IPv4's, which senders count up; 0 without */
};

/* The data of the buffer begins with the TCP header here. */
static __always_inline struct sending sending_of(const struct sock *sk, const struct sk_buff *skb) {
    struct timestamp_option option = {};
    struct sending sending = {};
    __be16 id = 0;

    if (!bpf_probe_read_kernel(&option, sizeof(option), skb->data + sizeof(struct tcphdr)) &&
        option.head == bpf_htonl(TIMESTAMP_FIRST))
        sending.timestamp = bpf_ntohl(option.value);
    if (sk->__sk_common.skc_family == AF_INET)
        bpf_probe_read_kernel(&id, sizeof(id),
                              skb->head + skb->network_header + __builtin_offsetof(struct iphdr, id));
    sending.id = bpf_ntohs(id);
    return sending;
}

/* What arrives right behind a hole was sent after its original and before it could be sent again. */
static __always_inline void see_hole(struct socket_state *state, const struct tcp_sock *tp,
                                     struct sending sending) {
    if (state->hole_seq == tp->rcv_nxt) return;
    state->hole_seq = tp->rcv_nxt;
    state->hole_timestamp = sending.timestamp;
    state->hole_id = sending.id;
    state->hole_since_ns = bpf_ktime_get_boot_ns();
}

/* Within a tick of the sender's clock the packets' order of sending tells, and where nothing does the time
 * that a retransmission takes: a round trip. */
static __always_inline bool is_resent(const struct socket_state *state, const struct tcp_sock *tp,
                                      struct sending sending) {
    __u64 age_us = (bpf_ktime_get_boot_ns() - state->hole_since_ns) / 1000;
    __s32 later = sending.timestamp - state->hole_timestamp;
    __s16 behind = sending.id - state->hole_id;

    if (later) return later > 0;
    if (behind) return behind > 0;
    return age_us * 5 >= tp->rtt_min.s[0].v * 4ULL;
}

SEC("tp_btf/tcp_probe")
int BPF_PROG(on_segment, struct sock *sk, const struct sk_buff *skb) {
    const struct tcp_skb_cb *segment;
    const struct tcp_sock *tp;
    struct socket_state *state;

    tp = bpf_skc_to_tcp_sock(sk);
    if (!tp) return 0;
    segment = (const void *)skb->cb;
    if (segment->seq == segment->end_seq) return 0;
    if (segment->seq == tp->rcv_nxt && !tp->out_of_order_queue.rb_node) return 0;
    state = find_state(sk);
    if (!state) return 0;
    if ((__s32)(segment->seq - tp->rcv_nxt) > 0)
        see_hole(state, tp, sending_of(sk, skb));
    else if ((__s32)(segment->end_seq - tp->rcv_nxt) <= 0)
        state->segments_twice++;
    else if (state->hole_seq == tp->rcv_nxt && is_resent(state, tp, sending_of(sk, skb)))
        state->holes_resent++;
    return 0;
}

char LICENSE[] SEC("license") __weak = "GPL";
