/* SPDX-License-Identifier: GPL-2.0 */
/* A socket's identity and state. Pointers here are BTF pointers of tracing programs: plain loads, no probe
 * reads. */
#pragma once

#include "config.h"
#include "maps.h"

static __always_inline void put_ipv4(__u8 to[16], __be32 address) {
    __u32 words[4] = {0, 0, bpf_htonl(0xffff), address};

    __builtin_memcpy(to, words, sizeof(words));
}

static __always_inline void copy_ipv6(__u8 to[16], const struct in6_addr *address) {
    __u32 words[4];

    for (int i = 0; i < 4; i++) words[i] = address->in6_u.u6_addr32[i];
    __builtin_memcpy(to, words, sizeof(words));
}

static __always_inline bool is_mapped(const __u32 words[4]) {
    return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline void put_remote(__u8 to[16], const struct sock_common *common) {
    if (common->skc_family == AF_INET)
        put_ipv4(to, common->skc_daddr);
    else
        copy_ipv6(to, &common->skc_v6_daddr);
}

static __always_inline void fill_addresses(struct netwatch_tuple *tuple, const struct sock_common *common) {
    if (common->skc_family == AF_INET) {
        put_ipv4(tuple->local_ip, common->skc_rcv_saddr);
        put_ipv4(tuple->remote_ip, common->skc_daddr);
        tuple->family = 4;
    } else {
        __u32 local[4], remote[4];

        for (int i = 0; i < 4; i++) {
            local[i] = common->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
            remote[i] = common->skc_v6_daddr.in6_u.u6_addr32[i];
        }
        copy_bytes(tuple->local_ip, local);
        copy_bytes(tuple->remote_ip, remote);
        tuple->family = is_mapped(remote) ? 4 : 6;
    }
}

/* Of anything that begins with sock_common: request and time-wait sockets too. */
static __always_inline void fill_tuple_common(struct netwatch_tuple *tuple, const struct sock_common *common,
                                              __u8 protocol) {
    fill_addresses(tuple, common);
    tuple->local_port = common->skc_num;
    tuple->remote_port = bpf_ntohs(common->skc_dport);
    tuple->protocol = protocol;
}

/* inet_sport outlives inet_num, which is already 0 when a socket reaches CLOSE. */
static __always_inline void fill_tuple_tcp(struct netwatch_tuple *tuple, const struct tcp_sock *tp) {
    fill_tuple_common(tuple, &tp->inet_conn.icsk_inet.sk.__sk_common, IPPROTO_TCP);
    tuple->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
}

static __always_inline __u32 netns_of(const struct sock_common *common) {
    return common->skc_net.net->ns.inum;
}

static __always_inline __u64 identity_of(struct sock *sk) {
    return has_cookie ? bpf_get_socket_cookie(sk) : (__u64)sk;
}

static __always_inline struct socket_state *find_state(struct sock *sk) {
    __u64 address = (__u64)sk;

    if (has_storage) return bpf_sk_storage_get(&sockets, sk, NULL, 0);
    return bpf_map_lookup_elem(&sockets_by_address, &address);
}

static __always_inline struct socket_state *make_state(struct sock *sk) {
    __u64 address = (__u64)sk;

    if (has_storage) return bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
    struct socket_state empty = {};
    bpf_map_update_elem(&sockets_by_address, &address, &empty, BPF_ANY);
    return bpf_map_lookup_elem(&sockets_by_address, &address);
}

static __always_inline void forget_state(struct sock *sk) {
    __u64 address = (__u64)sk;

    if (!has_storage) bpf_map_delete_elem(&sockets_by_address, &address);
}
