// SPDX-License-Identifier: GPL-2.0
// Neighbours (ARP and NDP) that fail and come back, and ICMP errors that this host sends.
#include "lib/emit.h"
#include "lib/packet.h"

enum { STATE_REACHABLE = 0x02, STATE_STALE = 0x04, STATE_FAILED = 0x20, STATE_PERMANENT = 0x80 };
#define UPDATE_BY_ADMINISTRATOR 0x80000000U /* NEIGH_UPDATE_F_ADMIN: somebody deleted the entry */

struct neighbor_key {
    __u32 netns;
    __u32 ifindex;
    __u8 ip[16];
    __u8 family;
    __u8 reserved[3];
};

/*
 * A neighbour that failed → when (boot ns). Inserted at FAILED, deleted when it is reachable again. When full
 * the least recently used goes, and the recovery of that neighbour is not told.
 */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, struct neighbor_key);
    __type(value, __u64);
} failed_neighbors SEC(".maps");

static __always_inline bool identify(struct neighbor_key *key, const struct neighbour *neighbor) {
    int family = neighbor->tbl->family;
    const void *address = bpf_core_field_exists(neighbor->primary_key) ? &neighbor->primary_key : NULL;

    key->netns = netns_of_device(neighbor->dev);
    key->ifindex = neighbor->dev->ifindex;
    if (family == AF_INET) {
        __be32 ipv4;

        key->family = 4;
        if (bpf_probe_read_kernel(&ipv4, sizeof(ipv4), address)) return false;
        put_ipv4(key->ip, ipv4);
        return true;
    }
    key->family = 6;
    return family == AF_INET6 && !bpf_probe_read_kernel(key->ip, sizeof(key->ip), address);
}

static __always_inline void tell_neighbor(struct netwatch_account_counts *account,
                                          const struct neighbor_key *key, __u8 old_state, __u8 new_state) {
    struct netwatch_neighbor *record = RESERVE(account, NEIGHBOR, neighbor, key->netns);

    if (!record) return;
    copy_bytes(record->ip, key->ip);
    record->ifindex = key->ifindex;
    record->family = key->family;
    record->old_state = old_state;
    record->new_state = new_state;
    submit_now(record);
}

static __always_inline void changed(const struct neighbour *neighbor, __u8 old_state, __u8 new_state,
                                    bool news) {
    struct neighbor_key key = {};
    struct netwatch_account_counts *account;
    __u64 now_ns;

    if (!identify(&key, neighbor)) return;
    account = saw(NETWATCH_RECORD_NEIGHBOR, key.netns);
    if (!account) return;
    if (news && new_state == STATE_FAILED) {
        now_ns = bpf_ktime_get_boot_ns();
        bpf_map_update_elem(&failed_neighbors, &key, &now_ns, BPF_ANY);
    } else if (!(new_state & (STATE_REACHABLE | STATE_STALE | STATE_PERMANENT)) ||
               bpf_map_delete_elem(&failed_neighbors, &key)) {
        account->filtered++;
        return;
    }
    tell_neighbor(account, &key, old_state, new_state);
}

/* At the beginning of the update: nud_state is still the old one. */
SEC("tp_btf/neigh_update")
int BPF_PROG(on_neighbor_update, struct neighbour *neighbor, const __u8 *lladdr, __u8 new_state,
             __u32 flags) {
    if (!active) return 0;
    changed(neighbor, neighbor->nud_state, new_state, !(flags & UPDATE_BY_ADMINISTRATOR));
    return 0;
}

/* At the end of the timer, which does not run for FAILED entries: FAILED means that it has just failed. */
SEC("tp_btf/neigh_timer_handler")
int BPF_PROG(on_neighbor_timer, struct neighbour *neighbor) {
    if (!active || neighbor->nud_state != STATE_FAILED) return 0;
    changed(neighbor, 0, STATE_FAILED, true);
    return 0;
}

static __always_inline __u32 netns_of_route(const struct sk_buff *skb) {
    const struct dst_entry *route = (const void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);

    return route ? netns_of_device(BPF_CORE_READ(route, dev)) : netns_of_device(BPF_CORE_READ(skb, dev));
}

/* Since 6.11, and in stable kernels before it (db3efdcf70c7 "net/ipv4: add tracepoint for icmp_send"); IPv4
 * only. */
SEC("tp_btf/icmp_send")
int BPF_PROG(on_icmp_send, const struct sk_buff *skb, int type, int code) {
    struct netwatch_account_counts *account;
    struct netwatch_icmp_sent *record;
    __u32 netns;

    if (!active) return 0;
    netns = netns_of_route(skb);
    account = saw(NETWATCH_RECORD_ICMP_SENT, netns);
    if (!account) return 0;
    record = RESERVE(account, ICMP_SENT, icmp_sent, netns);
    if (!record) return 0;
    read_packet(&record->tuple, skb);
    record->type = type;
    record->code = code;
    submit_now(record);
    return 0;
}

char LICENSE[] SEC("license") __weak = "GPL";
