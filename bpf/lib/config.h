/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What userspace tells the programs: constants before they are loaded, one switch afterwards.
 * Weak, because every object that is linked into the one object carries them.
 */
#pragma once

#include "common.h"

/* Constants: the verifier removes what they exclude. */
const volatile bool observe_all_netns __weak = true; /* false: only those in `observed_netns` */
const volatile __u32 only_netns __weak = 0; /* the one observed namespace, where it is one: no look-up then */
const volatile bool has_storage __weak = true; /* socket storage in tracing programs (5.11) */
const volatile bool has_cookie __weak = true;  /* socket cookie in tracing programs (5.12) */
const volatile bool has_holes __weak = true;   /* the program that tells what fills holes is attached */
const volatile bool watches_dns __weak = true;
const volatile bool watches_tls __weak = true;
const volatile __u32 wakeup_bytes __weak =
    1 << 20; /* more than this unread in the ring: wake the reader anyway */
const volatile __u8 interesting_drops[256] __weak = {}; /* by drop reason of the running kernel: 1 to count */

/* 0 until everything is attached, so that nothing half-attached emits. */
__u32 active __weak = 0;
