// SPDX-License-Identifier: GPL-2.0
// Packets that this host dropped itself, by the kernel's reason: counted here, never streamed.
#include "lib/emit.h"
#include "lib/packet.h"

/*
 * (namespace, reason, destination) → packets. Inserted here; userspace reads it with each walk and deletes
 * what has not moved for long once the map is half full. When full: `overflowed_drops` counts by reason
 * alone, and the record is accounted as dropped_map.
 */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __type(key, struct netwatch_drop_key);
    __type(value, struct netwatch_drop_count);
} drops SEC(".maps");

/* Reason → packets that found no room in `drops`, per CPU. All entries exist from the start. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 256);
    __type(key, __u32);
    __type(value, __u64);
} overflowed_drops SEC(".maps");

static __always_inline void count_overflow(struct netwatch_account_counts *account, __u32 reason) {
    __u64 *packets = bpf_map_lookup_elem(&overflowed_drops, &reason);

    account->dropped_map++;
    if (packets) (*packets)++;
}

static __always_inline void count_drop(struct netwatch_account_counts *account, const struct sk_buff *skb,
                                       __u32 netns, __u32 reason) {
    struct netwatch_tuple packet = {};
    struct netwatch_drop_key key = {.netns = netns, .reason = reason};
    struct netwatch_drop_count first = {.packets = 1};
    struct netwatch_drop_count *count;

    read_packet(&packet, skb);
    copy_bytes(key.destination_ip, packet.remote_ip);
    key.destination_port = packet.remote_port;
    key.protocol = packet.protocol;
    key.family = packet.family;
    count = bpf_map_lookup_elem(&drops, &key);
    if (!count) {
        copy_bytes(first.source_ip, packet.local_ip);
        if (!bpf_map_update_elem(&drops, &key, &first, BPF_NOEXIST)) {
            account->emitted++;
            return;
        }
        count = bpf_map_lookup_elem(&drops, &key); /* another CPU may have been faster */
    }
    if (!count) {
        count_overflow(account, reason);
        return;
    }
    __sync_fetch_and_add(&count->packets, 1);
    account->emitted++;
}

/* Since 5.17 (c504e5c2f964 "net: skb: introduce kfree_skb_reason()"). Reasons above 255 belong to subsystems.
 */
SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop, struct sk_buff *skb, void *location, unsigned int reason) {
    struct netwatch_account_counts *account;
    __u32 netns;

    if (!active) return 0;
    if (reason >= sizeof(interesting_drops) || !interesting_drops[reason]) {
        account = account_of(NETWATCH_RECORD_DROPS);
        if (account) {
            account->seen++;
            account->filtered++;
        }
        return 0;
    }
    netns = netns_of_packet(skb);
    account = saw(NETWATCH_RECORD_DROPS, netns);
    if (account) count_drop(account, skb, netns, reason);
    return 0;
}

char LICENSE[] SEC("license") __weak = "GPL";
