// SPDX-License-Identifier: Apache-2.0
// Which of the kernel's drop reasons tell of a fault on this host. By name: the numbers differ between
// kernels. Left out: what is part of normal work (closed sockets, old data, purged queues, frames for others)
// and what a sender causes alone (malformed headers). Source: include/net/dropreason-core.h of the kernel.
#pragma once

#include <string_view>

namespace netwatch::sensor {

// `name` without the prefix SKB_DROP_REASON_.
[[nodiscard]] bool is_interesting_drop(std::string_view name);

}  // namespace netwatch::sensor
