// SPDX-License-Identifier: GPL-2.0
// What this host sends to resolvers and at the beginning of TLS connections. What arrives is looked at in
// header.bpf.c, by the same program that looks for the headers of answers. Every packet passes.
#include "lib/payload.h"

SEC("cgroup_skb/egress")
int on_egress(struct __sk_buff *skb) {
    struct look look = {};
    struct socket_state *state;
    struct bpf_sock *sk;

    if (!active || !read_look(&look, skb) || !look.payload_bytes) return 1;
    if (look.protocol == IPPROTO_UDP) {
        look_at_datagram(skb, &look, NETWATCH_DIRECTION_SENT);
        return 1;
    }
    if (!has_storage) return 1;
    sk = skb->sk;
    if (!sk || is_past(sk, NETWATCH_DIRECTION_SENT)) return 1;
    sk = bpf_sk_fullsock(sk);
    if (!sk) return 1;
    state = bpf_sk_storage_get(&sockets, sk, NULL, 0);
    if (state) look_at_stream(skb, sk, state, &look, NETWATCH_DIRECTION_SENT);
    return 1;
}

char LICENSE[] SEC("license") __weak = "GPL";
