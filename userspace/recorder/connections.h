// SPDX-License-Identifier: Apache-2.0
// Records folded into connections. Example:
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
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/time.h"
#include "model/connection.h"
#include "model/record.h"

namespace netwatch::recorder {

class Connections {
public:
    explicit Connections(std::size_t most_alive = 1'000'000) : most_alive_(most_alive) {}

    // `anchor`: both clocks at that time.
    void add(model::RecordRef record, const core::ClockAnchor& anchor);
    [[nodiscard]] std::vector<model::Connection> take_ended() { return std::exchange(ended_, {}); }
    [[nodiscard]] std::vector<model::Connection> take_rest();

private:
    struct Alive {
        std::uint64_t sock = 0;
        model::Connection connection;
    };
    using Order = std::list<Alive>;  // the one heard of last is the last

    void fold(const netwatch_attempt& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_connect& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_accept& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_close& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_call_failed& record, const core::ClockAnchor& anchor);
    void fold(const netwatch_socket_sample& record, const core::ClockAnchor& anchor);
    void fold(const auto& /*record*/, const core::ClockAnchor& /*anchor*/) {}
    model::Connection& alive(std::uint64_t sock, std::uint32_t netns);
    void end(std::uint64_t sock);

    std::size_t most_alive_;
    Order order_;
    std::unordered_map<std::uint64_t, Order::iterator> by_sock_;
    std::vector<model::Connection> ended_;
};

}  // namespace netwatch::recorder
