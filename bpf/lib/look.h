/* SPDX-License-Identifier: GPL-2.0 */
/* One look at the headers of a packet in a cgroup program: direct reads, no helper. */
#pragma once

#include "config.h"

enum { TCP_FLAGS_OFFSET = 13, FLAG_SYN = 0x02, FLAG_RST = 0x04, FLAG_ACK = 0x10 };

struct look {
    __u32 payload_at; /* where TCP's or UDP's data begins, from the IP header on */
    __u32 payload_bytes;
    __u32 seq; /* TCP */
    __u16 source_port, destination_port;
    __u16 ip_id; /* 0 with IPv6 */
    __u8 protocol;
    __u8 hop_limit;
    __u8 flags; /* TCP */
};

static __always_inline bool read_tcp(struct look *look, const void *data, const void *end, __u32 at,
                                     __u32 packet_bytes) {
    const struct tcphdr *tcp = data + at;

    if ((const void *)(tcp + 1) > end) return false;
    look->flags = ((const __u8 *)tcp)[TCP_FLAGS_OFFSET];
    look->seq = bpf_ntohl(tcp->seq);
    look->source_port = bpf_ntohs(tcp->source);
    look->destination_port = bpf_ntohs(tcp->dest);
    look->payload_at = at + (((const __u8 *)tcp)[TCP_FLAGS_OFFSET - 1] >> 4) * 4;
    look->payload_bytes = packet_bytes > look->payload_at ? packet_bytes - look->payload_at : 0;
    return true;
}

static __always_inline bool read_udp(struct look *look, const void *data, const void *end, __u32 at,
                                     __u32 packet_bytes) {
    const struct udphdr *udp = data + at;

    if ((const void *)(udp + 1) > end) return false;
    look->source_port = bpf_ntohs(udp->source);
    look->destination_port = bpf_ntohs(udp->dest);
    look->payload_at = at + sizeof(*udp);
    look->payload_bytes = packet_bytes > look->payload_at ? packet_bytes - look->payload_at : 0;
    return true;
}

/* False: neither TCP nor UDP right behind the IP header. IPv6 extension headers are not followed. */
static __always_inline bool read_look(struct look *look, const struct __sk_buff *skb) {
    const void *data = (const void *)(long)skb->data, *end = (const void *)(long)skb->data_end;
    __u32 at;

    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        const struct iphdr *ip = data;

        if ((const void *)(ip + 1) > end) return false;
        look->protocol = ip->protocol;
        look->hop_limit = ip->ttl;
        look->ip_id = bpf_ntohs(ip->id);
        at = (*(const __u8 *)data & 15) * 4;
    } else {
        const struct ipv6hdr *ip = data;

        if ((const void *)(ip + 1) > end) return false;
        look->protocol = ip->nexthdr;
        look->hop_limit = ip->hop_limit;
        look->ip_id = 0;
        at = sizeof(*ip);
    }
    if (look->protocol == IPPROTO_TCP) return read_tcp(look, data, end, at, skb->len);
    if (look->protocol == IPPROTO_UDP && watches_dns) return read_udp(look, data, end, at, skb->len);
    return false;
}
