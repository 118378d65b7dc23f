// SPDX-License-Identifier: Apache-2.0
// Records folded into connections, for people: who talked to whom, from when to when, and how it ended, in
// the manner of Zeek's conn.log. Example:
//
//     connections.add(record, utc);           // in order
//     for (auto& one : connections.take_ended()) …
//     for (auto& one : connections.take_rest()) …     // those that the window's end found alive
//
// Bounded: beyond the limit the connection that was heard of least lately ends as it is. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/time.h"
#include "model/address.h"
#include "model/record.h"

namespace netwatch::recorder {

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

class Connections {
public:
    explicit Connections(std::size_t most_alive = 1'000'000) : most_alive_(most_alive) {}

    // `anchor`: both clocks at that time.
    void add(const model::Record& record, const core::ClockAnchor& anchor);
    [[nodiscard]] std::vector<Connection> take_ended() { return std::exchange(ended_, {}); }
    [[nodiscard]] std::vector<Connection> take_rest();

private:
    struct Alive {
        std::uint64_t sock = 0;
        Connection connection;
    };
    using Order = std::list<Alive>;  // the one heard of last is the last

    void fold(const netwatch_attempt& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_connect& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_accept& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_close& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_call_failed& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_socket_sample& record, const core::ClockAnchor& anchor);
    void fold(const auto& /*record*/, const core::ClockAnchor& /*anchor*/) {}
    Connection& alive(std::uint64_t sock, std::uint32_t netns);
    void end(std::uint64_t sock);

    std::size_t most_alive_;
    Order order_;
    std::unordered_map<std::uint64_t, Order::iterator> by_sock_;
    std::vector<Connection> ended_;
};

}  // namespace netwatch::recorder
