/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which bytes of which packets go to userspace as PAYLOAD records: DNS messages of this host's resolvers'
 * clients, and the first bytes of TCP connections that begin as TLS does or lead to port 53. A connection
 * whose part is read, or that is neither, costs one look at the header and at its state.
 */
#pragma once

#include "emit.h"
#include "look.h"
#include "process.h"
#include "socket.h"
#include "tls.h"

enum {
    PORT_DNS = 53,
    PORT_HTTPS = 443,
    MOST_DNS_BYTES = 4096,   /* of a message over UDP */
    MOST_STREAM_DNS = 16384, /* of a direction of a connection to port 53 */
    MOST_CLIENT_TLS = 4096,  /* ClientHello, the client's certificate in part */
    MOST_SERVER_TLS = 16384, /* the server's certificates */
    MOST_STREAM = 16384,     /* the most of these */
    MOST_PLAIN_BYTES =
        64, /* of a direction that does not begin as TLS does: to the HTTPS port, or where the other does */
    MOST_MESSAGE_PARTS = MOST_DNS_BYTES / NETWATCH_PAYLOAD_BYTES,
    MOST_PARTS = 16, /* of a segment: what is behind its first 8 KiB is left out */
    DNS_HEADER_BYTES = 12,
};

/* What is known of one direction of a connection; the value of `stage`. */
enum { STREAM_UNSEEN, STREAM_READ, STREAM_LEFT };

/* A run of bytes of a packet that is handed on. */
struct excerpt {
    __u32 at;     /* in the packet */
    __u32 offset; /* in the stream; 0 in a message */
    __u32 bytes;
    __u32 length; /* of the whole message; of the segment's data */
    __u8 direction;
};

/* What all parts of an excerpt say. */
struct payload_head {
    __u64 sock;
    struct netwatch_tuple tuple;
    struct netwatch_process process;
    __u64 at_ns;
    __u32 netns;
    __u8 passive;
};

/* A socket's own addresses: NAT may have rewritten those in the packet. What a socket does not have (it is
 * not connected, or not bound to an address) comes from the packet. */
static __always_inline void fill_tuple_packet(struct netwatch_tuple *tuple, struct __sk_buff *skb,
                                              const struct bpf_sock *sk, const struct look *look,
                                              __u8 direction) {
    bool sent = direction == NETWATCH_DIRECTION_SENT;
    __u8 *source = sent ? tuple->local_ip : tuple->remote_ip;
    __u8 *destination = sent ? tuple->remote_ip : tuple->local_ip;

    tuple->protocol = look->protocol;
    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        struct iphdr ip;

        tuple->family = 4;
        if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip))) return;
        put_ipv4(source, ip.saddr);
        put_ipv4(destination, ip.daddr);
    } else {
        struct ipv6hdr ip;

        tuple->family = 6;
        if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip))) return;
        __builtin_memcpy(source, &ip.saddr, 16);
        __builtin_memcpy(destination, &ip.daddr, 16);
    }
    tuple->local_port = sent ? look->source_port : look->destination_port;
    tuple->remote_port = sent ? look->destination_port : look->source_port;
    if (sk->src_port) tuple->local_port = sk->src_port;
    if (!sk->dst_port) return;
    tuple->remote_port = bpf_ntohs(sk->dst_port);
    if (sk->family == AF_INET) {
        put_ipv4(tuple->remote_ip, sk->dst_ip4);
        if (sk->src_ip4) put_ipv4(tuple->local_ip, sk->src_ip4);
    } else {
        __u32 local[4] = {sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]};
        __u32 remote[4] = {sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3]};

        copy_bytes(tuple->remote_ip, remote);
        if (local[0] | local[1] | local[2] | local[3]) copy_bytes(tuple->local_ip, local);
        tuple->family = is_mapped(remote) ? 4 : 6;
    }
}

static __always_inline __u64 identity_of_packet(struct __sk_buff *skb) {
    return has_cookie ? bpf_get_socket_cookie(skb) : (__u64)BPF_CORE_READ((const struct sk_buff *)skb, sk);
}

static __always_inline void fill_head(struct payload_head *head, struct __sk_buff *skb,
                                      const struct bpf_sock *sk, const struct socket_state *state,
                                      const struct look *look, const struct excerpt *excerpt) {
    head->sock = identity_of_packet(skb);
    fill_tuple_packet(&head->tuple, skb, sk, look, excerpt->direction);
    if (state) {
        head->process = state->process;
        head->passive = state->passive;
    } else if (excerpt->direction == NETWATCH_DIRECTION_SENT) {
        /* the sender of a datagram is running */
        fill_task(&head->process, (struct task_struct *)bpf_get_current_task());
    }
}

/* `bytes` is 1 to NETWATCH_PAYLOAD_BYTES. Parts wake nobody: they are fetched with what else there is. */
static __always_inline void hand_on_part(struct netwatch_account_counts *account, struct __sk_buff *skb,
                                         const struct payload_head *head, const struct excerpt *excerpt,
                                         __u32 done, __u64 bytes) {
    struct netwatch_payload *record;

    account->seen++;
    record = reserve_head(account, NETWATCH_RECORD_PAYLOAD, sizeof(*record),
                          offsetof(struct netwatch_payload, bytes), head->netns, head->at_ns);
    if (!record) return;
    record->sock = head->sock;
    record->tuple = head->tuple;
    record->process = head->process;
    record->offset = excerpt->offset + done;
    record->length = excerpt->length;
    record->direction = excerpt->direction;
    record->passive = head->passive;
    record->captured = bytes;
    bpf_skb_load_bytes(skb, excerpt->at + done, record->bytes, bytes); /* zeros if it fails */
    bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* The excerpt as one record or several. */
static __always_inline void hand_on(struct __sk_buff *skb, const struct bpf_sock *sk,
                                    const struct socket_state *state, const struct look *look,
                                    const struct excerpt *excerpt, __u64 most_parts) {
    struct netwatch_account_counts *account = account_of(NETWATCH_RECORD_PAYLOAD);
    struct payload_head head = {};
    __u32 done = 0;
    __u64 rest;

    if (!account) return;
    head.netns = BPF_CORE_READ((const struct sk_buff *)skb, sk, __sk_common.skc_net.net, ns.inum);
    if (!is_observed(head.netns)) {
        account->seen++;
        account->filtered++;
        return;
    }
    head.at_ns = bpf_ktime_get_boot_ns();
    fill_head(&head, skb, sk, state, look, excerpt);
    for (__u64 part = 0; part < most_parts && done + NETWATCH_PAYLOAD_BYTES <= excerpt->bytes; part++) {
        asm volatile("" : "+r"(part)); /* or the compiler counts in a way that the verifier sees no end of */
        hand_on_part(account, skb, &head, excerpt, done, NETWATCH_PAYLOAD_BYTES);
        done += NETWATCH_PAYLOAD_BYTES;
    }
    if (done >= excerpt->bytes || done == most_parts * NETWATCH_PAYLOAD_BYTES) return;
    rest = excerpt->bytes - done;
    asm volatile("" : "+r"(rest)); /* what the compiler knows of it by now it would not tell the verifier */
    hand_on_part(account, skb, &head, excerpt, done, ((rest - 1) & (NETWATCH_PAYLOAD_BYTES - 1)) + 1);
}

/* A question, or an answer, with one name in it or none: what else passes port 53 is left alone. */
static __always_inline bool is_dns_header(const __u8 header[DNS_HEADER_BYTES], __u8 direction) {
    bool answer = header[2] & 0x80;

    if (answer != (direction == NETWATCH_DIRECTION_RECEIVED) || (header[2] & 0x78) != 0) return false;
    return header[4] == 0 && (header[5] == 1 || (answer && header[5] == 0));
}

static __always_inline void filter_payload(void) {
    struct netwatch_account_counts *account = account_of(NETWATCH_RECORD_PAYLOAD);

    if (!account) return;
    account->seen++;
    account->filtered++;
}

/* A datagram to or from a resolver, seen by its client. The port is 53 for the socket or for the packet. */
static __always_inline void look_at_datagram(struct __sk_buff *skb, const struct look *look, __u8 direction) {
    bool sent = direction == NETWATCH_DIRECTION_SENT;
    struct excerpt excerpt = {.at = look->payload_at,
                              .bytes = look->payload_bytes,
                              .length = look->payload_bytes,
                              .direction = direction};
    __u8 header[DNS_HEADER_BYTES];
    struct bpf_sock *sk = skb->sk;

    if (!sk) return;
    if ((sent ? look->destination_port : look->source_port) != PORT_DNS &&
        !(sent && sk->dst_port == bpf_htons(PORT_DNS)))
        return;
    sk = bpf_sk_fullsock(sk);
    if (!sk) return;
    if (bpf_skb_load_bytes(skb, look->payload_at, header, sizeof(header)) ||
        !is_dns_header(header, direction)) {
        filter_payload();
        return;
    }
    if (excerpt.bytes > MOST_DNS_BYTES) excerpt.bytes = MOST_DNS_BYTES;
    hand_on(skb, sk, NULL, look, &excerpt, MOST_MESSAGE_PARTS);
}

static __always_inline bool is_from_client(const struct socket_state *state, __u8 direction) {
    return (direction == NETWATCH_DIRECTION_SENT) == (state->passive == 0);
}

/* How much of a direction is handed on, by its first bytes. */
static __always_inline __u32 room_of(struct __sk_buff *skb, const struct look *look,
                                     const struct socket_state *state, struct stream_state *stream,
                                     const struct stream_state *other, __u8 direction) {
    bool from_client = is_from_client(state, direction);
    __u16 service = from_client ? look->destination_port : look->source_port;
    __u8 first[2 + DNS_HEADER_BYTES] = {};

    if (service == PORT_DNS)
        return watches_dns && state->passive == 0 &&
                       !bpf_skb_load_bytes(skb, look->payload_at, first, sizeof(first)) &&
                       is_dns_header(first + 2, direction)
                   ? MOST_STREAM_DNS
                   : 0;
    if (!watches_tls || bpf_skb_load_bytes(skb, look->payload_at, first, 2)) return 0;
    if ((first[0] == TLS_HANDSHAKE || first[0] == TLS_ALERT) && first[1] == TLS_MAJOR_VERSION) {
        stream->ciphered = CIPHERS_TLS;
        return from_client ? MOST_CLIENT_TLS : MOST_SERVER_TLS;
    }
    return service == PORT_HTTPS || other->room ? MOST_PLAIN_BYTES : 0;
}

/* True: this is the direction's first data. The number of its first byte: the first data sent is the first;
 * what arrives may not be, but the socket counts. */
static __always_inline bool find_base(struct stream_state *stream, struct bpf_sock *sk,
                                      const struct look *look, __u8 direction) {
    struct bpf_tcp_sock *tp;

    if (direction == NETWATCH_DIRECTION_SENT) {
        stream->base = look->seq;
        return true;
    }
    tp = bpf_tcp_sock(sk);
    if (!tp) return false;
    stream->base = tp->rcv_nxt - (__u32)tp->bytes_received;
    return look->seq == stream->base;
}

/* More has passed that way than is handed on of any connection: whose it is need not be looked up. */
static __always_inline bool is_past(struct bpf_sock *sk, __u8 direction) {
    struct bpf_tcp_sock *tp = bpf_tcp_sock(sk);

    if (!tp) return false;
    return (direction == NETWATCH_DIRECTION_SENT ? tp->bytes_acked : tp->bytes_received) >= MOST_STREAM;
}

/* Data of a connection. One that is older than the agent is left alone: where its stream stands is not known.
 */
static __always_inline void look_at_stream(struct __sk_buff *skb, struct bpf_sock *sk,
                                           struct socket_state *state, const struct look *look,
                                           __u8 direction) {
    bool sent = direction == NETWATCH_DIRECTION_SENT;
    struct stream_state *stream = sent ? &state->sent_stream : &state->received_stream;
    struct stream_state *other = sent ? &state->received_stream : &state->sent_stream;
    struct excerpt excerpt = {.at = look->payload_at, .length = look->payload_bytes, .direction = direction};

    if (stream->stage == STREAM_LEFT) return;
    if (stream->stage == STREAM_UNSEEN) {
        if (state->start_ns && find_base(stream, sk, look, direction))
            stream->room = room_of(skb, look, state, stream, other, direction);
        stream->stage = stream->room ? STREAM_READ : STREAM_LEFT;
        if (!stream->room) return;
    }
    excerpt.offset = look->seq - stream->base;
    if (excerpt.offset >= stream->room) {
        stream->stage = STREAM_LEFT;
        return;
    }
    excerpt.bytes = stream->room - excerpt.offset;
    if (excerpt.bytes > look->payload_bytes) excerpt.bytes = look->payload_bytes;
    if (stream->ciphered & CIPHERS_TLS) {
        __u32 last =
            follow_records(skb, look, excerpt.offset, stream, other, is_from_client(state, direction));

        if (last && excerpt.bytes > last - excerpt.offset) excerpt.bytes = last - excerpt.offset;
        if (last) stream->stage = other->stage = STREAM_LEFT;
    }
    hand_on(skb, sk, state, look, &excerpt, MOST_PARTS);
}
