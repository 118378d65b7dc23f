// SPDX-License-Identifier: Apache-2.0
// What the files that write a story share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "support/story.h"

namespace netwatch::support::parts {

inline model::Endpoint endpoint(std::string_view text) {
    const auto parsed = model::Endpoint::parse(text);
    if (!parsed) ADD_FAILURE() << "not an endpoint: " << text;
    return parsed.value_or(model::Endpoint{});
}

inline void put(std::uint8_t (&bytes)[16], const model::IpAddress& ip) {
    std::ranges::copy(ip.bytes(), bytes);
}

inline netwatch_process process_of(Who who) {
    netwatch_process process{};
    process.pid = who.pid;
    process.start_ns = who.pid * 1'000ULL;
    process.uid = 1000;
    model::set_text(process.comm, who.comm);
    return process;
}

inline constexpr std::array<std::string_view, 5> drop_reasons{"NETFILTER_DROP", "TC_EGRESS",
                                                              "BPF_CGROUP_EGRESS", "IP_RPFILTER", "TCP_CSUM"};

inline std::uint32_t reason_number(std::string_view name) {
    const auto found = std::ranges::find(drop_reasons, name);
    if (found == drop_reasons.end()) ADD_FAILURE() << "not a reason of a story: " << name;
    return static_cast<std::uint32_t>(found - drop_reasons.begin()) + 9;
}

}  // namespace netwatch::support::parts
