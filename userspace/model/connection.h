// SPDX-License-Identifier: Apache-2.0
// One connection or attempt as people look at it: who talked to whom, from when to when, and how it ended, in
// the manner of Zeek's conn.log. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/time.h"
#include "model/record.h"

namespace netwatch::model {

enum class ConnectionOutcome : std::uint8_t {
    trying,
    open,
    closed,
    reset,
    aborted,
    timed_out,
    refused,
    unanswered,
    unreachable,
    abandoned,
    not_sent,
};
[[nodiscard]] std::string_view to_string(ConnectionOutcome outcome);

struct Connection {
    std::uint32_t netns = 0;
    std::optional<bool> passive;
    netwatch_tuple tuple{};
    netwatch_process process{};  // all zero: not known
    std::optional<core::UtcNs> began_at;
    std::optional<core::UtcNs> ended_at;
    ConnectionOutcome outcome = ConnectionOutcome::trying;
    int error = 0;
    netwatch_icmp icmp{};
    std::optional<std::uint32_t> syn_retransmits;
    std::optional<std::uint32_t> handshake_us;
    std::optional<netwatch_tcp_counters> counters;  // as they were last seen
};

}  // namespace netwatch::model
