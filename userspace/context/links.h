// SPDX-License-Identifier: Apache-2.0
// What the interfaces of the calling thread's network namespace and their queues have counted, as the kernel
// tells it over rtnetlink and ethtool. Asks the kernel of this host only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace netwatch::context {

// struct rtnl_link_stats64, the part that tells of trouble.
struct Link {
    std::uint32_t ifindex = 0;
    std::string name;
    bool loopback = false;
    std::uint64_t rx_errors = 0;
    std::uint64_t rx_missed = 0;
    std::uint64_t tx_errors = 0;
    std::uint64_t tx_dropped = 0;
};

// The discipline at the root of an interface's queues: what those below it drop is counted there, too.
struct Qdisc {
    std::uint32_t ifindex = 0;
    std::uint64_t packets = 0;
    std::uint64_t drops = 0;
};

// Errors: what the kernel refuses.
[[nodiscard]] core::Result<std::vector<Link>> list_links();
[[nodiscard]] core::Result<std::vector<Qdisc>> list_root_qdiscs();

// The names and values of `ethtool -S`; empty where the driver has none.
[[nodiscard]] std::vector<std::string> ethtool_names(const std::string& interface);
[[nodiscard]] std::vector<std::uint64_t> ethtool_values(const std::string& interface, std::size_t count);

}  // namespace netwatch::context
