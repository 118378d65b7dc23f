// SPDX-License-Identifier: Apache-2.0
#include "recorder/connection_rows.h"

namespace netwatch::recorder {
namespace {

constexpr std::size_t most_cgroups = 65'536;
// Known by number at once; beyond that they get other numbers.
constexpr std::size_t most_addresses = 500'000;
constexpr std::size_t most_processes = 200'000;

bool ended_well(const model::Connection& connection) {
    return connection.outcome == model::ConnectionOutcome::closed ||
           connection.outcome == model::ConnectionOutcome::open ||
           connection.outcome == model::ConnectionOutcome::aborted;
}

std::optional<std::int64_t> ns_of(const std::optional<core::UtcNs>& at) {
    return at ? std::optional(at->ns) : std::nullopt;
}

}  // namespace

core::Result<std::int64_t> ConnectionRows::number_of(const model::IpAddress& ip) {
    if (const auto known = addresses_.find(ip); known != addresses_.end()) return known->second;
    auto insert = to_.statement("INSERT INTO address(ip) VALUES(?)");
    if (!insert) return std::unexpected(insert.error());
    if (auto done = (*insert)->bind(1, ip.to_string()).run(); !done) return std::unexpected(done.error());
    if (addresses_.size() >= most_addresses) addresses_.clear();
    return addresses_[ip] = to_.last_number();
}

void ConnectionRows::learn(const netwatch_cgroup& record) {
    if (cgroups_.size() >= most_cgroups) cgroups_.clear();
    cgroups_[record.cgroup_id] = model::text_of(record.path);
}

core::Result<std::optional<std::int64_t>> ConnectionRows::number_of(const netwatch_process& process) {
    if (process.pid == 0) return std::nullopt;
    if (processes_.size() >= most_processes) {
        if (auto done = finish(); !done) return std::unexpected(done.error());
        processes_.clear();
    }
    const auto known =
        processes_.try_emplace({process.pid, process.start_ns, model::text_of(process.comm)}, 0);
    if (!known.second) return known.first->second;
    auto insert = to_.statement("INSERT INTO process(pid, start_ns, comm) VALUES(?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    Statement& row = **insert;
    row.bind(1, process.pid).bind(2, process.start_ns).bind(3, model::text_of(process.comm));
    if (auto done = row.run(); !done) return std::unexpected(done.error());
    known.first->second = to_.last_number();
    cgroup_of_[known.first->second] = process.cgroup_id;
    return known.first->second;
}

// The path of a cgroup may be told after the connections of its processes.
core::Result<void> ConnectionRows::finish() {
    auto update = to_.statement("UPDATE process SET cgroup = ? WHERE id = ?");
    if (!update) return std::unexpected(update.error());
    for (const auto& [process, id] : cgroup_of_) {
        const auto path = cgroups_.find(id);
        if (path == cgroups_.end()) continue;
        if (auto done = (*update)->bind(1, path->second).bind(2, process).run(); !done) return done;
    }
    cgroup_of_.clear();
    return {};
}

core::Result<void> ConnectionRows::add(const model::Connection& one) {
    if (added_ >= most_ && ended_well(one)) {
        ++left_out_;
        return {};
    }
    const auto local = number_of(model::local_ip(one.tuple));
    const auto remote = number_of(model::remote_ip(one.tuple));
    const auto process = number_of(one.process);
    if (!local || !remote) return std::unexpected(local ? remote.error() : local.error());
    if (!process) return std::unexpected(process.error());
    std::optional<std::int64_t> offender;
    if (one.icmp.present != 0 && one.icmp.has_offender != 0) {
        const auto number = number_of(model::IpAddress(one.icmp.offender));
        if (!number) return std::unexpected(number.error());
        offender = *number;
    }
    auto insert = to_.statement(
        "INSERT INTO connection(netns, direction, local, local_port, remote, remote_port, protocol, process,"
        " began_ns, ended_ns, outcome, error, icmp_type, icmp_code, offender, syn_retransmits, handshake_us,"
        " rtt_us, bytes_sent, bytes_acked, bytes_received, segments_sent, segments_received, retransmits)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return std::unexpected(insert.error());
    Statement& row = **insert;
    row.bind(1, one.netns)
        .bind(3, *local)
        .bind(4, one.tuple.local_port)
        .bind(5, *remote)
        .bind(6, one.tuple.remote_port)
        .bind(7, model::to_string(static_cast<model::Protocol>(one.tuple.protocol)))
        .bind(8, *process)
        .bind(9, ns_of(one.began_at))
        .bind(10, ns_of(one.ended_at))
        .bind(11, model::to_string(one.outcome))
        .bind(15, offender)
        .bind(16, one.syn_retransmits)
        .bind(17, one.handshake_us);
    one.passive ? row.bind(2, *one.passive ? "in" : "out") : row.bind_null(2);
    one.error != 0 ? row.bind(12, one.error) : row.bind_null(12);
    for (const int column : {13, 14}) row.bind_null(column);
    if (one.icmp.present != 0) row.bind(13, one.icmp.type).bind(14, one.icmp.code);
    for (int column = 18; column <= 24; ++column) row.bind_null(column);
    if (one.counters) {
        const auto& counters = *one.counters;
        row.bind(18, counters.srtt_us)
            .bind(19, counters.bytes_sent)
            .bind(20, counters.bytes_acked)
            .bind(21, counters.bytes_received)
            .bind(22, counters.segs_out)
            .bind(23, counters.segs_in)
            .bind(24, counters.total_retrans);
    }
    ++added_;
    return row.run();
}

}  // namespace netwatch::recorder
