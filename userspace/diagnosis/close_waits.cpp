// SPDX-License-Identifier: Apache-2.0
#include "diagnosis/close_waits.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnosis/scene.h"

namespace netwatch::diagnosis {
namespace {

using model::FailureType;

constexpr std::uint8_t tcp_close_wait = 8;
constexpr std::size_t holders_kept = 1'024;
constexpr std::size_t sockets_kept = 65'536;
// Whoever closes late, or keeps a pool of dead connections, closes some in this time or stops to gain more.
constexpr std::uint64_t span_ns = 30 * core::ns_per_s;
constexpr std::size_t enough_more = 10;
constexpr std::size_t enough_rises = 5;
constexpr std::uint64_t rising_ns = 15 * core::ns_per_s;

std::string group_of(const ProcessKey& process) {
    return fmt::format("close_wait {} {}", process.pid, process.start_ns);
}

}  // namespace

void CloseWaits::add(const netwatch_socket_sample& record) {
    if (record.counters.state != tcp_close_wait || record.process.pid == 0) return;
    const ProcessKey key{record.process.pid, record.process.start_ns};
    if (sockets_ >= sockets_kept || (holders_.size() >= holders_kept && !holders_.contains(key))) return;
    Holder& holder = holders_[key];
    const auto [entry, is_new] = holder.sockets.try_emplace(record.sock);
    Left& left = entry->second;
    if (is_new) ++sockets_;
    const bool sends = record.counters.bytes_sent > left.bytes_sent || record.counters.unsent_bytes > 0 ||
                       record.counters.unacked_bytes > 0;
    if (is_new || sends) left.since = record.header.at_ns;
    left.bytes_sent = record.counters.bytes_sent;
    holder.seen.insert(record.sock);
}

void CloseWaits::add(const netwatch_walk_end& record) {
    const core::BootNs now = record.header.at_ns;
    for (auto& [key, holder] : holders_) {
        const std::size_t gone =
            std::erase_if(holder.sockets, [&](const auto& one) { return !holder.seen.contains(one.first); });
        sockets_ -= gone;
        if (gone > 0) holder.closed_at = now;
        holder.seen.clear();
        holder.looks.push_back({now, holder.sockets.size()});
        while (holder.looks.front().at + 2 * span_ns < now) holder.looks.pop_front();
        holder.most = std::max(holder.most, holder.sockets.size());
    }
    std::erase_if(holders_, [](const auto& entry) { return entry.second.sockets.empty(); });
}

bool CloseWaits::leaks(const Holder& holder, core::BootNs now) {
    const core::BootNs since = now - std::min(now, span_ns);
    if (holder.looks.empty() || holder.looks.front().at > since || holder.closed_at > since) return false;
    std::size_t rises = 0;
    core::BootNs last_rise = 0;
    const Look* before = nullptr;
    std::size_t first = 0;
    for (const Look& look : holder.looks) {
        if (look.at <= since)
            first = look.count;
        else if (before != nullptr && look.count > before->count) {
            ++rises;
            last_rise = look.at;
        }
        before = &look;
    }
    const auto idle = std::ranges::count_if(
        holder.sockets, [&](const auto& one) { return one.second.since + span_ns / 3 <= now; });
    return rises >= enough_rises && last_rise + rising_ns >= now && before->count >= first + enough_more &&
           static_cast<std::size_t>(idle) >= enough_more;
}

std::vector<Finding> CloseWaits::judge(const Scene& scene) const {
    std::vector<Finding> findings;
    for (const auto& [key, holder] : holders_) {
        if (!leaks(holder, scene.now)) continue;
        const Process* process = scene.processes.find(key);
        Finding finding;
        finding.family = Family::resources;
        finding.group = group_of(key);
        finding.confirmed = true;
        finding.candidates = {{FailureType::connection_exhaustion, "close_wait_leak", 0.95, std::nullopt}};
        const std::string label = process != nullptr ? process->label() : std::to_string(key.pid);
        finding.scope = {model::ScopeKind::process, label, {}};
        finding.process = key;
        core::BootNs oldest = scene.now;
        for (const auto& [sock, left] : holder.sockets) oldest = std::min(oldest, left.since);
        finding.first_affected = oldest;
        finding.flows = static_cast<std::int64_t>(holder.sockets.size());
        note(finding, scene, "close_wait", static_cast<double>(holder.sockets.size()),
             fmt::format(
                 "{} connections that the peer has closed and the process has not, {} of them more in {}; "
                 "none was closed meanwhile",
                 holder.sockets.size(), holder.sockets.size() - holder.looks.front().count,
                 core::to_duration(scene.now - holder.looks.front().at)));
        note(finding, scene, "close_wait_oldest", static_cast<double>(scene.now - oldest) / 1e9,
             fmt::format("the oldest has been left open for {}", core::to_duration(scene.now - oldest)));
        rule_out(finding, FailureType::connection_reset, "the peers ended their connections in good order");
        findings.push_back(std::move(finding));
    }
    return findings;
}

bool CloseWaits::healed(const std::string& group) const {
    if (!group.starts_with("close_wait ")) return false;
    const auto holder =
        std::ranges::find_if(holders_, [&](const auto& entry) { return group_of(entry.first) == group; });
    return holder == holders_.end() || holder->second.sockets.size() <= holder->second.most / 2;
}

}  // namespace netwatch::diagnosis
