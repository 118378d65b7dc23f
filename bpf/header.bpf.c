// SPDX-License-Identifier: GPL-2.0
// One look at the IP header of each segment that arrives, for the two that tell who answers: the SYN-ACK and
// the RST. What they say stays with the socket until its CONNECT or CLOSE. Every packet passes.
#include "lib/config.h"
#include "lib/socket.h"

enum { FLAG_SYN = 0x02, FLAG_RST = 0x04, FLAG_ACK = 0x10, FLAGS_OFFSET = 13 };

struct answer {
    __u8 flags; /* of its TCP header; 0: not a segment that is looked for */
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

static __always_inline struct answer read_ipv4_answer(const void *data, const void *end) {
    struct answer answer = {};
    const struct iphdr *ip = data;
    const __u8 *flags;

    if ((const void *)(ip + 1) > end || ip->protocol != IPPROTO_TCP) return answer;
    flags = data + (*(const __u8 *)data & 15) * 4 + FLAGS_OFFSET;
    if ((const void *)(flags + 1) > end || !is_looked_for(*flags)) return answer;
    answer.flags = *flags;
    answer.hop_limit = ip->ttl;
    answer.ip_id = bpf_ntohs(ip->id);
    return answer;
}

/* TCP right behind the fixed header: extension headers are not followed. */
static __always_inline struct answer read_ipv6_answer(const void *data, const void *end) {
    struct answer answer = {};
    const struct ipv6hdr *ip = data;
    const __u8 *flags = data + sizeof(*ip) + FLAGS_OFFSET;

    if ((const void *)(flags + 1) > end || ip->nexthdr != IPPROTO_TCP || !is_looked_for(*flags))
        return answer;
    answer.flags = *flags;
    answer.hop_limit = ip->hop_limit;
    return answer;
}

SEC("cgroup_skb/ingress")
int on_ingress(struct __sk_buff *skb) {
    const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
    struct answer answer =
        skb->protocol == bpf_htons(ETH_P_IP) ? read_ipv4_answer(data, end) : read_ipv6_answer(data, end);
    struct socket_state *state;
    struct bpf_sock *sk;

    if (!answer.flags || !active) return 1;
    sk = skb->sk;
    if (!sk) return 1;
    sk = bpf_sk_fullsock(sk);
    if (!sk || sk->state == TCP_LISTEN) return 1; /* its children begin as copies of it */
    state = bpf_sk_storage_get(&sockets, sk, NULL, 0);
    if (state) remember(state, answer);
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
