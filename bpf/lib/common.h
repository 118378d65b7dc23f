/* SPDX-License-Identifier: GPL-2.0 */
/* What every program includes: kernel types, helpers, the records, and the constants that BTF does not carry.
 */
#pragma once

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "netwatch/abi/record.h"
#include "netwatch/abi/tables.h"

#define AF_UNSPEC 0
#define AF_INET 2
#define AF_INET6 10
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

#define NETWATCH_PASSIVE_UNKNOWN 2

#define copy_bytes(to, from) __builtin_memcpy((to), (from), sizeof(to))
