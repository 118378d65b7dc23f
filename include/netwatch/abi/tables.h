/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Keys, values and variables of the programs that the sensor reads by itself. They never leave it: what the
 * rest sees are the records ACCOUNT and DROPS made from them, so a change here does not touch
 * NETWATCH_ABI_VERSION.
 */
#ifndef NETWATCH_ABI_TABLES_H
#define NETWATCH_ABI_TABLES_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* What one kind's records came to, per CPU. seen = emitted + filtered + dropped_full + dropped_map at program
 * exit. */
struct netwatch_account_counts {
    __u64 seen;
    __u64 filtered;
    __u64 emitted;
    __u64 dropped_full;
    __u64 dropped_map;
};

struct netwatch_drop_key {
    __u32 netns;
    __u16 reason; /* number in the running kernel */
    __u16 destination_port;
    __u8 destination_ip[16]; /* zero where no IP header could be found */
    __u8 protocol;
    __u8 family; /* 4 or 6; 0: not IP */
    __u16 reserved;
};

struct netwatch_drop_count {
    __u64 packets;
    __u8 source_ip[16]; /* of the first packet */
};

/* What the last walk came to; reset by userspace before each. */
struct netwatch_walk_totals {
    __u32 sockets;
    __u32 listeners;
};

/* Two clocks read together at the end of each walk: userspace derives HZ from them. */
struct netwatch_walk_clock {
    __u64 jiffies;
    __u64 monotonic_ns;
};

#endif
