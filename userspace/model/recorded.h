// SPDX-License-Identifier: Apache-2.0
// What the diagnosis tells a recorder beside its incidents: seconds of destinations that are over, and what
// happened on this host, in words. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/time.h"
#include "model/incident.h"

namespace netwatch::model {

// One second of one destination in which something of it was seen.
struct DestinationSecond {
    core::UtcNs at; /* its beginning */
    DestinationRef ref;
    Perspective perspective = Perspective::client;
    std::uint32_t netns = 0;
    std::uint32_t attempts = 0; /* that ended */
    std::uint32_t established = 0;
    std::uint32_t failed = 0;
    std::optional<double> rtt_us = std::nullopt; /* smallest */
    std::uint32_t segments = 0;
    std::uint32_t lost = 0;
    std::uint32_t segments_in = 0;
    std::uint32_t lost_in = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    bool operator==(const DestinationSecond&) const = default;
};

struct HostEvent {
    core::UtcNs at;
    std::string topic; /* "link", "route", "listener", … */
    std::uint32_t netns = 0;
    std::string what;
    std::optional<std::string> by =
        std::nullopt; /* "nft[812]"; "unknown" where somebody did it and nothing tells who */
    bool operator==(const HostEvent&) const = default;
};

}  // namespace netwatch::model
