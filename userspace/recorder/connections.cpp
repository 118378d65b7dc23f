// SPDX-License-Identifier: Apache-2.0
#include "recorder/connections.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace netwatch::recorder {
namespace {

using model::ConnectionOutcome;

constexpr std::uint8_t tcp_established = 1;

ConnectionOutcome outcome_of(const netwatch_connect& record) {
    if (record.outcome == NETWATCH_OUTCOME_ESTABLISHED) return ConnectionOutcome::open;
    if (record.outcome == NETWATCH_OUTCOME_ABANDONED) return ConnectionOutcome::abandoned;
    if (record.reset != 0) return ConnectionOutcome::refused;
    if (record.icmp.present != 0) return ConnectionOutcome::unreachable;
    if (record.tuple.local_port == 0) return ConnectionOutcome::not_sent;
    switch (record.error) {
        case ECONNREFUSED: return ConnectionOutcome::refused;
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EACCES: return ConnectionOutcome::unreachable;
        default: return ConnectionOutcome::unanswered;
    }
}

ConnectionOutcome outcome_of(const netwatch_close& record) {
    if (record.reset_received != 0) return ConnectionOutcome::reset;
    if (record.error == ECONNRESET) return ConnectionOutcome::reset;
    if (record.error != 0) return ConnectionOutcome::timed_out;
    return record.old_state == tcp_established ? ConnectionOutcome::aborted : ConnectionOutcome::closed;
}

std::optional<core::UtcNs> utc_of(std::uint64_t at_ns, const core::ClockAnchor& anchor) {
    return at_ns == 0 ? std::nullopt : std::optional(anchor.utc(at_ns));
}

std::optional<std::uint32_t> measured(std::uint32_t value) {
    return value == NETWATCH_ABSENT_U32 ? std::nullopt : std::optional(value);
}

std::optional<bool> passive_of(std::uint8_t told) {
    return told > 1 ? std::nullopt : std::optional(told == 1);
}

}  // namespace

void Connections::add(model::RecordRef record, const core::ClockAnchor& anchor) {
    record.visit([&](const auto& told) { fold(told, anchor); });
}

model::Connection& Connections::alive(std::uint64_t sock, std::uint32_t netns) {
    const auto known = by_sock_.find(sock);
    if (known != by_sock_.end()) {
        order_.splice(order_.end(), order_, known->second);
        return known->second->connection;
    }
    if (order_.size() >= most_alive_) {
        ended_.push_back(order_.front().connection);
        by_sock_.erase(order_.front().sock);
        order_.pop_front();
    }
    order_.push_back({sock, {}});
    by_sock_.emplace(sock, std::prev(order_.end()));
    order_.back().connection.netns = netns;
    return order_.back().connection;
}

void Connections::end(std::uint64_t sock) {
    const auto known = by_sock_.find(sock);
    ended_.push_back(known->second->connection);
    order_.erase(known->second);
    by_sock_.erase(known);
}

void Connections::fold(const netwatch_attempt& record, const core::ClockAnchor& anchor) {
    model::Connection& one = alive(record.sock, record.header.netns);
    one.tuple = record.tuple;
    one.passive = false;
    one.began_at = anchor.utc(record.header.at_ns);
}

void Connections::fold(const netwatch_connect& record, const core::ClockAnchor& anchor) {
    model::Connection& one = alive(record.sock, record.header.netns);
    one.tuple = record.tuple;
    one.passive = false;
    one.process = record.process;
    one.began_at = utc_of(record.start_ns, anchor);
    one.outcome = outcome_of(record);
    one.error = record.error != 0 ? record.error : record.soft_error;
    one.icmp = record.icmp;
    one.syn_retransmits = record.syn_retransmits;
    one.handshake_us = measured(record.rtt_us);
    if (one.outcome == ConnectionOutcome::open) {
        one.error = 0;
        return;
    }
    one.ended_at = anchor.utc(record.header.at_ns);
    end(record.sock);
}

void Connections::fold(const netwatch_accept& record, const core::ClockAnchor& anchor) {
    model::Connection& one = alive(record.sock, record.header.netns);
    one.tuple = record.tuple;
    one.passive = true;
    one.process = record.process;
    one.began_at = utc_of(record.start_ns, anchor);
    one.outcome = ConnectionOutcome::open;
    one.handshake_us = measured(record.rtt_us);
}

void Connections::fold(const netwatch_close& record, const core::ClockAnchor& anchor) {
    model::Connection& one = alive(record.sock, record.header.netns);
    one.tuple = record.tuple;
    if (record.passive <= 1) one.passive = record.passive == 1;
    if (record.process.pid != 0) one.process = record.process;
    if (!one.began_at) one.began_at = utc_of(record.start_ns, anchor);
    one.ended_at = anchor.utc(record.header.at_ns);
    one.outcome = outcome_of(record);
    one.error = record.error;
    one.counters = record.counters;
    end(record.sock);
}

// A connect() that never entered SYN_SENT. What did is told of by its own end.
void Connections::fold(const netwatch_call_failed& record, const core::ClockAnchor& anchor) {
    if (record.call != NETWATCH_CALL_CONNECT || record.sock != 0 || record.tuple.remote_port == 0) return;
    model::Connection& one = ended_.emplace_back();
    one.netns = record.header.netns;
    one.tuple = record.tuple;
    one.passive = false;
    one.process = record.process;
    one.ended_at = anchor.utc(record.header.at_ns);
    one.began_at = anchor.utc(record.header.at_ns - std::min(record.header.at_ns, record.duration_ns));
    one.outcome = ConnectionOutcome::not_sent;
    one.error = record.error;
}

void Connections::fold(const netwatch_socket_sample& record, const core::ClockAnchor& anchor) {
    constexpr std::uint8_t syn_sent = 2;
    model::Connection& one = alive(record.sock, record.header.netns);
    one.tuple = record.tuple;
    if (!one.passive) one.passive = passive_of(record.passive);
    if (record.process.pid != 0) one.process = record.process;
    if (!one.began_at) one.began_at = utc_of(record.start_ns, anchor);
    if (record.counters.state != syn_sent) one.outcome = ConnectionOutcome::open;
    one.counters = record.counters;
}

std::vector<model::Connection> Connections::take_rest() {
    auto rest = std::exchange(ended_, {});
    for (const auto& each : order_) rest.push_back(each.connection);
    order_.clear();
    by_sock_.clear();
    return rest;
}

}  // namespace netwatch::recorder
