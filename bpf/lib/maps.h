/* SPDX-License-Identifier: GPL-2.0 */
/* The maps shared by several subjects. Each says: key, value, who inserts, who deletes, what happens when
 * full. */
#pragma once

#include "common.h"

/* What is read of one direction of a connection, for PAYLOAD (lib/payload.h). */
struct stream_state {
    __u32 base;        /* sequence number of its first byte */
    __u32 next_record; /* of TLS: where its header begins, counted from there */
    __u16 room;        /* bytes from there on that are handed on; 0: none */
    __u8 stage;        /* STREAM_UNSEEN, STREAM_READ, STREAM_LEFT */
    __u8 ciphered;     /* CIPHERS_*: what has become of its TLS records */
};

/*
 * What is remembered about one TCP socket: who owns it and how it began, saved while its owner was running,
 * because later events run in softirq under an arbitrary process.
 */
struct socket_state {
    __u64 start_ns; /* SYN_SENT entered, or accepted; 0: older than the agent, or not yet accepted */
    struct netwatch_process process;
    struct netwatch_icmp icmp; /* the last ICMP error seen on it */
    __u8 asked_ip[16];
    __u16 asked_port;
    __u8 passive; /* 1 accepted here, 0 connected from here, 2 not known */
    __u8 reset_received;
    __u8 connecting;   /* in SYN_SENT, outcome not yet told */
    __u8 call_unheard; /* connect() entered SYN_SENT, its error not yet told */
    struct netwatch_header_look syn_ack_look, reset_look;
    __u16 hole_id; /* IPv4 identification of what first arrived behind the hole; 0 with IPv6 */
    __s32 transmit_error;
    __u32 syn_retransmits;
    __u32 hole_seq;       /* the next byte expected when data last arrived behind a hole */
    __u32 hole_timestamp; /* the sender's, on that data; 0 without */
    __u64 hole_since_ns;
    __u32 holes_resent;
    __u32 segments_twice;
    struct stream_state sent_stream, received_stream;
};

/*
 * Socket → its state. Inserted at SYN_SENT, LISTEN and by the start-up tagging; cloned by the kernel from a
 * listener to its children; deleted by the kernel with the socket. No cap of its own: bounded by the sockets
 * that exist. No memory for an entry: the socket's CONNECT or ACCEPT is counted as dropped_map, later records
 * lack the owner.
 */
struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
    __type(key, int);
    __type(value, struct socket_state);
} sockets SEC(".maps") __weak;

/*
 * Kernel address of a socket → its state: stands in for `sockets` before 5.11; one entry otherwise. Inserted
 * as above but not cloned; deleted when a connection closes, overwritten when its address is used again. When
 * full the least recently used goes, and that socket's records lack the owner.
 */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 65536);
    __type(key, __u64);
    __type(value, struct socket_state);
} sockets_by_address SEC(".maps") __weak;

/* Records to userspace. Reserved by `reserve_record`; read by the sensor. When full: dropped_full of the
 * kind. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4 << 20);
} records SEC(".maps") __weak;

/* Record kind → its account on this CPU. All entries exist from the start; nothing is inserted or deleted. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, NETWATCH_RECORD_KIND_COUNT);
    __type(key, __u32);
    __type(value, struct netwatch_account_counts);
} accounts SEC(".maps") __weak;

/*
 * Inode of a network namespace → 1, the observed ones. Userspace inserts before the programs are attached;
 * nobody deletes. Userspace refuses more namespaces than fit.
 */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, __u32);
    __type(value, __u8);
} observed_netns SEC(".maps") __weak;
