/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a record leaves the kernel. `saw` counts first and filters by namespace; `RESERVE` counts its own
 * failure, so that no program can lose a record silently:
 *
 *     struct netwatch_account_counts *account = saw(NETWATCH_RECORD_CLOSE, netns);
 *     if (!account)
 *         return 0;
 *     struct netwatch_close *record = RESERVE(account, CLOSE, close, netns);
 *     if (!record)
 *         return 0;
 *     …
 *     submit_quietly(account, record);
 */
#pragma once

#include "config.h"
#include "maps.h"

#define QUIET_RECORDS 16 /* of one kind on one CPU that go by before the room in the ring is looked at */

static __always_inline bool is_observed(__u32 netns) {
    if (only_netns) return netns == only_netns;
    return observe_all_netns || bpf_map_lookup_elem(&observed_netns, &netns) != NULL;
}

static __always_inline struct netwatch_account_counts *account_of(__u32 kind) {
    return bpf_map_lookup_elem(&accounts, &kind);
}

/* Counts one candidate record. NULL: its namespace is not observed, counted as filtered. */
static __always_inline struct netwatch_account_counts *saw(__u32 kind, __u32 netns) {
    struct netwatch_account_counts *account = account_of(kind);

    if (!account) return NULL;
    account->seen++;
    if (!is_observed(netns)) {
        account->filtered++;
        return NULL;
    }
    return account;
}

/* Zero up to `head`: whoever reserves fills the rest, or says how much of it holds. */
static __always_inline void *reserve_head(struct netwatch_account_counts *account, __u16 kind, __u16 size,
                                          __u16 head, __u32 netns, __u64 at_ns) {
    struct netwatch_header *header = bpf_ringbuf_reserve(&records, size, 0);

    if (!header) {
        account->dropped_full++;
        return NULL;
    }
    account->emitted++;
    __builtin_memset(header, 0, head);
    header->at_ns = at_ns;
    header->netns = netns;
    header->kind = kind;
    header->size = size;
    return header;
}

static __always_inline void *reserve_record(struct netwatch_account_counts *account, __u16 kind, __u16 size,
                                            __u32 netns, __u64 at_ns) {
    return reserve_head(account, kind, size, size, netns, at_ns);
}

#define RESERVE_AT(account, upper, lower, netns, at_ns) \
    reserve_record(account, NETWATCH_RECORD_##upper, sizeof(struct netwatch_##lower), netns, at_ns)
#define RESERVE(account, upper, lower, netns) \
    RESERVE_AT(account, upper, lower, netns, bpf_ktime_get_boot_ns())

/* For failures: the reader wakes now. */
static __always_inline void submit_now(void *record) {
    bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

/* For ordinary records: the reader comes by on its own, unless much has piled up. Then a few of them wake it,
 * not all: a wake-up costs more than the record, and asking how much there is a good part of it. */
static __always_inline void submit_quietly(const struct netwatch_account_counts *account, void *record) {
    bool wakes = account->emitted % QUIET_RECORDS == 0 &&
                 bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > wakeup_bytes;

    bpf_ringbuf_submit(record, wakes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}
