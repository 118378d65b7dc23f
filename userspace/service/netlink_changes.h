// SPDX-License-Identifier: Apache-2.0
// What the kernel's netlink notifications of one network namespace say, as CHANGE records. What is no news is
// left out: refreshed addresses, routes of the kernel's own tables, links of which only counters moved.
// Pure over bytes; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/time.h"
#include "model/address.h"
#include "netwatch/abi/record.h"

struct nlmsghdr;  // NOLINT(readability-identifier-naming): the kernel's

namespace netwatch::service {

class NetlinkChanges {
public:
    explicit NetlinkChanges(std::uint32_t netns) : netns_(netns) {}

    // The messages of one datagram, from the routing or the netfilter socket; what a dump tells is FOUND.
    // Nothing of what cannot be read. True: a dump that was asked for is complete.
    bool take(std::span<const std::byte> datagram, core::BootNs at, std::vector<netwatch_change>& changes);

private:
    struct Link {
        std::string name;
        std::uint8_t state = 0;
        std::uint32_t mtu_bytes = 0;
    };
    [[nodiscard]] netwatch_change make(netwatch_change_subject subject, netwatch_change_action action,
                                       core::BootNs at) const;
    void name_interface(netwatch_change& change) const;
    void take_link(const nlmsghdr* message, core::BootNs at, std::vector<netwatch_change>& changes);
    void take_address(const nlmsghdr* message, core::BootNs at, std::vector<netwatch_change>& changes);
    void take_route(const nlmsghdr* message, core::BootNs at, std::vector<netwatch_change>& changes);
    void take_rule(const nlmsghdr* message, core::BootNs at, std::vector<netwatch_change>& changes);
    void take_generation(const nlmsghdr* message, core::BootNs at, std::vector<netwatch_change>& changes);

    std::uint32_t netns_;
    std::map<std::uint32_t, Link> links_; /* by index */
    std::set<std::pair<std::uint32_t, model::IpAddress>> addresses_;
};

}  // namespace netwatch::service
