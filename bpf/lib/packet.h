/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The addresses and ports of a packet, from wherever in the stack it is. Every offset is checked against what
 * the kernel says and every read may fail: what cannot be read stays zero.
 */
#pragma once

#include "common.h"
#include "socket.h"

#define NO_HEADER_OFFSET 0xffff
#define IPV4_FRAGMENT_OFFSET 0x1fff

static __always_inline void read_ports(struct netwatch_tuple *tuple, const void *transport) {
    __be16 ports[2];

    if (tuple->protocol != IPPROTO_TCP && tuple->protocol != IPPROTO_UDP) return;
    if (bpf_probe_read_kernel(ports, sizeof(ports), transport)) return;
    tuple->local_port = bpf_ntohs(ports[0]);
    tuple->remote_port = bpf_ntohs(ports[1]);
}

static __always_inline bool read_ipv4(struct netwatch_tuple *tuple, const void *at) {
    struct iphdr header;
    __u8 version_length;

    if (bpf_probe_read_kernel(&header, sizeof(header), at)) return false;
    __builtin_memcpy(&version_length, &header, 1);
    if (version_length >> 4 != 4 || (version_length & 15) < 5) return false;
    put_ipv4(tuple->local_ip, header.saddr);
    put_ipv4(tuple->remote_ip, header.daddr);
    tuple->family = 4;
    tuple->protocol = header.protocol;
    if ((bpf_ntohs(header.frag_off) & IPV4_FRAGMENT_OFFSET) == 0)
        read_ports(tuple, at + (version_length & 15) * 4);
    return true;
}

static __always_inline bool read_ipv6(struct netwatch_tuple *tuple, const void *at) {
    struct ipv6hdr header;
    __u8 version;

    if (bpf_probe_read_kernel(&header, sizeof(header), at)) return false;
    __builtin_memcpy(&version, &header, 1);
    if (version >> 4 != 6) return false;
    copy_bytes(tuple->local_ip, &header.saddr);
    copy_bytes(tuple->remote_ip, &header.daddr);
    tuple->family = 6;
    tuple->protocol = header.nexthdr;
    read_ports(tuple, at + sizeof(header));
    return true;
}

/* local = the packet's source, remote = its destination. False: not an IP packet whose header can be found.
 */
static __always_inline bool read_packet(struct netwatch_tuple *tuple, const struct sk_buff *skb) {
    const unsigned char *head = BPF_CORE_READ(skb, head);
    __u16 offset = BPF_CORE_READ(skb, network_header);
    __be16 protocol = BPF_CORE_READ(skb, protocol);

    if (!head || offset == NO_HEADER_OFFSET) return false;
    if (protocol == bpf_htons(ETH_P_IP)) return read_ipv4(tuple, head + offset);
    if (protocol == bpf_htons(ETH_P_IPV6)) return read_ipv6(tuple, head + offset);
    return false;
}

static __always_inline void turn_round(struct netwatch_tuple *tuple) {
    struct netwatch_tuple packet = *tuple;

    copy_bytes(tuple->local_ip, packet.remote_ip);
    copy_bytes(tuple->remote_ip, packet.local_ip);
    tuple->local_port = packet.remote_port;
    tuple->remote_port = packet.local_port;
}

static __always_inline __u32 netns_of_device(const struct net_device *device) {
    return BPF_CORE_READ(device, nd_net.net, ns.inum);
}

/* A packet's own socket knows its namespace best; a packet without one belongs to its device's. */
static __always_inline __u32 netns_of_packet(const struct sk_buff *skb) {
    const struct sock *sk = BPF_CORE_READ(skb, sk);

    if (sk) return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
    return netns_of_device(BPF_CORE_READ(skb, dev));
}
