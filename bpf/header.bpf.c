// SPDX-License-Identifier: GPL-2.0
// One look at the headers of each packet that arrives: for the two segments that tell who answers, the
// SYN-ACK and the RST, and for what is handed on (lib/payload.h). What the two say stays with the socket
// until its CONNECT or CLOSE. Every packet passes.
#include "lib/payload.h"

struct answer {
    __u8 flags; /* of its TCP header */
    __u8 hop_limit;
    __u16 ip_id;
};

static __always_inline void remember(struct socket_state *state, struct answer answer) {
    struct netwatch_header_look look = {.hop_limit = answer.hop_limit, .ip_id = answer.ip_id};

    if (answer.flags & FLAG_RST)
        state->reset_look = look;
    else
        state->syn_ack_look = look;
}

static __always_inline bool is_looked_for(__u8 flags) {
    return flags & FLAG_RST || (flags & (FLAG_SYN | FLAG_ACK)) == (FLAG_SYN | FLAG_ACK);
}

SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb) {
    struct look look = {};
    struct socket_state *state;
    struct bpf_sock *sk;
    bool is_answer, is_data;

    if (!active || !read_look(&look, skb)) return 1;
    if (look.protocol == IPPROTO_UDP) {
        look_at_datagram(skb, &look, NETWATCH_DIRECTION_RECEIVED);
        return 1;
    }
    is_answer = is_looked_for(look.flags);
    is_data = (watches_dns || watches_tls) && look.payload_bytes;
    if ((!is_answer && !is_data) || !has_storage) return 1;
    sk = skb->sk;
    if (!sk) return 1;
    is_data = is_data && !is_past(sk, NETWATCH_DIRECTION_RECEIVED);
    if (!is_answer && !is_data) return 1;
    sk = bpf_sk_fullsock(sk);
    if (!sk || sk->state == TCP_LISTEN) return 1; /* its children begin as copies of it */
    state = bpf_sk_storage_get(&sockets, sk, NULL, 0);
    if (!state) return 1;
    if (is_answer) {
        struct answer answer = {.flags = look.flags, .hop_limit = look.hop_limit, .ip_id = look.ip_id};

        remember(state, answer);
    }
    if (is_data) look_at_stream(skb, sk, state, &look, NETWATCH_DIRECTION_RECEIVED);
    return 1;
}

static __always_inline void read_header(struct sock *sk, const struct sk_buff *skb, __u8 flags) {
    struct answer answer = {.flags = flags};
    struct socket_state *state = find_state(sk);
    const void *at;

    if (!active || !state || !skb) return;
    at = skb->head + skb->network_header;
    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        struct iphdr ip;

        if (bpf_probe_read_kernel(&ip, sizeof(ip), at)) return;
        answer.hop_limit = ip.ttl;
        answer.ip_id = bpf_ntohs(ip.id);
    } else {
        struct ipv6hdr ip;

        if (bpf_probe_read_kernel(&ip, sizeof(ip), at)) return;
        answer.hop_limit = ip.hop_limit;
    }
    remember(state, answer);
}

/* The two stand in where no cgroup program can be attached at the root. */
SEC("fentry/tcp_finish_connect")
int BPF_PROG(on_syn_ack, struct sock *sk, struct sk_buff *skb) {
    read_header(sk, skb, FLAG_SYN | FLAG_ACK);
    return 0;
}

/* Before 5.11 (049fe386d353 "tcp: parse mptcp options contained in reset packets") without the segment: the
 * verifier refuses it there. */
SEC("fentry/tcp_reset")
int BPF_PROG(on_reset, struct sock *sk, struct sk_buff *skb) {
    read_header(sk, skb, FLAG_RST);
    return 0;
}

char LICENSE[] SEC("license") __weak = "GPL";
