/* SPDX-License-Identifier: GPL-2.0 */
/* Whether data arrives out of order anywhere: then, and for a while after, userspace has every segment looked
 * at. */
#pragma once

#include "config.h"

#define WATCH_ARRIVALS_NS 10000000000ULL

bool watches_arrivals __weak = false;

/* Segments that arrived behind a hole: on connections that are gone, and on those met by the present walk. */
__u64 disordered_gone __weak = 0;
__u64 disordered_met __weak = 0;
__u64 disordered_before __weak = 0; /* both together at the end of the last walk */
__u64 disordered_at_ns __weak = 0;

static __always_inline void end_walk_of_arrivals(void) {
    __u64 disordered = disordered_gone + disordered_met;
    __u64 now = bpf_ktime_get_boot_ns();

    if (disordered != disordered_before) disordered_at_ns = now;
    watches_arrivals = disordered_at_ns && now - disordered_at_ns < WATCH_ARRIVALS_NS;
    disordered_before = disordered;
    disordered_met = 0;
}
